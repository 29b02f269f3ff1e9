"""Whatever happens in whatever order: the last change whose event got a 200 is read after it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.database import execute, row, rows
from models.site import BIGCOMMERCE, Site
from tests.deliveries import STORE_HASH, logged, site
from workers import ledger, rescue
from workers.jobs import Done, Work
from workers.webhooks import intake, outcomes
from workers.webhooks.events import Event
from workers.webhooks.intake import Delivery
from workers.webhooks.proofs import Verdict
from workers.webhooks.site_keys import SiteKeys

PRODUCTS = (1, 2)
OPERATIONS = [
    "change",
    "deliver",
    "deliver again",
    "change and deliver",
    "claim",
    "take companions",
    "read",
    "complete",
    "defer",
    "fail",
    "worker dies",
    "retry",
    "time passes",
]
Step = tuple[str, int]


@dataclass
class World:
    """A shop of two products, its receiver, and workers; `now` counts what has happened."""

    keys: SiteKeys
    now: int = 0
    changed: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    told: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, 0))
    read: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PRODUCTS, -1))
    sent: list[tuple[str, int]] = field(default_factory=list)
    held: list[Work] = field(default_factory=list)
    has_read: set[int] = field(default_factory=set)

    def do(self, operation: str, number: int) -> None:
        self.now += 1
        product = PRODUCTS[number % len(PRODUCTS)]
        match operation:
            case "change":
                self.changed[product] = self.now
            case "deliver":
                self._deliver(f"msg_{self.now}" if number % 3 else None, product)
            case "change and deliver":
                self.changed[product] = self.now
                self._deliver(f"msg_{self.now}", product)
            case "deliver again" if self.sent:
                self._accept(*self.sent[number % len(self.sent)])  # tells nothing that was not told before
            case "claim":
                self._claim(number)
            case "retry":
                self._retry(number)
            case "time passes":
                self._pass_time()
            case _ if self.held:
                self._work(operation, self.held[number % len(self.held)])

    def settle(self) -> None:
        """Everything that failed is tried again, everything that waits is done."""
        for work in list(self.held):
            self._work("worker dies", work)
        for (job_id,) in rows("SELECT id FROM rm_queue WHERE status = 'failed' ORDER BY id"):
            assert ledger.retry(job_id)
        while _pending():
            self._pass_time()
            self._claim(0)
            self._work("complete", self.held[-1])

    def _deliver(self, key: str | None, product: int) -> None:
        if key is not None:
            self.sent.append((key, product))
        if self._accept(key, product) == "received":
            self.told[product] = self.changed[product]

    def _accept(self, key: str | None, product: int) -> str:
        event = Event("store/product/updated", None, product, key)
        return intake.accept(self.keys, event, Verdict.VERIFIED, Delivery({}, b"{}", "test"))[1]

    def _claim(self, number: int) -> None:
        due = rows("SELECT id FROM rm_queue WHERE status = 'pending' AND available_at <= now() ORDER BY id")
        if due:
            claimed = ledger.claim(due[number % len(due)][0])
            assert claimed is not None
            self.held.append(Work(claimed))

    def _retry(self, number: int) -> None:
        failed = rows("SELECT id FROM rm_queue WHERE status = 'failed' ORDER BY id")
        if failed:
            assert ledger.retry(failed[number % len(failed)][0])

    def _pass_time(self) -> None:
        execute(
            "UPDATE rm_queue SET available_at = available_at - interval '10 min', started_at = started_at - "
            "interval '10 min'"
        )

    def _work(self, operation: str, work: Work) -> None:
        """What a worker does with a job that it holds. It may have lost it: then nothing changes."""
        if operation == "take companions":
            if work.claim.id not in self.has_read:
                ledger.claim_companions(work, 5)
            return
        if operation == "read":
            self._read(work)
            return
        self.held.remove(work)
        for claimed in work.claims:
            self._end(operation, work, claimed.id)
        self.has_read.discard(work.claim.id)

    def _read(self, work: Work) -> None:
        """Once: what an attempt has read it keeps, whatever changes meanwhile."""
        if work.claim.id not in self.has_read:
            self.has_read.add(work.claim.id)
            self.now += 1
            for claimed in work.claims:
                product = claimed.payload["product"]
                self.read[product] = max(self.read[product], self.now)

    def _end(self, operation: str, work: Work, job_id: int) -> None:
        claimed = next(one for one in work.claims if one.id == job_id)
        match operation:
            case "complete" if claimed is work.claim:
                self._read(work)
                job_ids = [one.id for one in work.claims]
                done = Done(record=lambda: outcomes.completed(job_ids))
                ledger.complete(claimed, done, companions=work.companions)
            case "defer":
                ledger.defer(claimed, 1, error="later", costs_attempt=False)
            case "fail":
                ledger.fail(claimed, "refused")
            case "worker dies":
                execute(
                    "UPDATE rm_queue SET lease_expires_at = now() - interval '1 s' WHERE id = %s", (job_id,)
                )
                rescue.release_stuck()


def _pending() -> bool:
    return row("SELECT EXISTS (SELECT FROM rm_queue WHERE status = 'pending')") == (True,)


def _play(to: Site, steps: Sequence[Step]) -> None:
    execute("DELETE FROM rm_webhook_log")
    execute("DELETE FROM rm_queue")
    world = World(SiteKeys(to.id, to.platform, True, STORE_HASH, ("signature",), (), None))
    for operation, number in steps:
        world.do(operation, number)
    world.settle()
    for product in PRODUCTS:
        assert world.told[product] == 0 or world.read[product] > world.told[product], (product, world)
    statuses = {status for (status,) in logged()}
    assert statuses <= {"completed", "duplicate"}, statuses


@pytest.fixture
def to(database: str) -> Site:
    return site(BIGCOMMERCE)


def test_no_interleaving_loses_a_change(to: Site) -> None:
    @settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 11)), min_size=6, max_size=40))
    def explore(steps: list[Step]) -> None:
        _play(to, steps)

    explore()


def test_orders_that_are_easily_got_wrong(to: Site) -> None:
    """Each once, whatever the search above finds: the second event of a pair always has news."""
    tell = ("change and deliver", 0)
    for between in (
        [("claim", 0)],
        [("claim", 0), ("read", 0)],
        [("claim", 0), ("read", 0), ("complete", 0)],
        [("claim", 0), ("read", 0), ("defer", 0)],
        [("claim", 0), ("read", 0), ("fail", 0)],
        [("claim", 0), ("read", 0), ("worker dies", 0)],
        [("claim", 0), ("read", 0), ("fail", 0), ("retry", 0)],
    ):
        _play(to, [tell, *between, tell])
        _play(to, [tell, *between, tell, ("claim", 0), ("defer", 0), ("complete", 0)])
        _play(to, [tell, ("change and deliver", 1), ("claim", 0), ("take companions", 0), ("read", 0), tell])


def test_the_model_itself_notices_a_lost_change(to: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an event dropped because a job of its product is being done, the play would tell."""
    accept = intake.accept

    def drop_while_read(*arguments: object) -> tuple[int, str]:
        if row("SELECT count(*) FROM rm_queue WHERE status = 'processing'") != (0,):
            return 0, "received"
        return accept(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intake, "accept", drop_while_read)
    tell = ("change and deliver", 0)

    with pytest.raises(AssertionError):
        _play(to, [tell, ("claim", 0), ("read", 0), tell, ("complete", 0)])
