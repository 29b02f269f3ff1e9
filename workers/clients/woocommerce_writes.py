"""Stock writes to WooCommerce: batches of 100 that answer 200 even where every row failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.clients.answers import Answer
from workers.clients.shop import BeforeWrite, ItemRef, StockWrite, Verdict, WriteResult
from workers.clients.typed import parse
from workers.clients.woocommerce_api import WooCommerceApi
from workers.clients.woocommerce_rows import OUTCOME, Outcome
from workers.clients.writes import sendable, stopped
from workers.errors import BadAnswer, InventorySyncError, NotFound

BATCH_ROWS = 100  # in total, else 413 with nothing done
UNKNOWN_ITEM = (
    "woocommerce_rest_product_invalid_id",
    "woocommerce_rest_product_variation_invalid_id",
    "woocommerce_rest_invalid_product_id",
    "woocommerce_rest_invalid_product_variation_id",
)


def batches(writes: Sequence[StockWrite]) -> list[list[StockWrite]]:
    """Every row once: products together, variations by parent, since the parent stands in the address."""
    groups: dict[int, list[StockWrite]] = {}
    for write in writes:
        groups.setdefault(write.ref.product_id if write.ref.variant_id else 0, []).append(write)
    return [
        group[start : start + BATCH_ROWS]
        for group in groups.values()
        for start in range(0, len(group), BATCH_ROWS)
    ]


def write_rows(
    api: WooCommerceApi, batch: Sequence[StockWrite], before: BeforeWrite, deadline: float
) -> list[WriteResult]:
    """Send the batch and judge each row by its own answer.

    Raises PartialWrite once some rows are decided, else what the call raised.
    """
    rows, results = sendable(batch)
    for group in batches(rows):
        try:
            before(group)
            decided, missing, problem = _carry(api, group, deadline)
        except InventorySyncError as error:
            raise stopped(batch, results, group, error) from error
        results.extend(decided)
        if problem is not None:
            raise stopped(batch, results, missing, problem)
    return results


def _carry(
    api: WooCommerceApi, group: Sequence[StockWrite], deadline: float
) -> tuple[list[WriteResult], list[StockWrite], BadAnswer | None]:
    """One call: the rows that it decided, the others, and what to raise about those.

    A parent that was deleted meanwhile answers 404 for all its variations; that is a refusal of these rows.
    """
    try:
        answer = _send(api, group, deadline)
    except NotFound as error:
        if error.code not in UNKNOWN_ITEM:
            raise
        return [_refused(write, error.code or "", "its product is gone") for write in group], [], None
    decided, missing = judge(group, answer)
    if not missing:
        return decided, [], None
    words = f"{len(missing)} of {len(group)} rows are not in the answer"
    return decided, missing, answer.bad(words, "missing_rows")


def judge(group: Sequence[StockWrite], answer: Answer) -> tuple[list[WriteResult], list[StockWrite]]:
    """What became of each row, and the rows of which the answer says nothing."""
    body = answer.json()
    rows = body.get("update") if isinstance(body, dict) else None
    outcomes = _by_id(rows if isinstance(rows, list) else [])
    results: list[WriteResult] = []
    missing: list[StockWrite] = []
    for write in group:
        outcome = outcomes.get(_id(write.ref))
        if outcome is None or (outcome.error is None and outcome.manage_stock is None):
            missing.append(write)
        else:
            results.append(_result(write, outcome))
    return results, missing


def _send(api: WooCommerceApi, group: Sequence[StockWrite], deadline: float) -> Answer:
    """No `_fields` here: with it the answer is empty although the rows were written."""
    first = group[0].ref
    path = f"products/{first.product_id}/variations/batch" if first.variant_id else "products/batch"
    route = "products/{id}/variations/batch" if first.variant_id else path
    update = [
        {"id": _id(write.ref), "manage_stock": True, "stock_quantity": write.quantity} for write in group
    ]
    return api.request("POST", path, route=route, json={"update": update}, deadline=deadline, writes=True)


def _by_id(rows: list[Any]) -> dict[int, Outcome]:
    """The rows that are readable; one that is not counts as missing, so that its row is read again."""
    found: dict[int, Outcome] = {}
    for row in rows:
        try:
            outcome = parse(OUTCOME, row, "WooCommerce batch")
        except BadAnswer:
            continue
        found.setdefault(outcome.id, outcome)
    return found


def _result(write: StockWrite, outcome: Outcome) -> WriteResult:
    if outcome.error is not None:
        return _refused(write, outcome.error.code, outcome.error.message)
    shown = outcome.stock_quantity if outcome.manage_stock is True else None
    if outcome.manage_stock == "parent":
        return WriteResult(
            write.ref, Verdict.IGNORED, shown, "tracked_by_product", "its product holds the stock"
        )
    if outcome.manage_stock is not True:
        return WriteResult(write.ref, Verdict.IGNORED, shown, "untracked", "the shop does not track it")
    if shown != write.quantity:
        message = f"sent {write.quantity}, the shop shows {'no whole number' if shown is None else shown}"
        return WriteResult(write.ref, Verdict.IGNORED, shown, "ignored_by_shop", message)
    return WriteResult(write.ref, Verdict.ACCEPTED, shown)


def _refused(write: StockWrite, code: str, message: str | None) -> WriteResult:
    reason = "unknown_item" if code in UNKNOWN_ITEM else code.removeprefix("woocommerce_rest_")
    words = f"{code}: {message or ''}"[:300]
    return WriteResult(write.ref, Verdict.REFUSED, reason=reason, message=words)


def _id(ref: ItemRef) -> int:
    return ref.variant_id or ref.product_id
