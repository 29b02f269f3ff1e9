"""Business Central's answers into rm_stock: what was read is there, and is the newest, when a function here ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from workers import clock
from workers.clients.business_central import BcItem, BusinessCentral
from workers.connections import company_client
from workers.errors import InventorySyncError
from workers.jobs import Work
from workers.observations import record_stock

READS_AGAIN = (
    5  # of what differs between two reads that were under way at once; the first nearly always settles it
)


def read_stock_of(work: Work, company_id: int, keys: Sequence[str]) -> None:
    """Ask BC for some numbers now, outside a refresh. A key that does not come back is unknown, never 0.

    Raises what Business Central's client raises; what was read before stays.
    """
    if not keys:
        return
    with company_client(company_id, work) as client:
        for chain in client.chains(keys):
            read_chain(client, company_id, chain)


def read_chain(client: BusinessCentral, company_id: int, numbers: Sequence[str]) -> int:
    """Ask for the numbers of one chain, and record the answer; gives how many items came back."""
    started = clock.now()
    items = client.read_chain(numbers)
    record(client, company_id, items, started)
    return len(items)


def record(
    client: BusinessCentral, company_id: int, items: Iterable[BcItem], read_started_at: datetime
) -> None:
    """Record an answer, just come; ask again for what another read saw otherwise that was under way with it.

    Raises InventorySyncError where no read agrees with the one before.
    """
    disputed = record_stock(company_id, items, read_started_at, clock.now())
    for _ in range(READS_AGAIN):
        if not disputed:
            return
        again: list[str] = []
        for chain in client.chains(disputed):
            started = clock.now()
            again += record_stock(company_id, client.read_chain(chain), started, clock.now())
        disputed = again
    if disputed:
        raise InventorySyncError(
            f"Business Central's stock of {len(disputed)} items changed while they were read, again and again"
        )
