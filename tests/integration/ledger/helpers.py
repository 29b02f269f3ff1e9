"""Rows that nobody calls a vendor for, and threads that all begin at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from models.database import db, execute, row, rows
from tests.fleet import eventually
from workers import ledger
from workers.full_sync import steps
from workers.jobs import Claim, NewJob

T = TypeVar("T")

THREADS = 8
PATIENCE_SECONDS = 60.0


def at_once(*calls: Callable[[], T]) -> list[T | BaseException]:
    """Run each call in a thread of its own, all let go together; gives what each gave or raised, in order."""
    ready = threading.Barrier(len(calls))
    ends: list[T | BaseException] = [AssertionError("it did not end")] * len(calls)

    def run(number: int, call: Callable[[], T]) -> None:
        try:
            ready.wait(timeout=PATIENCE_SECONDS)
            ends[number] = call()
        except BaseException as error:  # told to the test, whatever it is
            ends[number] = error
        finally:
            if not db.is_closed():
                db.close()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_SECONDS)
    return ends


def company(name: str = "Contoso") -> int:
    """A company that nobody calls; gives its id."""
    return _id(
        "INSERT INTO rm_companies (name, tenant_id, environment, company_id, client_id, api_url, token_url)"
        " VALUES (%s, 't', 'e', 'c', 'i', 'http://127.0.0.1:1', 'http://127.0.0.1:1') RETURNING id",
        (name,),
    )


def site(company_id: int, name: str = "Outlet", store_key: str | None = None) -> int:
    """A site that nobody calls; gives its id."""
    return _id(
        "INSERT INTO rm_sites (name, platform, company_id, store_key) VALUES (%s, 'woocommerce', %s, %s) RETURNING id",
        (name, company_id, store_key or f"woocommerce:{name}"),
    )


def running(site_id: int, step: str, *, refresh_id: int | None = None, status: str = "running") -> int:
    """A run that has come to a step; gives its id."""
    return _id(
        "INSERT INTO rm_sync_runs (site_id, step, refresh_id, status, started_at) VALUES (%s, %s, %s, %s, now())"
        " RETURNING id",
        (site_id, step, refresh_id, status),
    )


def refresh(company_id: int, status: str = "completed") -> int:
    """A read of a company's stock; gives its id."""
    return _id(
        "INSERT INTO rm_stock_refreshes (company_id, status, read_started_at)"
        " VALUES (%s, %s, CASE WHEN %s <> 'waiting' THEN now() END) RETURNING id",
        (company_id, status, status),
    )


def add(*jobs: NewJob) -> list[int]:
    """Insert jobs, and commit."""
    with ledger.committing():
        return ledger.insert(jobs)


def job(kind: str = "test", **fields: Any) -> int:
    """Insert one job, and commit; gives its id."""
    return add(NewJob(kind=kind, **fields))[0]


def held(kind: str = "test", **fields: Any) -> Claim:
    """A job that is claimed already."""
    return claimed(job(kind, **fields))


def claimed(job_id: int) -> Claim:
    """Claim a job that is to be had."""
    found = ledger.claim(job_id)
    assert found is not None, f"job {job_id} was not to be had: {status(job_id)}"
    return found


def status(job_id: int) -> str:
    """pending, processing, completed or failed."""
    return str(column(job_id, "status"))


def column(job_id: int, name: str) -> Any:
    """One column of a job, as it stands now."""
    found = row(f"SELECT {name} FROM rm_queue WHERE id = %s", (job_id,))
    assert found is not None
    return found[0]


def due_in(job_id: int) -> float:
    """Seconds until a job is due; below 0: it is due."""
    return float(column(job_id, "extract(epoch FROM available_at - clock_timestamp())"))


def earlier(job_id: int, seconds: float, *columns: str) -> None:
    """As if these times of a job had been set `seconds` before."""
    moved = ", ".join(f"{name} = {name} - make_interval(secs => %s)" for name in columns)
    assert execute(f"UPDATE rm_queue SET {moved} WHERE id = %s", (*[seconds] * len(columns), job_id)) == 1


def lapse(job_id: int) -> None:
    """As if the worker that holds a job had died and its leases had run out."""
    execute("UPDATE rm_queue SET lease_expires_at = now() - interval '1 s' WHERE id = %s", (job_id,))
    execute("UPDATE rm_store_leases SET expires_at = now() - interval '1 s' WHERE job_id = %s", (job_id,))


def openers(run_id: int) -> list[tuple[str, str]]:
    """The jobs of a run that opened a step: (kind, step), in order."""
    return [
        (str(kind), str(step))
        for kind, step in rows(
            "SELECT kind, step FROM rm_queue WHERE run_id = %s AND unique_key = 'run:' || run_id || ':' || step"
            " ORDER BY id",
            (run_id,),
        )
    ]


def list_jobs(run_id: int, site_id: int, number: int) -> list[int]:
    """Pages of a run's listing."""
    return add(*[steps.list_job(run_id, site_id, 50, {"page": page}, None) for page in range(number)])


def somebody_waits() -> bool:
    """True where a connection of this test's database waits for a lock."""
    rows("SELECT pg_stat_clear_snapshot()")  # a transaction looks at the activity once, else
    return bool(
        rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    )


def deadlocks() -> int:
    """How many deadlocks PostgreSQL has broken in this test's database. Every connection's are counted."""
    execute("SELECT pg_stat_force_next_flush()")
    db.close_all()  # a connection tells of its own at the latest when it ends

    def settled() -> bool:
        others = rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return others == []

    eventually(settled, seconds=20, what="the end of all other connections")
    found = row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert found is not None
    return int(found[0])


def refused(ends: Sequence[object], kind: type[BaseException]) -> int:
    """How many ended with this error."""
    return sum(isinstance(end, kind) for end in ends)


def _id(statement: str, parameters: tuple[Any, ...]) -> int:
    found = row(statement, parameters)
    assert found is not None
    return int(found[0])
