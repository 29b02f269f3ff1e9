"""The runner behind `inventory-sync up`, with real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import procfile
from api.child import backoff, describe
from api.supervisor import Supervisor
from tests.integration.embedded_help import ROOT, kill, lives, until

SLEEPS = ["python", "-c", "print('ready'); import time; time.sleep(600)"]
DEAF = [
    "python",
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(600)",
]
ENV = {"PATH": os.environ["PATH"]}
Commands = dict[str, str | list[str]]


class Heard:
    """Everything that was said, with the time of it."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((time.monotonic(), name, line))

    def times(self, name: str, line: str) -> list[float]:
        """When this was said; the line is a regular expression for the whole."""
        return [at for at, who, what in self.lines if who == name and re.fullmatch(line, what)]

    def has(self, name: str, line: str, times: int = 1) -> Callable[[], bool]:
        """A question for `until`."""
        return lambda: len(self.times(name, line)) >= times


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def up() -> Iterator[Callable[[Commands], subprocess.Popen[str]]]:
    """Start `run` in a process of its own, as the command line does."""
    started: list[subprocess.Popen[str]] = []

    def start(commands: Commands) -> subprocess.Popen[str]:
        code = (
            "import os, sys; from api.supervisor import run\n"
            "tell = lambda: print('all started', flush=True)\n"
            f"sys.exit(run({commands!r}, dict(os.environ), on_ready=tell))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], *wanted: str) -> list[str]:
    """Read lines until each of these has been part of one."""
    assert process.stdout is not None
    lines: list[str] = []
    while not all(any(text in line for line in lines) for text in wanted):
        line = process.stdout.readline()
        assert line, f"ended before it said {wanted}: {lines}"
        lines.append(line.rstrip("\n"))
    return lines


def pids_in(lines: list[str]) -> list[int]:
    return [int(number) for number in re.findall(r"started \(pid (\d+)\)", "\n".join(lines))]


def test_every_line_stands_behind_its_time_and_name(up: Callable[[Commands], subprocess.Popen[str]]) -> None:
    process = up(
        {"web": SLEEPS, "worker-sync": ["python", "-c", "print('straße & co'); import time; time.sleep(600)"]}
    )
    lines = read_until(process, "| ready", "| straße & co", "all started")
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d web         \| ready", line) for line in lines)
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d worker-sync \| straße & co", line) for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_children_and_then_the_supervisor_with_success(
    up: Callable[[Commands], subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = up({"web": SLEEPS, "worker": SLEEPS})
    pids = pids_in(read_until(process, "web        | ready", "worker     | ready"))
    process.send_signal(number)
    assert process.wait(10) == 0
    assert len(pids) == 2
    assert not any(lives(pid) for pid in pids)


def test_nohup_is_respected(up: Callable[[Commands], subprocess.Popen[str]]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it to the processes it starts
    try:
        process = up({"web": SLEEPS})
    finally:
        signal.signal(signal.SIGHUP, before)
    read_until(process, "| ready")
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)


def test_a_second_signal_does_not_wait_for_what_will_not_end(
    up: Callable[[Commands], subprocess.Popen[str]],
) -> None:
    process = up({"worker": DEAF})
    pids = pids_in(read_until(process, "| deaf"))
    process.send_signal(signal.SIGINT)
    read_until(process, "stopping")
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 1
    assert not any(lives(pid) for pid in pids)


def test_no_child_outlives_a_killed_supervisor(up: Callable[[Commands], subprocess.Popen[str]]) -> None:
    process = up({"web": SLEEPS, "worker": SLEEPS})
    pids = pids_in(read_until(process, "web        | ready", "worker     | ready"))
    kill(process.pid)
    until(lambda: not any(lives(pid) for pid in pids), 5)


def test_children_go_on_when_nobody_reads_the_output_any_more(
    up: Callable[[Commands], subprocess.Popen[str]], tmp_path: Path
) -> None:
    beat = tmp_path / "beat"
    code = (
        f"import pathlib, time; beat = pathlib.Path({str(beat)!r})\n"
        "for i in range(10**6): print(i); beat.write_text(str(i)); time.sleep(.01)"
    )
    process = up({"web": ["python", "-c", code]})
    read_until(process, "| 3")
    assert process.stdout is not None
    process.stdout.close()
    last = int("0" + beat.read_text())
    until(lambda: int("0" + beat.read_text()) > last + 50)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_dead_child_is_started_again_and_again_with_growing_pauses(heard: Heard) -> None:
    with Supervisor(
        {"web": ["python", "-c", "raise SystemExit(3)"], "worker": SLEEPS}, ENV, write=heard
    ) as all_:
        worker = all_.pids["worker"]
        until(heard.has("supervisor", r"web started .*", times=3))
        assert all_.pids["worker"] == worker
    ended = heard.times("supervisor", r"web exited with code 3 after \d s")
    begun = heard.times("supervisor", r"web started .*")
    assert 1.0 <= begun[1] - ended[0] < 1.9
    assert 2.0 <= begun[2] - ended[1] < 3.9


def test_pauses_double_up_to_half_a_minute() -> None:
    assert [backoff(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 10_000)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_exits_are_told_in_words() -> None:
    assert [describe(0), describe(1), describe(-9)] == [
        "exited with code 0",
        "exited with code 1",
        "was ended by SIGKILL",
    ]


def test_a_killed_child_is_started_again(heard: Heard) -> None:
    with Supervisor({"web": SLEEPS}, ENV, write=heard) as supervisor:
        until(heard.has("web", "ready"))
        first = supervisor.pids["web"]
        kill(first)
        until(heard.has("web", "ready", times=2))
        assert supervisor.pids["web"] != first
    assert heard.times("supervisor", r"web was ended by SIGKILL after \d s")


def test_what_a_killed_child_left_is_ended_before_it_is_started_again(heard: Heard) -> None:
    code = (
        "import subprocess, sys, time\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('left', left.pid); time.sleep(600)"
    )
    with Supervisor({"worker": ["python", "-c", code]}, ENV, write=heard) as supervisor:
        until(heard.has("worker", r"left \d+"))
        left = int(heard.lines[-1][2].split()[1])
        kill(supervisor.pids["worker"])
        until(heard.has("supervisor", r"worker started .*", times=2))
        assert not lives(left)


def test_children_end_last_one_first(heard: Heard) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('ended', time.monotonic()), sys.exit(0)))\n"
        "print('ready'); time.sleep(600)"
    )
    roles = ["web", "worker", "scheduler"]
    with Supervisor({role: ["python", "-c", code] for role in roles}, ENV, write=heard):
        for role in roles:
            until(heard.has(role, "ready"))
    ended = {who: float(what.split()[1]) for _, who, what in heard.lines if what.startswith("ended")}
    assert sorted(roles, key=ended.__getitem__) == ["scheduler", "worker", "web"]


