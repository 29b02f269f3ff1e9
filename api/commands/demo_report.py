"""What the demo tells at its end: figures of each shop, the check of every SKU, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from api.commands.progress import seconds_of
from api.commands.shared import print_table
from workers.full_sync.outlook import Figures

if TYPE_CHECKING:
    from tests.simulators.handles import Comparison

EXAMPLES = 3  # wrong rows shown of each shop


@dataclass(frozen=True)
class ShopResult:
    """One shop: its run as the API tells it, and its every row against Business Central."""

    name: str
    run: Figures
    comparison: Comparison
    violations: dict[str, int]

    @property
    def right(self) -> bool:
        """Whether the run went through, every SKU is right and nothing else was touched."""
        return self.run["status"] == "completed" and not self.run["failed"] and self.comparison.correct


def print_report(results: Sequence[ShopResult], bc_calls: int, seconds: float) -> None:
    """The figures, a column for each shop, and what they come to."""
    click.echo()
    print_table(["", *(result.name for result in results)], _rows(results), empty="")
    click.echo(f"\nBusiness Central was called {bc_calls} times for all shops together.")
    for result in results:
        _print_trouble(result)
    right = sum(result.comparison.right for result in results)
    alone = sum(result.comparison.left_alone for result in results)
    if all(result.right for result in results):
        click.secho(
            f"Every SKU is right: {right:,} show what Business Central has, and the {alone:,} that had to be"
            " left alone are untouched.",
            fg="green",
        )
    else:
        click.secho("Not every SKU is right; see above.", fg="red")
    click.echo(f"Shown {seconds:.0f} s after the start.")


def print_next_steps(url: str, token: str, password: str) -> None:
    """Where the panel and the API are, and three calls to try."""
    curl = f"curl -s -H 'Authorization: Bearer {token}'"
    click.echo(
        f"\nThe panel stays up at {url}/ until Ctrl-C. Sign in as:\n\n  demo\n  {password}\n"
        f"\nSo does the API at {url}/api/v1 (to be read and tried at {url}/api-docs)."
        f"\nA token that may do everything:\n\n  {token}\n\nTry:\n"
        f"\n  {curl} {url}/api/v1/inventory/stats"
        f"\n  {curl} '{url}/api/v1/items?site=1&limit=3'"
        f"\n  {curl} -X POST {url}/api/v1/inventory/sync/all\n"
    )


def _rows(results: Sequence[ShopResult]) -> list[list[Any]]:
    rows: list[list[Any]] = [
        ["SKUs in the shop", *(_number(result.comparison.rows) for result in results)],
        ["pushed", *(_number(result.run["pushed"]) for result in results)],
        ["unchanged", *(_number(result.run["unchanged"]) for result in results)],
    ]
    for reason in sorted({reason for result in results for reason in result.run["skipped"]}):
        rows.append(
            [f"skipped, {reason}", *(_number(result.run["skipped"].get(reason, 0)) for result in results)]
        )
    rows += [
        ["failed", *(_number(sum(result.run["failed"].values())) for result in results)],
        ["calls made", *(_number(result.run["calls"]) for result in results)],
        ["fewest possible", *(_number(result.run.get("fewest_calls")) for result in results)],
        ["seconds", *(f"{seconds_of(result.run) or 0:.1f}" for result in results)],
        ["as Business Central has it", *(_number(result.comparison.right) for result in results)],
        ["rightly left alone", *(_left_alone(result.comparison) for result in results)],
        ["wrong", *(_number(result.comparison.wrong) for result in results)],
        ["touched, but should not be", *(_number(result.comparison.touched) for result in results)],
    ]
    return rows


def _print_trouble(result: ShopResult) -> None:
    if result.run["status"] != "completed":
        click.secho(f"{result.name}: the sync {result.run['status']}: {result.run['error']}", fg="red")
    for reason, count in result.run["failed"].items():
        click.secho(f"{result.name}: {count:,} SKUs failed: {reason}", fg="red")
    if result.comparison.pending_writes:
        click.secho(f"{result.name}: {result.comparison.pending_writes} writes have not landed yet", fg="red")
    for row in result.comparison.wrong_rows[:EXAMPLES]:
        click.echo(f"  wrong: {row['sku']!r} shows {row['shown']} and should show {row['expected']}")
    for row in result.comparison.touched_rows[:EXAMPLES]:
        click.echo(f"  touched: {row['sku']!r}, to be left alone as {', '.join(row['reasons'])}")
    for rule, count in result.violations.items():
        click.secho(f"{result.name}: {count} calls broke the vendor's rule {rule}", fg="yellow")


def _left_alone(comparison: Comparison) -> str:
    return _number(comparison.left_alone - comparison.touched)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
