"""How PostgreSQL reads 100,000 rows: by an index where one serves, for every statement that runs often.

Plans are asked of the product's own statements, as they are sent; no times are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from api.rest import items, jobs, run_items, sync_runs
from models.database import db, execute, row, session
from models.site import Site
from tests.integration.ledger.helpers import company, refresh, running, site
from tests.servers import Servers
from workers import (
    breaker,
    decisions,
    hints,
    item_search,
    job_lists,
    leases,
    ledger,
    observations,
    rescue,
)
from workers.alerts import conditions
from workers.full_sync import steps
from workers.full_sync.compare import compare
from workers.job_lists import JobFilter
from workers.jobs import SYNC, NewJob, Work
from workers.webhooks import products

MANY = 100_000
SITES = 20
BIG_TABLES = {"rm_queue", "rm_items", "rm_stock", "rm_pushes"}
BATCH_ROWS = observations.BATCH_ROWS


class Watched:
    """Every statement that was sent while watching, and what PostgreSQL did for it."""

    def __init__(self) -> None:
        self.plans: list[dict[str, Any]] = []

    def nodes(self) -> Iterator[dict[str, Any]]:
        """All nodes of all plans."""
        for plan in self.plans:
            yield from _nodes(plan)

    def read_whole(self) -> set[str]:
        """The big tables of which a whole was read."""
        return {
            node["Relation Name"]
            for node in self.nodes()
            if node["Node Type"] == "Seq Scan" and node.get("Relation Name") in BIG_TABLES
        }

    def most_rows(self) -> int:
        """The most rows that one node of a plan went through, over all of its loops, with those it dropped."""
        return max(
            int(
                (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0))
                * node.get("Actual Loops", 1)
            )
            for node in self.nodes()
        )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


@contextmanager
def watching() -> Iterator[Watched]:
    """Explain (and carry out) what is sent to the big tables inside the block; it is undone at the end."""
    watched = Watched()
    original = db.execute_sql

    def explained(sql: str, params: Any = None) -> Any:
        if any(table in sql for table in BIG_TABLES) and sql.lstrip().split()[0] in (
            "SELECT", "UPDATE", "INSERT", "DELETE", "WITH",
        ):  # fmt: skip
            original("SAVEPOINT watched")
            cursor = original(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            watched.plans.append(cursor.fetchone()[0][0]["Plan"])
            original("ROLLBACK TO SAVEPOINT watched")
        return original(sql, params)

    with session(), db.atomic() as transaction:
        db.execute_sql = explained
        try:
            yield watched
        finally:
            del db.execute_sql
            transaction.rollback()
    assert watched.plans, "no statement was sent to a big table"


@pytest.fixture(scope="module")
def crowded_url(servers: Servers) -> Iterator[str]:
    """A database with 100,000 items, as many stocked numbers and as many jobs that wait or are over."""
    url = servers.new_database()
    yield url
    servers.drop_database(url)


@pytest.fixture
def crowded(crowded_url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """This process on that database; gives the company's id."""
    from models import config
    from models.database import configure

    monkeypatch.setenv("DATABASE_URL", crowded_url)
    config.settings.cache_clear()
    db.close_all()
    configure()
    found = row("SELECT id FROM rm_companies")
    return int(found[0]) if found else _fill()


def _fill() -> int:
    company_id = company()
    sites = [site(company_id, f"site {number}") for number in range(SITES)]
    read = refresh(company_id)
    runs = [running(site_id, steps.LIST, refresh_id=read) for site_id in sites]
    execute(
        """
        INSERT INTO rm_items (site_id, product_id, variant_id, sku, sku_full_key, sku_key, name, tracking,
                              observed_at, shown, skip_reason)
        SELECT %s + n / 2 %% %s, n / 2, n %% 2 * n, 'SKU-' || n, 'SKU-' || n, 'SKU-' || n, 'Product ' || n,
               CASE WHEN n %% 2 = 1 THEN 'variant' ELSE 'product' END, now(), n %% 50,
               CASE WHEN n %% 100 = 0 THEN 'unknown' END
        FROM generate_series(2, %s + 1) AS n
        """,
        (sites[0], SITES, MANY),
    )
    execute(
        """
        INSERT INTO rm_stock (company_id, number, key, quantity, type, read_started_at)
        SELECT %s, 'SKU-' || n, 'SKU-' || n, n %% 60, 'Inventory', now() FROM generate_series(1, %s) AS n
        """,
        (company_id, MANY),
    )
    # Half of the jobs wait, most of them of one site; the rest are over.
    execute(
        """
        INSERT INTO rm_queue (queue, kind, status, site_id, run_id, step, priority, attempts, finished_at, store_key)
        SELECT 'sync', 'test', CASE WHEN n %% 2 = 0 THEN 'pending' WHEN n %% 20 = 1 THEN 'failed' ELSE 'completed' END,
               place, %s + place - %s, CASE WHEN n %% 10 = 0 THEN 'push' ELSE 'list' END, 50, 0,
               CASE WHEN n %% 2 = 1 THEN now() END, CASE WHEN n %% 10 = 0 THEN 'woocommerce:site ' || place END
        FROM (SELECT n, CASE WHEN n %% 3 = 0 THEN %s + n %% %s ELSE %s END AS place
              FROM generate_series(1, %s) AS n) AS jobs
        """,
        (runs[0], sites[0], sites[0], SITES, sites[0], MANY),
    )
    execute(
        "INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, outcome)"
        " SELECT (SELECT min(id) FROM rm_queue) + n / 500, n, %s + n / 500 %% %s, 1, 'pushed'"
        " FROM generate_series(1, %s) AS n",
        (runs[0], SITES, MANY),
    )
    for table in BIG_TABLES | {"rm_sites"}:
        execute(f"ANALYZE {table}")
    return company_id


