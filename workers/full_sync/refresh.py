"""Refresh stock: BC's stock of one company into rm_stock, once for all sites that ask before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from models.database import execute, row, rows
from workers import clock, guard, ledger
from workers.clients.business_central_chains import PAGE_ROWS, fewest_calls
from workers.connections import company_client
from workers.full_sync import steps
from workers.jobs import Claim, Done, NewJob, Work
from workers.stock_reads import read_chain, record

SCAN = "scan"
CHAINS = "chains"
KEYS_AT_ONCE = 20_000  # keys held in memory while chains are made


def begin(work: Work) -> Done:
    """From here on nobody joins: choose the cheaper way to ask BC, and ask."""
    claim = work.claim
    assert claim.refresh_id is not None
    assert claim.company_id is not None
    if not _close_to_joiners(claim.refresh_id):
        return Done(result={"mode": None})  # whoever asked has been cancelled: nobody needs BC's answer
    with company_client(claim.company_id, work) as client:
        keys = _keys_to_ask(claim.refresh_id)
        item_count = _item_count(claim.company_id)
        if keys and item_count and fewest_calls(item_count, keys)[0] == CHAINS:
            chains = client.chains(keys)
            return Done(
                jobs=[_job(claim, "stock.chain", {"numbers": list(chain)}) for chain in chains],
                result={"mode": CHAINS},
                record=lambda: _choose(claim.refresh_id, CHAINS, len(chains)),
            )
    return Done(
        jobs=[_job(claim, "stock.scan", {"next": None, "rows": 0})],
        result={"mode": SCAN},
        record=lambda: _choose(claim.refresh_id, SCAN, None),
    )


def scan(work: Work) -> Done:
    """One page of all items, 20,000 rows at most; the next page is a job of its own."""
    claim = work.claim
    assert claim.company_id is not None
    started = clock.now()
    with company_client(claim.company_id, work) as client:
        page = client.scan(claim.payload["next"])
        record(client, claim.company_id, page.items, started)
    total = claim.payload["rows"] + len(page.items)
    if page.next_link is not None:
        following = _job(claim, "stock.scan", {"next": page.next_link, "rows": total})
        return Done(
            jobs=[following], result={"rows": len(page.items)}, record=lambda: _count(claim, len(page.items))
        )

    before = _item_count(claim.company_id)

    def count() -> None:
        _count(claim, len(page.items))
        suspicion = guard.fewer_than_before(total, before)
        if suspicion is None:  # else the next answer is held against the same number
            execute("UPDATE rm_companies SET item_count = %s WHERE id = %s", (total, claim.company_id))
        execute(
            "UPDATE rm_stock_refreshes SET fewest_calls = %s, suspicion = %s WHERE id = %s",
            (fewest_scan_calls(total), suspicion, claim.refresh_id),
        )

    return Done(result={"rows": len(page.items)}, record=count)


def chain(work: Work) -> Done:
    """One or-chain of numbers. A number that does not come back is unknown, never 0."""
    claim = work.claim
    assert claim.company_id is not None
    with company_client(claim.company_id, work) as client:
        number = read_chain(client, claim.company_id, claim.payload["numbers"])
    return Done(result={"rows": number}, record=lambda: _count(claim, number))


def _close_to_joiners(refresh_id: int) -> bool:
    """waiting -> reading; the runs that joined are running from here on, whichever of their jobs came first.

    False: none of them is open any more.
    """
    with ledger.committing():
        steps.lock(refresh_id, None)
        execute(
            "UPDATE rm_stock_refreshes SET status = 'reading', read_started_at = clock_timestamp()"
            " WHERE id = %s AND status = 'waiting'",
            (refresh_id,),
        )
        execute(
            "UPDATE rm_sync_runs SET status = 'running', started_at = coalesce(started_at, now()), updated_at = now()"
            " WHERE refresh_id = %s AND status = 'queued'",
            (refresh_id,),
        )
        return bool(
            rows(
                "SELECT 1 FROM rm_sync_runs WHERE refresh_id = %s AND status = 'running' LIMIT 1",
                (refresh_id,),
            )
        )


def _keys_to_ask(refresh_id: int) -> Sequence[str]:
    """The keys that the joined sites sell; empty where one of them has never been listed to the end."""
    joined = rows(
        "SELECT s.id, s.last_synced_at IS NULL FROM rm_sync_runs r JOIN rm_sites s ON s.id = r.site_id"
        " WHERE r.refresh_id = %s AND r.status = 'running'",
        (refresh_id,),
    )
    if not joined or any(never for _, never in joined):
        return []
    found = rows(
        "SELECT DISTINCT sku_key FROM rm_items WHERE site_id = ANY (%s) AND active AND sku_key <> ''"
        " ORDER BY sku_key LIMIT %s",
        ([site_id for site_id, _ in joined], KEYS_AT_ONCE + 1),
    )
    return [key for (key,) in found] if len(found) <= KEYS_AT_ONCE else []


def _item_count(company_id: int) -> int | None:
    found = row("SELECT item_count FROM rm_companies WHERE id = %s", (company_id,))
    return None if found is None else found[0]


def fewest_scan_calls(items: int) -> int:
    """Pages of a whole scan."""
    return max(-(-items // PAGE_ROWS), 1)


def _job(claim: Claim, kind: str, payload: dict[str, object]) -> NewJob:
    return NewJob(
        kind=kind,
        priority=claim.priority,
        payload=payload,
        company_id=claim.company_id,
        refresh_id=claim.refresh_id,
        request_id=claim.request_id,
    )


def _choose(refresh_id: int | None, mode: str, calls: int | None) -> None:
    execute(
        "UPDATE rm_stock_refreshes SET mode = %s, fewest_calls = %s WHERE id = %s", (mode, calls, refresh_id)
    )


def _count(claim: Claim, number: int) -> None:
    """In the transaction that completes the page, so that no page counts twice."""
    execute(
        "UPDATE rm_stock_refreshes SET rows_read = rows_read + %s, pages = pages + 1 WHERE id = %s",
        (number, claim.refresh_id),
    )
