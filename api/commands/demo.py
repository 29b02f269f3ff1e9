"""`inventory-sync demo`: two simulated shops brought to Business Central's stock before your eyes."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.demo_api import RestClient
from api.commands.demo_report import ShopResult, print_next_steps, print_report
from api.commands.demo_world import World, demo_folder, simulators_class, world
from api.commands.progress import watch
from api.commands.shared import ExitCode, Failure, console
from workers.full_sync.outlook import Figures

if TYPE_CHECKING:
    from tests.simulators.handles import BigCommerceHandle, BusinessCentralHandle, WooCommerceHandle

LANDING_SECONDS = 60.0  # BigCommerce shows an accepted write up to a minute later
STALLED_SECONDS = 180.0  # a sync whose figures stand still for so long is a failure
SPARE_ITEMS = 1.25  # BC has items that no shop sells, so that its scan takes more than one page


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End after the report: 0 only if every SKU is right.")
@click.option("--bigcommerce-skus", type=click.IntRange(1, 200_000), default=20_000, show_default=True)
@click.option("--woocommerce-skus", type=click.IntRange(1, 200_000), default=5_000, show_default=True)
@click.option(
    "--bigcommerce", type=click.IntRange(0, 20), default=1, show_default=True, help="How many shops."
)
@click.option(
    "--woocommerce", type=click.IntRange(0, 20), default=1, show_default=True, help="How many shops."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the catalogues.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="An empty folder to work in; default: a temporary one.",
)
@click.option("--keep", is_flag=True, help="Leave the folder, with the databases and the log, at the end.")
def demo(leave: bool, data_dir: Path | None, keep: bool, **plan: int) -> None:
    """Sync two simulated shops, check every SKU against Business Central, and stay up to be played with."""
    began = time.monotonic()
    # Python leaves Ctrl-C ignored where a script's `&` started us, but this one is to end by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    simulators_class()
    if not plan["bigcommerce"] + plan["woocommerce"]:
        raise click.UsageError("--bigcommerce and --woocommerce: at least one shop is needed")
    plan["bc_items"] = round(SPARE_ITEMS * max(plan["bigcommerce_skus"], plan["woocommerce_skus"]))
    with demo_folder(data_dir, keep=keep) as folder:
        click.echo("Starting PostgreSQL, Valkey, the simulated vendors and all roles...")
        with world(folder, plan) as everything:
            api = RestClient(everything.url, _token(everything.environment))
            right = _show(everything, api, began)
            if not leave:
                print_next_steps(everything.url, api.token, _password(everything.environment))
                _stay()
            # From here on a second Ctrl-C hurries the end instead of breaking it off.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: everything.hurry())
            click.echo("Stopping...")
    raise click.exceptions.Exit(ExitCode.RIGHT if right else ExitCode.FAILED)


def _show(everything: World, api: RestClient, began: float) -> bool:
    """Add the company and the shops, sync them, check them, report; gives whether all is right."""
    simulators = everything.simulators
    shops: list[BigCommerceHandle | WooCommerceHandle] = [*simulators.bigcommerce, *simulators.woocommerce]
    company = api.add_company(company_fields(simulators.bc))
    site_ids = {shop.name: api.add_site({**site_fields(shop), "company": company}) for shop in shops}
    runs = api.newest_runs()
    ended = _watch(api, {name: runs[site_id] for name, site_id in site_ids.items()})
    click.echo("Checking every SKU of every shop against Business Central...")
    results = [
        ShopResult(shop.name, ended[shop.name], shop.wait_until_landed(LANDING_SECONDS), shop.violations())
        for shop in shops
    ]
    print_report(results, simulators.bc.total_calls(), time.monotonic() - began)
    return all(result.right for result in results)


def _token(environment: dict[str, str]) -> str:
    """A token made by the command that makes tokens: the API can't be asked without one."""
    return _create(environment, "token", "--name", "demo", "--scope", "admin")


def _password(environment: dict[str, str]) -> str:
    """The password of the user `demo`, made for this demonstration alone."""
    password = secrets.token_urlsafe(12)
    _create(environment, "user", "--name", "demo", "--role", "admin", typed=password)
    return password


def _create(environment: dict[str, str], noun: str, *options: str, typed: str = "") -> str:
    made = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "api.cli", noun, "create", *options],
        env=environment,
        input=f"{typed}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Failure(f"no {noun} could be made: {made.stderr.strip()}")
    return made.stdout.strip()


def _watch(api: RestClient, run_ids: Mapping[str, int]) -> dict[str, Figures]:
    changed_at, before = time.monotonic(), ""

    def fetch() -> dict[str, Figures]:
        nonlocal changed_at, before
        found: dict[str, Figures] = {name: api.run(run_id) for name, run_id in run_ids.items()}
        if str(found) != before:
            changed_at, before = time.monotonic(), str(found)
        elif time.monotonic() - changed_at > STALLED_SECONDS:
            raise Failure(f"nothing has moved for {STALLED_SECONDS:.0f} s")
        return found

    return watch(console(), fetch)


def _stay() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass


def company_fields(bc: BusinessCentralHandle) -> dict[str, Any]:
    """The simulated company as an operator would type it in."""
    names = ("tenant_id", "environment", "company_id", "client_id", "client_secret", "api_url", "token_url")
    return {"name": "Demo company", **{name: getattr(bc, name) for name in names}}


def site_fields(shop: BigCommerceHandle | WooCommerceHandle) -> dict[str, Any]:
    """A simulated shop as an operator would type it in."""
    if hasattr(shop, "store_hash"):
        names = ("store_hash", "access_token", "channel_ids", "api_url")
        platform = "bigcommerce"
    else:
        names = ("url", "consumer_key", "consumer_secret")  # type: ignore[assignment]
        platform = "woocommerce"
    return {"name": shop.name, "platform": platform, **{name: getattr(shop, name) for name in names}}
