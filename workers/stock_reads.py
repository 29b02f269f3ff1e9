"""Business Central asked for some numbers now, outside a refresh: what came back is in rm_stock when it ends."""

from __future__ import annotations

from collections.abc import Sequence

from workers import clock
from workers.connections import company_client
from workers.jobs import Work
from workers.observations import record_stock


def read_stock_of(work: Work, company_id: int, keys: Sequence[str]) -> None:
    """Ask in or-chains, and record each answer. A key that does not come back is unknown, never 0.

    Raises what Business Central's client raises; what was read before stays.
    """
    if not keys:
        return
    with company_client(company_id, work) as client:
        for chain in client.chains(keys):
            started = clock.now()
            record_stock(company_id, client.read_chain(chain), started)
