"""Step 5: write stock to a store. One writer a store; every row's fate is stored before and after each call.

planned -> sending -> pushed | failed          (the call was answered)
                   -> unsure -> pushed | planned (it was not: settle, read again, push again if different)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.database import rows, session, transaction
from models.site import Site
from workers import clock, leases
from workers.clients.shop import ItemRef, ShopClient, StockWrite, Tracking, Verdict, WriteResult
from workers.connections import site_client
from workers.errors import InventorySyncError, MustWait, PartialWrite, RemoteError
from workers.full_sync import push_rows
from workers.full_sync.context import demand_open
from workers.jobs import Claim, Done, Priority, Work
from workers.observations import batched
from workers.planning import plan_alone

SETTLE_MARGIN_SECONDS = 0.2
_TAKEN_BACK = """
    id IN (SELECT item_id FROM rm_pushes WHERE job_id = %(job)s AND outcome = 'pushed')
    AND sent_by_job = %(job)s AND active AND skip_reason IS NULL AND NOT unsure
    AND wanted <> sent AND shown IS DISTINCT FROM wanted
    AND NOT EXISTS (SELECT FROM rm_pushes o WHERE o.item_id = rm_items.id
                    AND o.outcome IN ('planned', 'sending', 'unsure'))
"""


@dataclass(frozen=True, slots=True)
class _Row:
    item_id: int
    ref: ItemRef
    tracking: Tracking
    wanted: int
    shown: int | None
    unsure: bool
    settles_in: float

    @property
    def write(self) -> StockWrite:
        return StockWrite(self.ref, self.wanted, self.tracking)


def push(work: Work) -> Done:
    """Write the job's rows. Raises MustWait while rows of unknown outcome settle."""
    claim = work.claim
    with session():
        site = Site.get_by_id(claim.site_id)
    with transaction():
        leases.doubt(claim.id)  # what an earlier attempt of this job was sending when it died
    demand_open(claim.run_id)
    with transaction():
        push_rows.take_newer_stock(claim.id, site)
        push_rows.drop_needless(claim.id)
    with site_client(site, work) as client:
        _Pusher(work, site, client).run()
    return Done(record=lambda: _write_back(claim, site))


def _write_back(claim: Claim, site: Site) -> None:
    """What was decided otherwise while it was being written, in the transaction that ends the job.

    Whoever decided saw the shop as it was before the write: it may have found that right, and planned nothing.
    """
    parameters = {"job": claim.id}
    if rows(f"SELECT 1 FROM rm_items WHERE {_TAKEN_BACK} LIMIT 1", parameters):
        plan_alone(
            site,
            _TAKEN_BACK,
            parameters,
            planner=claim,
            priority=Priority.URGENT,
            asker="a write that was overtaken",
        )


