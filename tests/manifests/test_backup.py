"""The CronJob's script on a real database: its dump restores everything, by the command of the manual; old ones go."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.database import configure, execute, rows
from models.migrate import migrate, pending
from tests.manifests.backups import back_up, restore
from tests.servers import Servers

JOBS = 500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where dumps go."""
    made = tmp_path / "backups"
    made.mkdir()
    return made


def test_a_dump_restores_every_row_and_the_code_finds_its_tables(
    database: str, servers: Servers, folder: Path
) -> None:
    execute("INSERT INTO rm_queue (queue, kind) SELECT 'sync', 'test' FROM generate_series(1, %s)", (JOBS,))
    before = contents()
    assert back_up(database, folder).returncode == 0
    (dump,) = folder.iterdir()
    elsewhere = servers.new_database(migrated=False)

    restore(elsewhere, dump)

    configure(elsewhere)
    assert contents() == before
    assert pending(elsewhere) == []
    assert migrate(elsewhere) == []
    execute(
        "INSERT INTO rm_queue (queue, kind) VALUES ('sync', 'test')"
    )  # ids go on behind the restored ones


def test_a_dump_that_fails_leaves_nothing_and_says_so(folder: Path) -> None:
    done = back_up("postgresql://nobody@127.0.0.1:1/nothing", folder)

    assert done.returncode != 0
    assert list(folder.iterdir()) == []


def test_a_database_that_is_not_ours_is_no_backup(servers: Servers, folder: Path) -> None:
    done = back_up(servers.new_database(migrated=False), folder)

    assert done.returncode != 0
    assert list(folder.iterdir()) == []


def test_the_newest_dumps_are_kept_and_nothing_else_is_touched(database: str, folder: Path) -> None:
    for day in range(1, 6):
        (folder / f"inventory-sync-2026010{day}T000000Z.dump").touch()
    (folder / "of-somebody-else.dump").touch()

    assert back_up(database, folder, keep=3).returncode == 0

    kept = sorted(path.name for path in folder.iterdir())
    assert kept[:2] == ["inventory-sync-20260104T000000Z.dump", "inventory-sync-20260105T000000Z.dump"]
    assert kept[3:] == ["of-somebody-else.dump"]


def contents() -> dict[str, int]:
    """How many rows each table has."""
    tables = rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND left(relname, 3) = 'rm_' ORDER BY relname"
    )
    return {table: rows(f"SELECT count(*) FROM {table}")[0][0] for (table,) in tables}
