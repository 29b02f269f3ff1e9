"""What else fails with a job that fails for good, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Callable

from workers.full_sync import push_rows
from workers.webhooks import outcomes
from workers.webhooks.intake import KIND as PRODUCT_EVENT

OF_KIND: dict[str, Callable[[int, str], None]] = {
    "stock.push": push_rows.job_failed,
    PRODUCT_EVENT: outcomes.job_failed,
}


def job_failed(job_id: int, kind: str, error: str) -> None:
    """Let what hangs on the job fail with it."""
    if kind in OF_KIND:
        OF_KIND[kind](job_id, error)