def _first_site() -> Site:
    with session():
        found: Site = Site.select().order_by(Site.id).first()
        return found


def _run_of(site_id: int) -> int:
    found = row("SELECT id FROM rm_sync_runs WHERE site_id = %s", (site_id,))
    assert found is not None
    return int(found[0])


def _job(condition: str = "status = 'pending'") -> int:
    found = row(f"SELECT min(id) FROM rm_queue WHERE {condition}")
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("again", [False, True], ids=["after a commit", "by the dispatcher"])
def test_hints_are_picked_without_reading_all_that_waits(crowded: int, again: bool) -> None:
    with watching() as watched:
        picked = hints.pick(SYNC, 200, again=again)

    assert len(picked) >= SITES
    assert watched.read_whole() == set()
    assert watched.most_rows() < 5_000, "some jobs of each site, not the 50,000 that wait"


def test_hints_are_picked_as_cheaply_where_windows_are_full(crowded: int) -> None:
    with watching() as watched:
        first = hints.pick(SYNC, 1000)
        second = hints.pick(SYNC, 1000)

    assert len(first) > SITES
    assert second == []
    assert watched.read_whole() == set()
    assert watched.most_rows() < 5_000


# Each finds out first what it is about; what it gives is then carried out under observation.
OFTEN: dict[str, Callable[[], Callable[[], object]]] = {
    "a claim": lambda: partial(ledger.claim, _job()),
    "a claim of a store": lambda: partial(ledger.claim, _job("status = 'pending' AND store_key IS NOT NULL")),
    "the next step of a run": lambda: partial(steps.advance, None, _run_of(_first_site().id)),
    "whether a more urgent write waits": lambda: partial(leases.overtaken, _first_site().store_key, 50),
    "what to wake when a shop answers": lambda: partial(
        breaker._wake, breaker.site_scope(_first_site().id + 1)
    ),
    "what a person should be told of": lambda: conditions.holding,
    "an insertion": lambda: partial(ledger.insert, [NewJob("test", site_id=_first_site().id)]),
}


@pytest.mark.parametrize("what", OFTEN)
def test_what_every_job_asks_is_found_by_an_index(crowded: int, what: str) -> None:
    asked = OFTEN[what]()

    with watching() as watched:
        asked()

    assert watched.read_whole() == set()


def test_jobs_that_are_stuck_are_found_among_those_that_are_being_done(crowded: int) -> None:
    job_id = _job()

    with watching() as watched:
        ledger.claim(job_id)
        before = len(watched.plans)
        assert rescue.release_stuck() == 0
        assert rescue.release_stuck(30) == 0
        watched.plans = watched.plans[before:]

    assert watched.read_whole() == set()
    assert watched.most_rows() < 1_000


def test_what_stalls_is_looked_for_by_run(crowded: int) -> None:
    with watching() as watched:
        rescue.heal()

    assert watched.read_whole() == set()


def test_a_batch_of_a_site_is_decided_by_looking_each_row_up(crowded: int) -> None:
    shop = _first_site()
    parameters: dict[str, Any] = {
        "site": shop.id,
        "company": crowded,
        "store": shop.store_key,
        "since": None,
        "safety": 0,
        "partial": False,
        "ids": None,
        "most": BATCH_ROWS,
        "product": 0,
        "variant": -1,
    }
    found = row("SELECT min(read_started_at) FROM rm_stock")
    assert found is not None
    parameters["since"] = found[0]
    with watching() as watched:
        decided = decisions._decide_batch(decisions._DECIDE_ALL, parameters)

    assert sum(number for _, number, *_ in decided) == BATCH_ROWS
    assert watched.read_whole() == set()
    assert watched.most_rows() < 3 * BATCH_ROWS
    looks = [node for node in watched.nodes() if node.get("Relation Name") == "rm_items"]
    assert len(looks) <= 6, "no question is asked more than once for a row"


