"""The embedded servers' disk is full: everybody says so, nothing is corrupt, and with room all goes on by itself."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from api.commands.demo_world import clean_environment
from api.commands.ports import free_pair
from models import config
from models.database import DatabaseUnusable, configure, db, execute, row
from models.embedded import Runtime, binaries, ensure, processes, read_runtime, stop
from models.embedded.paths import service_account
from models.embedded.postgres import Postgres
from models.site import Site
from tests.acceptance import small_disk
from tests.acceptance.knocking import Knocking, signed
from tests.acceptance.own_servers import family_of
from tests.acceptance.reckoning import reckon
from tests.acceptance.test_fault_vendors import assert_completed
from tests.acceptance.trouble import HELD_MS, QUICK, Town, ask_for_all, calls, town
from tests.fleet import ROOT, eventually
from tests.places import wait_for_run
from tests.servers import temporary_folder
from workers import tokens
from workers.full_sync.requests import request_sync

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"
BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = 1_000, 200
DISK_MEGABYTES = 400
LIMIT = 16 * small_disk.MEGABYTE  # a file of PostgreSQL's log has this size, so that only tables can't grow
# Not even PostgreSQL's log can be written. The limit is one on shared memory too, of which PostgreSQL takes parts of
# 1 MB as it reads its log: one that gets none may hang in its start, for ever, which no full disk does.
TINY = 4 * small_disk.MEGABYTE
START_SECONDS = 90
FULL_SECONDS = 60
LIST = "GET /catalog/products"
REDIS_SAYS = "the append-only file can't be written"
AGAIN = "the embedded servers answer again"
END_SECONDS = 60


@dataclass
class Up:
    """`inventory-sync up` on embedded servers, and what it has said."""

    data_dir: Path
    port: int = field(default_factory=lambda: free_pair("127.0.0.1", 18_100)[0])
    lines: list[str] = field(default_factory=list)
    token: str = ""
    told: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.environment = {
            **clean_environment(),
            **QUICK,
            "DATA_DIR": str(self.data_dir),
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--port", str(self.port)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=lambda: self.lines.extend(self.process.stdout or ()), daemon=True).start()

    @property
    def said(self) -> str:
        """All of it."""
        return "".join(self.lines)

    @property
    def runtime(self) -> Runtime:
        """The servers as they run now."""
        found = read_runtime(self.data_dir)
        assert found is not None
        return found

    def ask(self, method: str, path: str) -> requests.Response:
        """The API's answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        return requests.request(method, url, headers=headers, timeout=30)

    def tell(self, place: Town, name: str) -> requests.Response:
        """The receivers' answer to another delivery about a shop's first product."""
        shop, site = next(iter(place.sites.items()))
        product_id = min(found["product_id"] for found in shop.truth() if found["expected"] is not None)
        sent = signed(site, product_id, f"{name}-{next(self.told)}")
        url = f"http://127.0.0.1:{self.port + 1}{sent.path}"
        return requests.post(url, sent.body, headers=sent.headers, timeout=30)

    def end(self) -> None:
        """Ask it to end, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_SECONDS)

    def doctor(self, limit: int | None = None) -> str:
        """What the doctor finds wrong, on the same disk as the servers."""
        found = subprocess.run(
            [sys.executable, "-m", "api.cli", "doctor", "--json"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=functools.partial(small_disk.limited, limit),
        )
        wrong = [finding for finding in json.loads(found.stdout or "[]") if finding["state"] != "ok"]
        return json.dumps(wrong) + found.stderr


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A place for DATA_DIR, emptied of servers and files at the end; with a parameter a disk of so many megabytes."""
    megabytes: int | None = getattr(request, "param", None)
    parent = temporary_folder("inventory-sync-disk-")
    place = parent / "data"
    try:
        if megabytes is not None:
            place.mkdir()
            assert small_disk.mount(place, megabytes)
        yield place
    finally:
        stop(place)
        if megabytes is not None:
            small_disk.unmount(place)
        shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """All roles, ready to work, and this process on the same database."""
    running = Up(folder)
    try:
        eventually(lambda: "Ctrl-C" in running.said, seconds=START_SECONDS, what="a ready API")
        for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        configure()
        running.token = tokens.create("disk", "admin")[1]
        yield running
    finally:
        db.close_all()
        config.settings.cache_clear()
        try:
            running.end()
        finally:
            sys.stdout.write(running.said[-12_000:])  # pytest shows it where the test failed


