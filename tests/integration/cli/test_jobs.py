"""The ledger seen and mended from the command line."""

from __future__ import annotations

from typing import Any

from models.database import row, session
from models.job import Job
from models.site import Site
from tests.integration.cli.conftest import Run, json_of, only_line


def job(**fields: Any) -> int:
    """A row of the ledger."""
    with session():
        made: int = Job.insert(**{"queue": "sync", "kind": "sync.start", **fields}).execute()
        return made


def test_stuck_jobs_are_released_and_counted(run: Run, database: str) -> None:
    lapsed = job(status="processing", attempts=1)
    job(status="pending")
    with session():
        Job.update(lease_expires_at="2026-01-01", started_at="2026-01-01").where(Job.id == lapsed).execute()

    result = run("jobs", "release-stuck", "--minutes", "30")

    assert result.exit_code == 0
    assert result.stdout == "1 jobs released\n"
    assert row("SELECT status FROM rm_queue WHERE id = %s", (lapsed,)) == ("pending",)
    assert run("jobs", "release-stuck").stdout == "0 jobs released\n"


def test_a_failed_job_is_tried_again_and_only_a_failed_one(run: Run, database: str) -> None:
    failed, waiting = job(status="failed", error="no luck"), job(status="pending")

    assert run("jobs", "retry", str(failed)).exit_code == 0
    refused = run("jobs", "retry", str(waiting))

    assert row("SELECT status, attempts FROM rm_queue WHERE id = %s", (failed,)) == ("pending", 0)
    assert refused.exit_code == 1
    assert f"job {waiting} is pending" in only_line(refused)


def test_jobs_are_listed_by_status_and_site(run: Run, shop: Site) -> None:
    mine = job(status="failed", error="no luck", site_id=shop.id)
    job(status="completed", site_id=shop.id)
    job(status="failed")

    records = json_of(run("jobs", "list", "--status", "failed", "--site", "Outlet", "--json"))

    assert [(record["id"], record["error"]) for record in records] == [(mine, "no luck")]
    assert "no luck" in run("jobs", "list").stdout
    assert json_of(run("jobs", "list", "--limit", "1", "--json"))[0]["status"] == "failed"
