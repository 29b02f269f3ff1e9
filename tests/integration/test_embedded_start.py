"""The embedded servers: how they start, as whom, and what they let in."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest
import redis
from cryptography.fernet import Fernet
from redis.backoff import NoBackoff
from redis.retry import Retry

from models.embedded import Runtime, ensure, read_runtime, running, stop
from tests.integration.embedded_help import AS_ROOT, data_folder, execute, first_line, lives, python


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with data_folder("a folder with spaces") as folder, running(folder, durable=True) as servers:
        yield servers


def test_postgres_18_and_valkey_answer_at_plain_urls(runtime: Runtime) -> None:
    version = execute(runtime.database_url, "SHOW server_version")[0][0]
    with redis.Redis.from_url(runtime.redis_url) as client:
        assert client.ping()
    assert str(version).startswith("18.")
    assert runtime.database_url.startswith("postgresql://inventory_sync:")
    assert runtime.database_url.endswith("/inventory_sync")


def test_the_database_is_durable_checked_and_sorts_alike_everywhere(runtime: Runtime) -> None:
    def shown(setting: str) -> object:
        return execute(runtime.database_url, f"SHOW {setting}")[0][0]

    assert shown("fsync") == "on"
    assert shown("data_checksums") == "on"
    assert shown("server_encoding") == "UTF8"
    assert shown("max_connections") == "200"
    provider = "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = current_database()"
    assert execute(runtime.database_url, provider) == [("b", "C.UTF-8")]


def test_valkey_keeps_a_file_and_evicts_nothing(runtime: Runtime) -> None:
    with redis.Redis.from_url(runtime.redis_url, decode_responses=True) as client:
        settings = client.config_get("append*", "maxmemory-policy", "bind", "protected-mode")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["bind"] == "127.0.0.1"
    assert settings["protected-mode"] == "yes"


def test_the_products_account_is_no_superuser(runtime: Runtime) -> None:
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert execute(runtime.database_url, rights) == [(False, False, False)]


@pytest.mark.parametrize("user", ["inventory_sync", "postgres"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_postgres_refuses_a_wrong_password(runtime: Runtime, user: str, password: str) -> None:
    port = urlsplit(runtime.database_url).port
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=port, user=user, password=password, dbname="inventory_sync")


def test_no_line_of_the_hosts_file_trusts_anybody(runtime: Runtime) -> None:
    lines = (runtime.data_dir / "postgres" / "pg_hba.conf").read_text().splitlines()
    methods = {line.split()[-1] for line in lines if line and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_valkey_refuses_a_wrong_password_and_none(runtime: Runtime) -> None:
    port = urlsplit(runtime.redis_url).port or 0
    for password in ("wrong", None):
        at_once = Retry(NoBackoff(), 0)
        client = redis.Redis(port=port, password=password, retry=at_once)
        with client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_both_listen_on_loopback_only(runtime: Runtime) -> None:
    for pid in runtime.pids.values():
        listening = [c for c in psutil.Process(pid).net_connections("all") if c.status == psutil.CONN_LISTEN]
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_no_secret_stands_in_a_command_line_or_an_environment(runtime: Runtime) -> None:
    secrets = [path.read_text().strip() for path in runtime.data_dir.glob("*_password")]
    secrets += [runtime.secret_key, runtime.encryption_keys]
    for pid in runtime.pids.values():
        process = psutil.Process(pid)
        seen = " ".join([*process.cmdline(), *process.environ().values()])
        assert not [secret for secret in secrets if secret in seen]
    assert not [secret for secret in secrets if secret in repr(runtime)]


def test_every_secret_is_readable_by_its_owner_only(runtime: Runtime) -> None:
    names = ["runtime.json", "secret_key", "encryption_keys"]
    files = [runtime.data_dir / name for name in names] + list(runtime.data_dir.glob("*_password"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 6


def test_the_keys_are_usable_and_stay_as_they_are(runtime: Runtime) -> None:
    again = ensure(runtime.data_dir)
    assert (again.secret_key, again.encryption_keys) == (runtime.secret_key, runtime.encryption_keys)
    assert len(runtime.secret_key) >= 32
    assert Fernet(runtime.encryption_keys).encrypt(b"x")


def test_the_servers_have_a_session_of_their_own(runtime: Runtime) -> None:
    for pid in runtime.pids.values():
        assert os.getsid(pid) == pid


@pytest.mark.skipif(not AS_ROOT, reason="only root has to step down")
def test_as_root_the_servers_run_as_somebody_else_who_cannot_read_our_secrets(runtime: Runtime) -> None:
    users = {psutil.Process(pid).uids() for pid in runtime.pids.values()}
    assert len(users) == 1
    assert 0 not in users.pop()
    for pid in runtime.pids.values():
        groups = Path(f"/proc/{pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
        assert "0" not in groups


def test_a_second_call_joins(runtime: Runtime) -> None:
    second = ensure(runtime.data_dir)
    assert second.pids == runtime.pids
    assert not second.started_by_us
    assert read_runtime(runtime.data_dir) == second


def test_the_end_of_a_block_that_joined_leaves_the_servers_alone(runtime: Runtime) -> None:
    with running(runtime.data_dir) as joined:
        assert joined.pids == runtime.pids
    assert read_runtime(runtime.data_dir) is not None


def test_the_end_of_a_block_that_started_the_servers_stops_them() -> None:
    with data_folder() as folder:
        with running(folder) as runtime:
            assert runtime.started_by_us
        assert not any(lives(pid) for pid in runtime.pids.values())
        assert read_runtime(folder) is None


def test_servers_started_by_hand_are_stopped_by_hand() -> None:
    with data_folder() as folder:
        command = f"from models.embedded.__main__ import main; main(['--data-dir', {str(folder)!r}, "
        assert first_line(python(command + "'start'])")).startswith("DATABASE_URL=postgresql://")
        with running(folder) as runtime:
            assert not runtime.started_by_us
        assert read_runtime(folder) is not None
        assert first_line(python(command + "'status'])")) == f"DATABASE_URL={runtime.database_url}"
        assert first_line(python(command + "'stop'])")) == "stopped"
        assert first_line(python(command + "'stop'])")) == "nothing was running"
        assert first_line(python(command + "'status'])")) == f"not running in {folder}"


def test_nothing_runs_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert read_runtime(tmp_path / "none") is None
    assert not stop(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not AS_ROOT, reason="steps down from root")
def test_an_ordinary_user_runs_the_servers_as_himself() -> None:
    # That user may not be able to read the interpreter, so all is imported, by use, before stepping down.
    with data_folder() as folder:
        (folder.parent / "theirs").mkdir(mode=0o700)
        os.chown(folder.parent / "theirs", 65534, 65534)
        process = python(
            "import os; from pathlib import Path; from models.embedded import ensure, running, stop\n"
            f"parent = Path({str(folder.parent)!r}); ensure(parent / 'data'); stop(parent / 'data')\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "with running(parent / 'theirs' / 'data') as runtime:\n"
            "    print(*[os.stat(f'/proc/{pid}').st_uid for pid in runtime.pids.values()],\n"
            "          oct(runtime.data_dir.stat().st_mode)[-3:])\n"
        )
        assert first_line(process) == "65534 65534 700"
        assert process.wait() == 0