def old_jobs(number: int, size: int) -> None:
    """Jobs that were done long ago, of about so many bytes each."""
    execute(
        "INSERT INTO rm_queue (kind, queue, status, payload, finished_at)"
        " SELECT 'old', 'sync', 'completed', jsonb_build_object('filler', repeat('x', %s)), now()"
        " FROM generate_series(1, %s)",
        (size, number),
    )


def fill_the_queue(servers: Runtime) -> None:
    """Make the table of jobs larger than LIMIT."""
    old_jobs(10_000, 1_700)
    assert row("SELECT pg_relation_size('rm_queue') > %s", (LIMIT,)) == (True,)
    execute("VACUUM rm_queue")
    # What is not on the disk by now could not be written beyond the limit, where a full disk would take it.
    port = urlsplit(servers.database_url).port
    assert port is not None
    with closing(psycopg2.connect(Postgres(servers.data_dir).admin_url(port))) as connection:
        connection.autocommit = True
        connection.cursor().execute("CHECKPOINT")


def use_up_the_last_page() -> None:
    """Add jobs until there is no room for one."""
    try:
        while True:
            old_jobs(1, 1)
    except DatabaseUnusable:
        return


def fill_the_log() -> None:
    """Take PostgreSQL's log beyond TINY in the file that it writes, and not to its end: a new file has room."""
    right = "SELECT file_offset BETWEEN %s AND %s FROM pg_walfile_name_offset(pg_current_wal_insert_lsn())"
    while row(right, (TINY, LIMIT - TINY)) == (False,):
        old_jobs(100, 1_700)


def change_stock(place: Town) -> None:
    """Business Central has one more of everything."""
    stock = place.simulators.bc.stock().items()
    place.simulators.bc.set_stock(
        {number: float(has) + 1 for number, (kind, has) in stock if kind == "Inventory"}
    )


def strike_in_the_middle(place: Town, strike: Callable[[], None]) -> None:
    """Strike while the first shop is being listed."""
    place.shops[0].after(LIST, {"action": "latency", "ms": HELD_MS}, nth=2)
    before = calls(place.shops[0], LIST)
    eventually(lambda: calls(place.shops[0], LIST) > before + 2, seconds=60, every=0.05, what="a listing")
    strike()
    place.let_go()


def says_full(answer: requests.Response) -> bool:
    """503, in so many words, with the time to come again."""
    if answer.status_code != 503 or answer.json()["code"] != "disk_full":
        return False
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "make room" in answer.json()["detail"]
    return int(answer.headers["Retry-After"]) > 0


def refuses_a_sync(up: Up, site: Site) -> bool:
    """Whether the API says that there is no room for the work it is asked for."""
    use_up_the_last_page()
    answer = up.ask("POST", f"inventory/sync/{site.id}")
    if answer.status_code == 202:  # something has ended and left room for one
        up.ask("POST", f"sync-runs/{answer.json()['run_id']}/cancel")
    return says_full(answer)


