"""Which step of a run follows which, decided in the transaction that ends a job, under the run's lock.

    start -> list -> confirm -> (stock: the refresh of the company) -> compare -> push -> finish
    release -> push -> finish                                       (of a run that the guard held)

No counters: a step is over when no pending or processing job of (run, step) remains. Lock order: refresh,
then run.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.database import execute, row, rows
from workers.full_sync.stopping import stop_pending
from workers.jobs import NewJob

START = "start"
LIST = "list"
CONFIRM = "confirm"
STOCK = "stock"
COMPARE = "compare"
PUSH = "push"
FINISH = "finish"
RELEASE = "release"


@dataclass(frozen=True, slots=True)
class _Run:
    id: int
    site_id: int
    status: str
    step: str
    refresh_id: int | None
    priority: int
    relisted: bool
    request_id: str | None
    released: bool

    def key_of(self, step: str) -> str:
        """The unique key of the job that opens a step; a released run comes to its end a second time."""
        return f"run:{self.id}:{step}" + (":released" if self.released else "")


def lock(refresh_id: int | None, run_id: int | None) -> None:
    """Lock what a job's end may move, in the one order: the refresh, then the run."""
    if run_id is not None and refresh_id is None:
        # Shared: fifty sites' pages may end at once beside the one refresh that they wait for.
        execute(
            "SELECT FROM rm_stock_refreshes"
            " WHERE id = (SELECT refresh_id FROM rm_sync_runs WHERE id = %s) FOR SHARE",
            (run_id,),
        )
    elif refresh_id is not None:
        execute("SELECT FROM rm_stock_refreshes WHERE id = %s FOR UPDATE", (refresh_id,))
    if run_id is not None:
        execute("SELECT FROM rm_sync_runs WHERE id = %s FOR UPDATE", (run_id,))


def advance(refresh_id: int | None, run_id: int | None) -> list[NewJob]:
    """The jobs that open the next step, where this one is over. Call it under `lock`."""
    jobs: list[NewJob] = []
    if refresh_id is not None:
        jobs += _advance_refresh(refresh_id)
    if run_id is not None:
        jobs += _advance_run(run_id)
    return jobs


def _advance_refresh(refresh_id: int) -> list[NewJob]:
    ended = row(
        """
        UPDATE rm_stock_refreshes f SET finished_at = now(),
            status = CASE WHEN bad.error IS NULL THEN 'completed' ELSE 'failed' END, error = bad.error
        FROM (SELECT min(error) FILTER (WHERE status = 'failed') AS error,
                     count(*) FILTER (WHERE status IN ('pending', 'processing')) AS open
              FROM rm_queue WHERE refresh_id = %s) bad
        WHERE f.id = %s AND f.status IN ('waiting', 'reading') AND bad.open = 0
        RETURNING f.id
        """,
        (refresh_id, refresh_id),
    )
    if ended is None:
        return []
    waiting = rows(
        "SELECT id FROM rm_sync_runs WHERE refresh_id = %s AND status = 'running' ORDER BY id FOR UPDATE",
        (refresh_id,),
    )
    return [job for (run_id,) in waiting for job in _advance_run(run_id)]


def _advance_run(run_id: int) -> list[NewJob]:
    run = _load(run_id)
    if run is not None and run.status == "cancelled":
        stop_pending(run_id)  # what a worker held at the cancel has just ended, and may have inserted more
    if run is None or run.status != "running":
        return []
    step = run.step
    while not _open(run.id, step):
        if step == FINISH:
            _close_broken(run)
            return follow_up(run.site_id)
        if step == STOCK and not _stock_is_read(run):
            break
        if step == LIST and _must_list_again(run):
            _set_step(run, LIST)
            return _list_again(run)
        step = _following(run, step)
        if step in (CONFIRM, COMPARE, FINISH):
            _set_step(run, step)
            return [_opener(run, step)]
    if step != run.step:
        _set_step(run, step)
    return []


def _load(run_id: int) -> _Run | None:
    found = row(
        "SELECT id, site_id, status, step, refresh_id, priority, relisted, request_id,"
        " released_at IS NOT NULL FROM rm_sync_runs WHERE id = %s",
        (run_id,),
    )
    return None if found is None else _Run(*found)


def _open(run_id: int, step: str) -> bool:
    # By the alphabet, `processing` and `pending` come last: one look at the end of the index, whatever the
    # statistics say of a run that had thousands of jobs waiting a moment ago.
    found = row(
        "SELECT status FROM rm_queue WHERE run_id = %s AND step = %s ORDER BY status DESC LIMIT 1",
        (run_id, step),
    )
    return found is not None and found[0] in ("pending", "processing")


def _following(run: _Run, step: str) -> str:
    if step == START:
        return FINISH if _failed(run.id, START) else LIST
    if step == LIST:
        # After a failed page "missing" means nothing: what was seen is still pushed, nothing is deactivated.
        return STOCK if _failed(run.id, LIST) else CONFIRM
    if step == CONFIRM:
        return STOCK
    if step == STOCK:
        return COMPARE
    if step in (COMPARE, RELEASE):
        return FINISH if _failed(run.id, step) else PUSH
    return FINISH