def test_what_an_event_puts_in_question_is_found_by_product_and_by_key(crowded: int) -> None:
    with watching() as watched:
        found = products.in_question(_first_site().id, range(20, 270))

    assert found
    assert watched.read_whole() == set()
    assert watched.most_rows() < 1_000


def test_a_site_is_compared_and_its_writes_are_planned_by_reading_that_site(crowded: int) -> None:
    shop = _first_site()
    run_id = _run_of(shop.id)

    with watching() as watched:
        job_id = ledger.insert(
            [NewJob("sync.compare", site_id=shop.id, run_id=run_id, step=steps.COMPARE, priority=1)]
        )[0]
        claim = ledger.claim(job_id)
        assert claim is not None
        before = len(watched.plans)
        done = compare(Work(claim))
        assert done.record is not None
        done.record()
        watched.plans = watched.plans[before:]
        planned = row("SELECT to_push FROM rm_sync_runs WHERE id = %s", (run_id,))

    assert planned is not None
    assert planned[0] > MANY // SITES // 2
    assert not {"rm_items", "rm_stock"} & watched.read_whole()
    assert watched.most_rows() < 3 * MANY // SITES


LISTS: dict[str, Callable[[int], object]] = {
    "jobs": lambda _: jobs.list_jobs(jobs.JobQuery()),
    "jobs that failed": lambda _: jobs.list_jobs(jobs.JobQuery(status="failed")),
    "jobs of a site": lambda site_id: jobs.list_jobs(jobs.JobQuery(site=site_id + 1)),
    "jobs of a run": lambda site_id: jobs.list_jobs(jobs.JobQuery(run=site_id + 1)),
    "items": lambda _: items.list_items(items.ItemQuery()),
    "items of a site": lambda site_id: items.list_items(items.ItemQuery(site=site_id)),
    "a product": lambda site_id: items.list_items(items.ItemQuery(site=site_id, product_id=20)),
    "skipped items": lambda site_id: items.list_items(items.ItemQuery(site=site_id, skip_reason="unknown")),
    "items of a run": lambda site_id: run_items.list_items(
        run_items.RunItemsPath(run_id=_run_of(site_id)), run_items.RunItemQuery()
    ),
    "what a run pushed": lambda site_id: run_items.list_items(
        run_items.RunItemsPath(run_id=_run_of(site_id)), run_items.RunItemQuery(outcome="pushed")
    ),
    "runs": lambda _: sync_runs.list_runs(sync_runs.RunQuery(limit=3)),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_page_of_a_list_is_read_by_an_index(crowded: int, what: str) -> None:
    site_id = _first_site().id

    with watching() as watched:
        LISTS[what](site_id)

    assert watched.read_whole() == set()


PAGES: dict[str, Callable[[int], object]] = {
    "a SKU, active or not": lambda _: items.list_items(items.ItemQuery(sku="sku-77")),
    "a SKU that is gone": lambda _: items.list_items(items.ItemQuery(sku="gone", active=False)),
    "SKUs by their beginning": lambda _: _search(q="SKU-77"),
    "a common word": lambda _: _search(q="product"),
    "rare words": lambda _: _search(q="product 77777"),
    "words that nothing has": lambda _: _search(q="zebra crossing"),
    "words within a site": lambda site_id: _search(q="product 77777", site=site_id),
    "SKUs that failed": lambda _: _search(state="failed"),
    "SKUs that few are like": lambda _: _search(state="agreeing"),
    "SKUs for one reason": lambda _: _search(state="skipped", reason="unknown"),
    "jobs of a kind that there is none of": lambda _: job_lists.page(JobFilter(kind="nothing"), None, 50),
    "failed jobs of a site": lambda site_id: job_lists.page(
        JobFilter(status="failed", site=site_id), None, 50
    ),
    "how many jobs failed": lambda _: job_lists.number(JobFilter(status="failed")),
    "what is open": lambda _: job_lists.open_jobs(),
}


def _search(**wanted: Any) -> object:
    return item_search.search(item_search.ItemFilter(**wanted), None, 50)


@pytest.mark.parametrize("what", PAGES)
def test_a_page_looks_through_a_bounded_number_of_rows(crowded: int, what: str) -> None:
    site_id = _first_site().id

    with watching() as watched:
        PAGES[what](site_id)

    assert watched.read_whole() == set()
    assert watched.most_rows() <= job_lists.COUNT_SCAN_ROWS