def assert_intact(data_dir: Path) -> None:
    """What the stopped servers left: no page is damaged, and both read it."""
    account = service_account()
    program = binaries.locate(data_dir, account).postgres.parent / "pg_checksums"
    checked = subprocess.run(
        [program, "--check", "-D", data_dir / "postgres"],
        cwd="/",
        env=processes.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        **processes.stepping_down(account),
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ensure(data_dir).started_by_us
    assert stop(data_dir)


def test_a_full_disk_stops_the_work_and_harms_nothing(up: Up) -> None:
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
        assert all(wait_for_run(run_id).status == "completed" for run_id in ask_for_all())
        fill_the_queue(up.runtime)

        tables_cannot_grow(up, place)
        the_log_cannot_be_written(up, place)

        up.end()
    assert_intact(up.data_dir)


def tables_cannot_grow(up: Up, place: Town) -> None:
    """What remains possible is done, and whoever asks for more is told."""
    change_stock(place)
    servers = up.runtime
    store, shop = place.sites.values()
    valkey = servers.pids["valkey"]

    def strike() -> None:
        small_disk.limit_files(family_of(servers.pids["postgres"]), LIMIT)
        small_disk.limit_files([valkey], 1)

    with Knocking(up.port + 1, place.sites) as told:
        runs = [request_sync(store.id, requested_by="test").run_id]
        strike_in_the_middle(place, strike)

        eventually(lambda: refuses_a_sync(up, shop), seconds=FULL_SECONDS, what="a full API")
        eventually(lambda: says_full(up.tell(place, "told")), seconds=FULL_SECONDS, what="a full receiver")
        eventually(lambda: REDIS_SAYS in up.doctor(), seconds=FULL_SECONDS, every=1, what="the doctor's word")
        assert "The disk of the database is full: make room" in up.said

        small_disk.limit_files([*family_of(servers.pids["postgres"]), valkey], None)
        since = time.monotonic()
        answer = up.ask("POST", f"inventory/sync/{shop.id}")
        assert answer.status_code == 202
        runs.append(answer.json()["run_id"])

    reckon("disk full: tables can't grow", place.shops, since=since, answers=told.answers)
    assert_completed(runs)
    assert {answer.status for answer in told.answers} <= {200, 503}
    assert up.runtime.pids == servers.pids  # nothing had to be started again


def the_log_cannot_be_written(up: Up, place: Town) -> None:
    """PostgreSQL ends, and can't be started; with room it is, by itself."""
    change_stock(place)
    servers = up.runtime
    keeper, valkey = up.process.pid, servers.pids["valkey"]
    sentence = f"The disk of DATA_DIR {up.data_dir} is full"

    def strike() -> None:
        fill_the_log()
        small_disk.limit_files([keeper, *family_of(servers.pids["postgres"])], TINY)
        small_disk.limit_files([valkey], 1)

    with Knocking(up.port + 1, place.sites, name="log") as told:
        runs = ask_for_all()
        strike_in_the_middle(place, strike)

        eventually(lambda: sentence in up.said, seconds=FULL_SECONDS, what="up's word")
        answers = [up.ask("GET", "sites"), up.tell(place, "told")]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert sentence in up.doctor(TINY)

        small_disk.limit_files([keeper, valkey], None)
        since = time.monotonic()
        eventually(lambda: AGAIN in up.said, seconds=END_SECONDS, what="the servers")

    reckon("disk full: PostgreSQL's log", place.shops, since=since, answers=told.answers)
    assert_completed(runs)
    assert {answer.status for answer in told.answers} <= {200, 503}
    assert up.said.count(sentence) == 1  # not a line a try


def no_byte_is_left(up: Up, place: Town) -> None:
    """All servers, logs and files of DATA_DIR are on one disk, and that is full."""
    change_stock(place)
    servers = up.runtime
    shop = place.sites[place.shops[1]]
    made: list[Path] = []

    with Knocking(up.port + 1, place.sites, name="byte") as told:
        runs = ask_for_all()
        strike_in_the_middle(place, lambda: made.append(small_disk.fill(up.data_dir)))

        sentence = f"The disk of DATA_DIR {up.data_dir} is full"
        eventually(lambda: sentence in up.said, seconds=FULL_SECONDS, what="up's word")
        eventually(lambda: says_full(up.tell(place, "told")), seconds=FULL_SECONDS, what="a full receiver")
        eventually(
            lambda: says_full(up.ask("POST", f"inventory/sync/{shop.id}")),
            seconds=FULL_SECONDS,
            what="a full API",
        )
        assert "are free for DATA_DIR" in up.doctor() or sentence in up.doctor()

        made[0].unlink()
        since = time.monotonic()
        eventually(
            lambda: f"the disk of DATA_DIR {up.data_dir} has room again" in up.said, seconds=END_SECONDS
        )
        eventually(lambda: read_runtime(up.data_dir) is not None, seconds=END_SECONDS, what="both servers")

    again = up.runtime.pids["postgres"] != servers.pids["postgres"]
    reckon(
        f"disk full: no byte left, PostgreSQL started again: {again}",
        place.shops,
        since=since,
        answers=told.answers,
    )
    assert_completed(runs)
    assert {answer.status for answer in told.answers} <= {200, 503}


if FULL_SIZE and small_disk.may_mount():  # the real thing, which CI need not allow

    @pytest.mark.parametrize("folder", [DISK_MEGABYTES], indirect=True)
    def test_a_disk_without_a_byte_left(up: Up) -> None:
        with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
            assert all(wait_for_run(run_id).status == "completed" for run_id in ask_for_all())

            no_byte_is_left(up, place)

            up.end()
        assert_intact(up.data_dir)