def test_a_child_that_will_not_end_is_killed_after_the_grace(heard: Heard) -> None:
    supervisor = Supervisor({"worker": DEAF}, ENV, write=heard, grace=1.0).start()
    until(heard.has("worker", "deaf"))
    pid = supervisor.pids["worker"]
    assert not supervisor.stop()
    assert not lives(pid)
    assert heard.times("supervisor", "worker killed")


def test_the_last_words_of_a_child_are_heard(heard: Heard) -> None:
    code = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit('last words'))\n"
        "print('ready'); signal.pause()"
    )
    with Supervisor({"web": ["python", "-c", code]}, ENV, write=heard):
        until(heard.has("web", "ready"))
    assert heard.times("web", "last words")


def test_a_supervisor_runs_quietly_in_a_thread(heard: Heard) -> None:
    def act() -> None:
        with Supervisor({"web": SLEEPS}, ENV, write=heard):
            until(heard.has("web", "ready"))

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert [what for _, who, what in heard.lines if who == "supervisor"][-1] == "stopped"


def test_a_supervisor_can_be_stopped_twice_or_before_its_start(heard: Heard) -> None:
    assert Supervisor({"web": SLEEPS}, ENV, write=heard).stop()
    supervisor = Supervisor({"web": SLEEPS}, ENV, write=heard).start()
    assert supervisor.stop()
    assert supervisor.stop()


