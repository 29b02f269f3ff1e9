"""PostgreSQL finds no room, or the disk of DATA_DIR has little: what each part says of it, and what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.commands.checkup_disk import check_disk, check_writing
from models import config
from models.database import DatabaseUnusable, db, execute, row, rows, session
from models.embedded import room
from models.site import BIGCOMMERCE
from tests.acceptance.small_disk import limit_files
from tests.deliveries import delivery, path, site
from tests.fleet import eventually
from tests.integration.api.conftest import Caller
from tests.integration.embedded_help import data_folder, first_line, python
from tests.receivers import receiving
from workers import execute as worker
from workers.database_errors import out_of_space
from workers.jobs import Done, Kind, Work
from workers.kinds import KINDS

SMALL = 64 * 1024


@pytest.fixture
def full(database: str) -> None:
    """The table of jobs can't grow: what PostgreSQL says on a full disk."""
    execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = 'disk_full';"
        "END $$"
    )
    execute("CREATE TRIGGER no_room BEFORE INSERT ON rm_queue FOR EACH ROW EXECUTE FUNCTION no_room()")


@pytest.fixture
def limited(database: str) -> Iterator[None]:
    """This process's one connection may write no large file: what a quota does, too."""
    db.close_all()
    with session():
        found = row("SELECT pg_backend_pid()")
        assert found is not None
        limit_files([found[0]], SMALL)
        yield
        limit_files([found[0]], None)


def test_the_api_says_so_and_when_to_come_again(full: None) -> None:
    to = site(BIGCOMMERCE)
    with create_app().test_client() as client:
        answer = Caller(client, "sync").post(f"inventory/sync/{to.id}")

    assert (answer.status_code, answer.get_json()["code"]) == (503, "disk_full")
    assert answer.content_type == "application/problem+json"
    assert "make room" in answer.get_json()["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert rows("SELECT 1 FROM rm_sync_runs") == []


def test_a_delivery_is_turned_away_and_made_up_for_once_there_is_room(full: None) -> None:
    to = site(BIGCOMMERCE)
    with receiving() as app, app.test_client() as client:
        body, headers = delivery(to, 205)
        answer = client.post(path(to), data=body, headers=headers)

        assert (answer.status_code, answer.get_json()["code"]) == (503, "disk_full")
        assert int(answer.headers["Retry-After"]) > 0
        assert rows("SELECT 1 FROM rm_webhook_log") == []
        execute("DROP TRIGGER no_room ON rm_queue")
        eventually(lambda: rows("SELECT site_id FROM rm_sync_runs") == [(to.id,)], seconds=30, what="a sync")


def test_a_job_that_finds_no_room_waits_and_spends_no_attempt(
    database: str, limited: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(_: Work) -> Done:
        execute("CREATE TABLE large AS SELECT generate_series(1, 100000)")
        return Done()

    monkeypatch.setitem(KINDS, "test", Kind("test", grow))
    found = row("INSERT INTO rm_queue (kind, queue) VALUES ('test', 'sync') RETURNING id")
    assert found is not None

    assert worker.execute(found[0])

    ((status, attempts, error, later),) = rows(
        "SELECT status, attempts, error, available_at > now() + interval '5 s' FROM rm_queue"
    )
    assert (status, attempts, later) == ("pending", 0, True)
    assert "could not extend file" in error


def test_a_limit_on_files_is_told_from_other_faults(limited: None) -> None:
    with pytest.raises(DatabaseUnusable) as grown:
        execute("CREATE TABLE large AS SELECT generate_series(1, 100000)")
    with pytest.raises(Exception, match="does not exist") as other:
        execute("SELECT * FROM nowhere")

    assert out_of_space(grown.value)
    assert not out_of_space(other.value)


def test_the_doctor_finds_that_postgresql_has_no_room(limited: None) -> None:
    finding = check_writing()

    assert (finding.state, finding.fix) == ("problem", "make room on PostgreSQL's disk")
    assert "could not extend file" in finding.message


def test_the_doctor_finds_that_postgresql_only_reads(database: str) -> None:
    assert check_writing().state == "ok"
    with session():
        execute("SET default_transaction_read_only = on")
        finding = check_writing()
        execute("SET default_transaction_read_only = off")

    assert finding.state == "problem"
    assert finding.message.startswith("it takes no write: ")
    assert "standby" in (finding.fix or "")


@pytest.mark.parametrize(
    ("little", "least", "state"), [(0, 0, "ok"), (2**60, 0, "warning"), (2**60, 2**60, "problem")]
)
def test_the_doctor_looks_at_the_disk_of_the_embedded_servers(
    tmp_path: Path, little: int, least: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(room, "LITTLE_BYTES", little)
    monkeypatch.setattr(room, "LEAST_BYTES", least)

    (finding,) = check_disk()

    assert finding.state == state
    assert str(tmp_path) in finding.message
    assert (finding.fix is None) == (state == "ok")


def test_of_other_servers_the_doctor_does_not_look_at_a_disk(environment: dict[str, str]) -> None:
    assert not config.load().embedded
    assert list(check_disk()) == []


START = """
import resource, sys
from pathlib import Path
from models.embedded import EmbeddedError, ensure
folder, size = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    ensure(folder)
except EmbeddedError as error:
    print(str(error).replace(chr(10), ' '))
"""


@pytest.mark.parametrize("size", [8 * 1024**2, 0], ids=["no-log-of-postgresql", "nothing-at-all"])
def test_servers_that_find_no_room_say_so_and_leave_nothing_half_made(size: int) -> None:
    with data_folder() as folder:
        said = first_line(python(f"import sys; sys.argv = ['', {str(folder)!r}, '{size}']\n" + START))

        assert f"The disk of DATA_DIR {folder} is full" in said
        assert "Make room there" in said
        assert not (folder / "postgres").exists()
        assert not [left.name for left in folder.glob(".*") if left.is_file()]
