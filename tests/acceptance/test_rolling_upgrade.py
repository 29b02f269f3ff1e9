"""A new version over a migration, and back: old and new code side by side on the new tables, and nobody notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from models.database import row
from tests.acceptance.rollout import ROLES, Rollout, both_work, trade
from tests.acceptance.trouble import quicken, town
from tests.acceptance.two_versions import COLUMN, NEXT_KIND, Version, VersionedPod, next_version, this_version
from tests.fleet import eventually
from tests.integration.ledger.helpers import add
from workers.jobs import NewJob

BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = 400, 100
SETTLE_SECONDS = "4"  # no write is late here: over its deadline and the landing


@pytest.fixture
def values(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of both versions."""
    return {**quicken(environment, monkeypatch), "SETTLE_SECONDS": SETTLE_SECONDS}


@pytest.fixture
def rollout() -> Iterator[Rollout]:
    """Of all roles."""
    with ExitStack() as stack:
        yield Rollout(stack)


@pytest.mark.timeout(240)
def test_two_versions_work_side_by_side_on_the_new_tables_upwards_and_back(
    values: dict[str, str], rollout: Rollout, tmp_path: Path
) -> None:
    this = this_version(tmp_path / "this")
    tree, migration = next_version(this, tmp_path / "next")
    old, new = Version("old", this, values), Version("new", tree, values)
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place, ThreadPoolExecutor(1) as beside:
        first = rollout.begin(old)
        with trade(rollout, place):
            (job_id,) = add(NewJob(NEXT_KIND))  # as the first of the new pods may ask for
            eventually(lambda: given_back(job_id), seconds=30, what="a job that old code gives back")
            early = rollout.start(new, "web")
            migrate_before_the_eyes_of(early, new, migration)
            rollout.admit(early)
            second = [early, *rollout.begin(new, ROLES[1:])]
            both_work(first, second)
            assert rollout.end(first) == dict.fromkeys(ROLES, 0)
            eventually(lambda: done_by_new_code(job_id), seconds=30, what="the job that only new code knows")

            third = rollout.begin(old, ROLES[:-1])  # the rollback; what is due the dispatcher sees as well
            both_work(second, third)
            assert rollout.end(second) == dict.fromkeys(ROLES, 0)
            job = beside.submit(old.said, "migrate")  # of the old tag
    newer = f"the tables are newer than this code, which runs on them too ({migration} of a newer version)"
    assert job.result() == (0, f"nothing to do: {newer}\n")


def migrate_before_the_eyes_of(early: VersionedPod, new: Version, migration: str) -> None:
    """New code that waits for the tables says so, and goes on once they are there."""
    with new.program("migrate", "--wait") as init:
        assert init.stdout is not None
        assert init.stdout.readline() == f"waiting: {migration} not applied yet\n"
        eventually(lambda: early.asked("/healthz")[0] == 200, seconds=60, what="the new API")
        code, told = early.asked("/readyz")
        assert (code, json.loads(told)["checks"]["migrations"]) == (503, "pending")
        assert "run `inventory-sync migrate`" in told

        assert new.said("migrate") == (0, f"applied {migration}\n")

        assert init.communicate(timeout=60)[0] == "the tables are up to date\n"
        assert init.returncode == 0


def given_back(job_id: int) -> bool:
    """Whether a worker took a job that it doesn't know, and left it for another."""
    found = row("SELECT status, attempts, error FROM rm_queue WHERE id = %s", (job_id,))
    return found == (
        "pending",
        0,
        f"this version knows no job of the kind {NEXT_KIND}: it waits for a worker that does",
    )


def done_by_new_code(job_id: int) -> bool:
    """Whether new code did it, and read the new column that it had written."""
    return row(
        f"SELECT status, (result -> '{COLUMN}')::int = {COLUMN} AND {COLUMN} > 0 FROM rm_queue WHERE id = %s",
        (job_id,),
    ) == ("completed", True)
