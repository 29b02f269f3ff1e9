"""What the shops' stock writes have in common: rows that are never sent, and how a batch stops half-way."""

from __future__ import annotations

from collections.abc import Sequence

from workers.clients.shop import StockWrite, Tracking, Verdict, WriteResult
from workers.errors import InventorySyncError, PartialWrite, RemoteError

MOST_QUANTITY = 2_147_483_647  # above it BigCommerce answers as if it worked, and saves nothing


def sendable(batch: Sequence[StockWrite]) -> tuple[list[StockWrite], list[WriteResult]]:
    """The rows that may be sent, and the refusals of the others."""
    refused = [refusal(write) for write in batch]
    rows = [write for write, result in zip(batch, refused, strict=True) if result is None]
    return rows, [result for result in refused if result is not None]


def refusal(write: StockWrite) -> WriteResult | None:
    """Why a row must never be sent, or None.

    Checked here because WooCommerce's batches check nothing: 2.9 becomes 2 there and "abc" becomes 0.
    """
    if type(write.quantity) is not int or not 0 <= write.quantity <= MOST_QUANTITY:
        words = f"the quantity must be a whole number from 0 to {MOST_QUANTITY}"
        return WriteResult(write.ref, Verdict.REFUSED, reason="quantity_out_of_range", message=words)
    if write.tracking is Tracking.PARENT:
        words = "the product holds the stock of its variants"
        return WriteResult(write.ref, Verdict.REFUSED, reason="tracked_by_product", message=words)
    if write.tracking is Tracking.NONE:
        return WriteResult(write.ref, Verdict.REFUSED, reason="untracked", message="not tracked in the shop")
    return None


def stopped(
    batch: Sequence[StockWrite],
    results: Sequence[WriteResult],
    group: Sequence[StockWrite],
    error: InventorySyncError,
) -> InventorySyncError:
    """What to raise where `error` ended the call that carried `group`.

    The error itself where it holds for the whole batch, else with what was decided before it.
    """
    if not results and len(group) == len(batch):
        return error
    unknown = isinstance(error, RemoteError) and error.outcome_unknown
    return PartialWrite(results, [write.ref for write in group] if unknown else [], error)
