"""The embedded servers: what outlives a stop, a kill and a crash, and who ends whom."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from models.embedded import ensure, read_runtime, running, stop
from tests.integration.embedded_help import (
    data_folder,
    execute,
    first_line,
    kill,
    lives,
    python,
    remember,
    remembered,
    starter,
    until,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as path:
        yield path


def pids_of(process: subprocess.Popen[str]) -> list[int]:
    return [int(word) for word in first_line(process).split()[:2]]


def test_data_and_urls_survive_a_stop(folder: Path) -> None:
    before = ensure(folder)
    remember(before)
    assert stop(folder)
    after = ensure(folder)
    assert remembered(after) == (42, "42")
    assert (after.database_url, after.redis_url) == (before.database_url, before.redis_url)
    assert not set(after.pids.values()) & set(before.pids.values())


def test_data_survive_a_kill_of_the_starter_and_of_every_server_process(folder: Path) -> None:
    process = starter(folder)
    pids = pids_of(process)
    runtime = read_runtime(folder)
    assert runtime is not None
    remember(runtime)
    children = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    kill(process.pid, *pids, *children)
    assert read_runtime(folder) is None
    after = ensure(folder)
    assert after.started_by_us
    assert remembered(after) == (42, "42")


def test_a_killed_postmaster_whose_children_still_end_is_started_again(folder: Path) -> None:
    runtime = ensure(folder)
    remember(runtime)
    kill(*runtime.pids.values())
    after = ensure(folder)
    assert remembered(after) == (42, "42")
    assert after.database_url == runtime.database_url


def test_servers_left_by_a_killed_starter_are_adopted_and_then_ended_by_the_adopter(folder: Path) -> None:
    process = starter(folder)
    pids = pids_of(process)
    kill(process.pid)
    assert all(lives(pid) for pid in pids)
    with running(folder) as runtime:
        assert sorted(runtime.pids.values()) == pids
        assert runtime.started_by_us
    assert not any(lives(pid) for pid in pids)


def test_servers_are_adopted_even_when_their_starter_died_before_it_could_write_them_down(
    folder: Path,
) -> None:
    process = starter(folder)
    pids = pids_of(process)
    kill(process.pid)
    (folder / "runtime.json").unlink()
    assert read_runtime(folder) is None
    runtime = ensure(folder)
    assert sorted(runtime.pids.values()) == pids
    assert runtime.started_by_us


def test_only_the_dead_one_of_two_servers_is_started_again(folder: Path) -> None:
    process = starter(folder)
    runtime = read_runtime(folder) if pids_of(process) else None
    assert runtime is not None
    kill(process.pid, runtime.pids["valkey"])
    after = ensure(folder)
    assert after.pids["postgres"] == runtime.pids["postgres"]
    assert after.pids["valkey"] != runtime.pids["valkey"]
    assert after.redis_url == runtime.redis_url


def test_a_starter_asked_to_end_stops_its_servers(folder: Path) -> None:
    process = starter(folder)
    pids = pids_of(process)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not any(lives(pid) for pid in pids)


def test_processes_that_ask_at_the_same_time_get_the_same_servers(folder: Path) -> None:
    code = (
        "from pathlib import Path; from models.embedded import ensure\n"
        f"runtime = ensure(Path({str(folder)!r}))\n"
        "print(runtime.started_by_us, *sorted(runtime.pids.values()), flush=True); input()\n"
    )
    processes = [python(code) for _ in range(4)]
    answers = [first_line(process).split() for process in processes]
    kill(*[process.pid for process in processes])
    assert len({tuple(answer[1:]) for answer in answers}) == 1
    assert sorted(answer[0] for answer in answers) == ["False", "False", "False", "True"]


def test_a_pid_file_whose_number_belongs_to_somebody_else_does_not_stop_the_start(folder: Path) -> None:
    runtime = ensure(folder)
    remember(runtime)
    stale = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    stop(folder)
    other = ensure(folder.parent / "other")  # a live server of the same user, with the number in our file
    try:
        stale[0] = str(other.pids["postgres"])
        (folder / "postgres" / "postmaster.pid").write_text("\n".join(stale) + "\n")
        assert remembered(ensure(folder)) == (42, "42")
    finally:
        stop(folder.parent / "other")


def test_a_runtime_file_that_names_other_processes_is_not_believed(folder: Path) -> None:
    runtime = ensure(folder)
    document = json.loads((folder / "runtime.json").read_text())
    document["servers"]["valkey"] = {"pid": os.getpid(), "created": 1.0}
    (folder / "runtime.json").write_text(json.dumps(document))
    assert read_runtime(folder) is None
    assert ensure(folder).pids == runtime.pids


def test_a_damaged_runtime_file_is_made_anew(folder: Path) -> None:
    runtime = ensure(folder)
    for damaged in ("", "{", "[]", '{"servers": 1}'):
        (folder / "runtime.json").write_text(damaged)
        assert ensure(folder).pids == runtime.pids
        assert read_runtime(folder) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere start times do not move with the clock")
def test_a_clock_that_is_set_makes_nobody_seem_dead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(folder) as runtime:
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 1_000_000.0)
        assert read_runtime(folder) is not None
        with running(folder) as joined:
            assert not joined.started_by_us
        assert read_runtime(folder) is not None
        assert lives(runtime.pids["postgres"])


def test_a_port_taken_meanwhile_is_replaced_by_another(folder: Path) -> None:
    before = ensure(folder)
    stop(folder)
    port = urlsplit(before.database_url).port or 0
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        after = ensure(folder)
        assert urlsplit(after.database_url).port != port
        assert execute(after.database_url, "SELECT 1") == [(1,)]


def test_a_server_that_dies_during_a_kept_session_comes_back_at_its_port(folder: Path) -> None:
    told: list[str] = []
    with running(folder, report=told.append) as runtime:
        remember(runtime)
        kill(*runtime.pids.values())
        until(lambda: "the embedded servers answer again" in told)
        assert remembered(runtime) == (42, "42")
    assert read_runtime(folder) is None


def test_servers_stopped_by_hand_stay_stopped_during_a_kept_session(folder: Path) -> None:
    told: list[str] = []
    with running(folder, report=told.append):
        stop(folder)
        pause_of_the_keeper = 2.5
        with pytest.raises(AssertionError):
            until(lambda: bool(told), pause_of_the_keeper)
