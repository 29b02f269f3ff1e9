"""The embedded Valkey."""

import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from models.embedded import keys
from models.embedded.paths import own_folder
from models.embedded.server import HOST, Context, Server

ANSWER_SECONDS = 5.0
DATABASES = 16
TEST_DATABASES = 1024  # a database for each test


class Valkey(Server):
    """Valkey 9 on loopback, with a password and an append-only file."""

    name = "valkey"
    title = "Valkey"
    stop_signals = [(signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0)]

    def url(self, port: int) -> str:
        return f"redis://:{keys.password(self.folder, 'valkey')}@{HOST}:{port}/0"

    def command(self, context: Context, port: int) -> tuple[list[str], bytes | None]:
        settings = {
            "bind": HOST,
            "port": str(port),
            "protected-mode": "yes",
            "requirepass": keys.password(self.folder, "valkey"),
            "daemonize": "no",
            "pidfile": _quoted(self._pid_file),
            "dir": _quoted(self.data),
            "databases": str(DATABASES if context.durable else TEST_DATABASES),
            "appendonly": "yes" if context.durable else "no",
            "appendfsync": "everysec",
            "save": '""',  # the append-only file is enough; snapshots would only write everything once more
            "auto-aof-rewrite-min-size": "16mb",
            "maxmemory-policy": "noeviction",
        }
        # By standard input, so that the password stands neither in a file nor in the list of processes.
        return [str(context.binaries.valkey), "-"], _lines(settings)

    def prepare(self, context: Context) -> None:
        own_folder(self.data, context.account)
        self._pid_file.unlink(missing_ok=True)

    def pid_file_entry(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def answers(self, port: int) -> bool:
        client = redis.Redis.from_url(
            self.url(port),
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
        )
        try:
            # Refused with LOADING as long as the append-only file is being read.
            found = client.config_get("dir")
            return isinstance(found, dict) and found["dir"] == str(self.data)
        except redis.RedisError:
            return False
        finally:
            client.close()

    @property
    def _pid_file(self) -> Path:
        return self.data / "valkey.pid"


def _lines(settings: dict[str, str]) -> bytes:
    return "".join(f"{name} {value}\n" for name, value in settings.items()).encode()


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