class _Pusher:
    """One attempt at a push job."""

    def __init__(self, work: Work, site: Site, client: ShopClient) -> None:
        self._work = work
        self._claim = work.claim
        self._site = site
        self._client = client
        self._ids: dict[ItemRef, int] = {}

    def run(self) -> None:
        """Doubtful rows that have settled first, then the rest; wait last."""
        undecided = self._load()
        self._read_settled([found for found in undecided if found.unsure and found.settles_in <= 0])
        with transaction():
            push_rows.drop_needless(self._claim.id)
        undecided = self._load()
        sure = [found for found in undecided if not found.unsure]
        self._ids = {found.ref: found.item_id for found in sure}
        for number, batch in enumerate(self._client.batches([found.write for found in sure])):
            # Not before the first: the claim has let them pass, and each attempt has to get further.
            if number:
                self._let_urgent_writes_pass()
            self._write(batch)
        settling = [found.settles_in for found in self._load() if found.unsure]
        if settling:
            raise MustWait(
                max(max(settling), 0.0) + SETTLE_MARGIN_SECONDS, "writes of unknown outcome settle"
            )

    def _let_urgent_writes_pass(self) -> None:
        """A sale must not wait for a whole chunk of the night's sync: the store goes to whoever is more urgent."""
        if leases.overtaken(self._claim.store_key, self._claim.priority):
            raise MustWait(0.0, "a more urgent write to this store waits")

    def _load(self) -> list[_Row]:
        found = rows(
            """
            SELECT p.item_id, i.product_id, i.variant_id, i.tracking, i.wanted, i.shown, i.unsure,
                   extract(epoch FROM i.sent_at - now())::double precision + %s
            FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id
            WHERE p.job_id = %s AND p.outcome IN ('planned', 'unsure')
            ORDER BY i.variant_id > 0, i.product_id, i.variant_id
            """,
            (self._client.settle_seconds, self._claim.id),
        )
        return [
            _Row(
                item_id, ItemRef(product, variant), Tracking(tracking), wanted, shown, unsure, settles or 0.0
            )
            for item_id, product, variant, tracking, wanted, shown, unsure, settles in found
        ]

    def _read_settled(self, doubtful: Sequence[_Row]) -> None:
        """Read rows of unknown outcome again: what the shop shows now is the truth about them."""
        if not doubtful:
            return
        started = clock.now()
        shown = self._client.read_stock([found.ref for found in doubtful])
        known = [(found.item_id, shown[found.ref]) for found in doubtful if found.ref in shown]
        for batch in batched(known):
            with transaction():
                push_rows.settle_rows(self._claim.id, batch, started)
        lost = [found.item_id for found in doubtful if found.ref not in shown]
        push_rows.decide(
            self._claim.id,
            [{"item_id": item_id, "outcome": "failed", "reason": "not_found"} for item_id in lost],
        )
        push_rows.clear_doubt(lost)

    def _write(self, batch: Sequence[StockWrite]) -> None:
        try:
            results = self._client.set_stock(batch, self._before)
        except PartialWrite as stopped:
            self._record(stopped.results)
            self._put_back(batch, stopped.results, stopped.unsure)
            raise stopped.cause from stopped
        except RemoteError as error:
            self._put_back(batch, (), [write.ref for write in batch] if error.outcome_unknown else ())
            raise
        except InventorySyncError:
            self._put_back(batch, (), ())  # refused before it was sent: a limit, a lost lease
            raise
        self._record(results)

    def _before(self, writes: Sequence[StockWrite]) -> None:
        """Right before a call: still ours? Then store what is about to be sent, or a crash would hide it."""
        leases.before_write(self._claim)
        demand_open(self._claim.run_id)
        for batch in batched(writes):
            with transaction():
                push_rows.mark_sending(
                    self._claim.id, [(self._ids[write.ref], write.quantity) for write in batch]
                )

    def _record(self, results: Iterable[WriteResult]) -> None:
        for batch in batched(results):
            self._work.progressed = True
            with transaction():
                push_rows.accept(
                    self._claim.id, [_accepted(self._ids, result) for result in batch if _is_accepted(result)]
                )
                refused = [result for result in batch if not _is_accepted(result)]
                push_rows.decide(self._claim.id, [_refused(self._ids, result) for result in refused])

    def _put_back(
        self, batch: Sequence[StockWrite], decided: Sequence[WriteResult], unsure: Sequence[ItemRef]
    ) -> None:
        """Rows that were marked and whose call came to nothing: in doubt, or planned again."""
        with transaction():
            known = {result.ref for result in decided} | set(unsure)
            untouched = [self._ids[write.ref] for write in batch if write.ref not in known]
            push_rows.put_back(self._claim.id, untouched)
            leases.doubt(self._claim.id)


def _is_accepted(result: WriteResult) -> bool:
    return result.verdict is Verdict.ACCEPTED


def _accepted(ids: dict[ItemRef, int], result: WriteResult) -> dict[str, Any]:
    return {"item_id": ids[result.ref], "shown": result.shown}


def _refused(ids: dict[ItemRef, int], result: WriteResult) -> dict[str, Any]:
    return {
        "item_id": ids[result.ref],
        "outcome": "failed",
        "reason": result.reason or result.verdict.value,
        "message": (result.message or "")[:500],
    }