def test_children_see_the_environment_they_were_given_and_no_other(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_FOR_THEM", "1")
    code = (
        "import os, time\nprint(os.environ.get('FOR_THEM'), os.environ.get('NOT_FOR_THEM')); time.sleep(600)"
    )
    with Supervisor({"web": ["python", "-c", code]}, {**ENV, "FOR_THEM": "a b"}, write=heard):
        until(heard.has("web", "a b None"))


def test_a_program_that_is_not_there_is_told(heard: Heard) -> None:
    with Supervisor({"web": ["no-such-program"]}, ENV, write=heard):
        until(heard.has("supervisor", r"web exited with code 127 .*"))
    assert heard.times("web", "no-such-program can't be run: No such file or directory")


def test_where_the_kernel_has_no_signal_for_it_a_watch_ends_the_program() -> None:
    program = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); from api.tether import watch\n"
        "watch(os.getppid()); print(os.getpid(), flush=True); import time; time.sleep(600)"
    )
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    kill(supervisor.pid)
    supervisor.wait()
    until(lambda: not lives(pid), 10)


def test_the_procfile_names_the_roles_of_the_product() -> None:
    assert list(procfile.load()) == [
        "web",
        "webhook",
        "worker-webhooks",
        "worker-sync",
        "dispatcher",
        "scheduler",
    ]


def test_roles_run_in_this_interpreters_environment() -> None:
    env = {"HOST": "127.0.0.1", "PORT": "8000", "WEBHOOK_PORT": "8001"}
    arguments = {name: procfile.expand(name, command, env) for name, command in procfile.load().items()}
    assert all(sys.executable in words for words in arguments.values())
    assert arguments["web"][1:5] == ["-m", "gunicorn", "--bind", "127.0.0.1:8000"]
    assert arguments["web"][-1] == "api.app:create_app()"
    assert arguments["webhook"][3:5] == ["--bind", "127.0.0.1:8001"]
    assert arguments["worker-sync"][0] == "env"
    assert arguments["worker-sync"][3:7] == [sys.executable, "-m", "dramatiq", "workers.main"]
    assert arguments["dispatcher"][1:] == ["-m", "workers.dispatcher"]


def test_a_value_with_spaces_stays_one_argument() -> None:
    assert procfile.expand("web", "run $WHERE", {"WHERE": "a b"}) == ["run", "a b"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [("run $PORT", "needs PORT, which is not set"), ("run 5$", r"stray \$"), ("", "is empty")],
)
def test_a_command_that_cannot_be_run_is_refused_with_the_role(command: str, reason: str) -> None:
    with pytest.raises(procfile.ProcfileError, match=f"The command of web.*{reason}"):
        procfile.expand("web", command, {})


def test_a_missing_procfile_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(procfile.ProcfileError, match="make install"):
        procfile.load(tmp_path / "Procfile")
    (tmp_path / "Procfile").write_text("# nothing\n")
    with pytest.raises(procfile.ProcfileError, match="names no process"):
        procfile.load(tmp_path / "Procfile")


def test_gunicorn_accepts_its_configuration() -> None:
    settings = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:api.gunicorn_conf",
            "--print-config",
            "flask:Flask",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shown = dict(re.findall(r"^(\w+) += (.*)$", settings, flags=re.MULTILINE))
    assert shown["graceful_timeout"] == "20"
    assert "gthread" in shown["worker_class"]
    assert shown["control_socket_disable"] == "True"
    assert "query" not in shown["access_log_format"]
