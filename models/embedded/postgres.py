"""The embedded PostgreSQL."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg2
from psycopg2 import sql

from models.embedded import keys
from models.embedded.errors import EmbeddedError
from models.embedded.paths import Account, own_folder
from models.embedded.processes import clean_environment, identify, log_tail, open_log, stepping_down, works_in
from models.embedded.server import HOST, Context, Server

ADMIN = "postgres"
APP = "inventory_sync"
CONNECT_SECONDS = 5
INITDB = [
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order on every machine, whatever its libc knows
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=scram-sha-256",
    f"--username={ADMIN}",
]
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # one way in: loopback, with a password
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "inventory-sync",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # Statements carry values (psycopg2 puts them in on our side), which don't belong into a log.
    "log_min_error_statement": "panic",
}
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "10s",
}


class Postgres(Server):
    """PostgreSQL 18 on loopback, with scram passwords for everybody."""

    name = "postgres"
    title = "PostgreSQL"
    # Fast shutdown, then immediate (which the next start repairs), then the end.
    stop_signals = [(signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0), (signal.SIGKILL, 10.0)]

    def url(self, port: int) -> str:
        return f"postgresql://{APP}:{keys.password(self.folder, 'postgres')}@{HOST}:{port}/{APP}"

    def admin_url(self, port: int, database: str = "postgres") -> str:
        """The superuser's URL, which the product itself never uses."""
        return f"postgresql://{ADMIN}:{keys.password(self.folder, 'postgres_admin')}@{HOST}:{port}/{database}"

    def command(self, context: Context, port: int) -> tuple[list[str], bytes | None]:
        settings = SETTINGS | {"port": str(port)} | ({} if context.durable else NOT_DURABLE)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(context.binaries.postgres), "-D", str(self.data), *options], None

    def prepare(self, context: Context) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initialise(context)
        self._drop_stale_pid_file()

    def pid_file_entry(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def answers(self, port: int) -> bool:
        try:
            connection = psycopg2.connect(self.admin_url(port), connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError:
            return False
        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW data_directory")
                row = cursor.fetchone()
                return row is not None and Path(row[0]) == self.data
        except psycopg2.Error:
            return False
        finally:
            connection.close()

    def complete(self, port: int) -> None:
        """Make the product's own account and database: it has no right to be a superuser.

        Raises EmbeddedError.
        """
        started_at = self._log_size()
        try:
            self._make_account_and_database(port)
        except psycopg2.Error as error:
            raise EmbeddedError(
                f"PostgreSQL in {self.data} could not be made ready: {str(error).strip()}. {self._no_room(started_at)}"
            ) from error

    def _make_account_and_database(self, port: int) -> None:
        connection = psycopg2.connect(self.admin_url(port), connect_timeout=CONNECT_SECONDS)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APP,))
                if cursor.fetchone() is None:
                    role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(APP), sql.Literal(keys.password(self.folder, "postgres"))
                    )
                    cursor.execute(role)
                    # "Failing row contains (...)" is a value too; the server's own errors keep their details.
                    terse = sql.SQL("ALTER ROLE {} SET log_error_verbosity = terse")
                    cursor.execute(terse.format(sql.Identifier(APP)))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (APP,))
                if cursor.fetchone() is None:
                    cursor.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(
                            sql.Identifier(APP), sql.Identifier(APP)
                        )
                    )
        finally:
            connection.close()

    def _initialise(self, context: Context) -> None:
        """Make the cluster beside its place and move it there when whole: a crash leaves no half of one."""
        unfinished = self.folder / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        own_folder(unfinished, context.account)
        cluster = unfinished / "data"
        password_file = self.folder / ".initdb_password"
        keys.write_private(password_file, keys.password(self.folder, "postgres_admin"))
        if context.account is not None:
            os.chown(password_file, context.account.uid, context.account.gid)
        command = [str(context.binaries.initdb), "-D", str(cluster), f"--pwfile={password_file}", *INITDB]
        if not context.durable:
            command.append("--no-sync")
        try:
            self._run_initdb(command, context.account)
        finally:
            password_file.unlink()
        cluster.rename(self.data)
        shutil.rmtree(unfinished)

    def _run_initdb(self, command: list[str], account: Account | None) -> None:
        started_at = self._log_size()
        with open_log(self.log) as output:
            done = subprocess.run(  # noqa: S603 - a program of the wheel
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=clean_environment(),
                umask=0o077,
                restore_signals=False,  # see processes.spawn
                check=False,
                **stepping_down(account),
            )
        if done.returncode != 0:
            raise EmbeddedError(
                f"PostgreSQL's data folder {self.data} could not be made (initdb: exit code "
                f"{done.returncode}). {self._no_room(started_at)}The log {self.log} ends with:\n{log_tail(self.log)}"
            )

    def _drop_stale_pid_file(self) -> None:
        """Remove what a killed server left: its number may belong to somebody else by now.

        Safe since we hold the lock that every process of a server of ours inherits; one that was started by
        hand has no lock, but works in the data folder, and is left to PostgreSQL itself to refuse.
        """
        pid = self.pid_file_entry()
        if pid is not None and identify(pid) is not None and works_in(pid, self.data):
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