def _failed(run_id: int, step: str) -> bool:
    return bool(
        rows(
            "SELECT 1 FROM rm_queue WHERE run_id = %s AND step = %s AND status = 'failed' LIMIT 1",
            (run_id, step),
        )
    )


def _stock_is_read(run: _Run) -> bool:
    found = row("SELECT status FROM rm_stock_refreshes WHERE id = %s", (run.refresh_id,))
    return found is not None and found[0] in ("completed", "failed")


def _set_step(run: _Run, step: str) -> None:
    execute("UPDATE rm_sync_runs SET step = %s, updated_at = now() WHERE id = %s", (step, run.id))


def _opener(run: _Run, step: str) -> NewJob:
    return NewJob(
        kind=f"sync.{step}",
        priority=run.priority,
        site_id=run.site_id,
        run_id=run.id,
        step=step,
        unique_key=run.key_of(step),
        request_id=run.request_id,
    )


def _must_list_again(run: _Run) -> bool:
    """Offset pages: rows may have slipped through between two of them.

    So it is where the shop's own total changed meanwhile, and where two pages showed the same row: either rows
    have moved on, or a page was given twice in place of another (a cache between us does that).
    """
    if run.relisted or _failed(run.id, LIST):
        return False
    moved = row(
        """
        SELECT bool_or(differs) FROM (
            SELECT min(page.total) <> max(page.total)
                OR count(seen) > count(DISTINCT (seen.product_id, seen.variant_id)) AS differs
            FROM rm_sync_pages page JOIN rm_queue job ON job.id = page.job_id
            LEFT JOIN LATERAL unnest(page.product_ids, page.variant_ids) AS seen (product_id, variant_id) ON true
            WHERE page.run_id = %s AND job.payload -> 'cursor' ? 'page'
            GROUP BY job.payload -> 'cursor' ->> 'listing') listings
        """,
        (run.id,),
    )
    return moved is not None and bool(moved[0])


def _list_again(run: _Run) -> list[NewJob]:
    """Once more from the first cursors: pages are upserts, so that reading one twice costs only the call."""
    execute("UPDATE rm_sync_runs SET relisted = true WHERE id = %s", (run.id,))
    found = row("SELECT result -> 'cursors' FROM rm_queue WHERE unique_key = %s", (f"run:{run.id}:start",))
    cursors = found[0] if found and found[0] else []
    return [list_job(run.id, run.site_id, run.priority, cursor, run.request_id) for cursor in cursors]


def list_job(
    run_id: int, site_id: int, priority: int, cursor: dict[str, object], request_id: str | None
) -> NewJob:
    """The job that reads one page of a shop's listing."""
    return NewJob(
        kind="sync.list",
        priority=priority,
        payload={"cursor": cursor},
        site_id=site_id,
        run_id=run_id,
        step=LIST,
        request_id=request_id,
    )


def _close_broken(run: _Run) -> None:
    """The finishing job itself failed: the run must not stay open."""
    execute(
        """
        UPDATE rm_sync_runs SET status = 'failed', finished_at = now(), updated_at = now(),
            error = coalesce(error, (SELECT error FROM rm_queue WHERE unique_key = %s), 'the run could not be finished')
        WHERE id = %s AND status = 'running'
        """,
        (run.key_of(FINISH), run.id),
    )


def follow_up(site_id: int) -> list[NewJob]:
    """Let the run that waited for this one begin: it gets a refresh of its own, read after it was asked for."""
    found = row(
        """
        SELECT r.id, r.priority, s.company_id, r.request_id FROM rm_sync_runs r JOIN rm_sites s ON s.id = r.site_id
        WHERE r.site_id = %s AND r.status = 'queued' AND r.refresh_id IS NULL
          AND NOT EXISTS (SELECT FROM rm_sync_runs o WHERE o.site_id = r.site_id AND o.status = 'running')
        """,
        (site_id,),
    )
    if found is None:
        return []
    run_id, priority, company_id, request_id = found
    refresh_id, jobs = join_refresh(company_id, priority, request_id)
    execute("UPDATE rm_sync_runs SET refresh_id = %s, updated_at = now() WHERE id = %s", (refresh_id, run_id))
    execute(
        "UPDATE rm_queue SET available_at = now(), hinted_at = NULL WHERE unique_key = %s AND status = 'pending'",
        (f"run:{run_id}:start",),
    )
    return jobs


def join_refresh(company_id: int, priority: int, request_id: str | None) -> tuple[int, list[NewJob]]:
    """The refresh of a company that has not begun to read yet, or a new one; with the job of a new one."""
    found = row(
        "SELECT id FROM rm_stock_refreshes WHERE company_id = %s AND status = 'waiting' FOR UPDATE",
        (company_id,),
    )
    if found is not None:
        return int(found[0]), []
    made = row(
        "INSERT INTO rm_stock_refreshes (company_id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id",
        (company_id,),
    )
    if made is None:  # another request made one between the two statements
        return join_refresh(company_id, priority, request_id)
    job = NewJob(
        kind="stock.refresh",
        priority=priority,
        company_id=company_id,
        refresh_id=int(made[0]),
        unique_key=f"refresh:{made[0]}:start",
        request_id=request_id,
    )
    return int(made[0]), [job]
