"""Starting, joining, adopting and stopping both servers of a data folder."""

import os
from functools import partial
from pathlib import Path

from models.embedded import binaries, keys, room
from models.embedded.errors import EmbeddedError
from models.embedded.locks import turn
from models.embedded.paths import Account, prepare_data_dir, service_account
from models.embedded.postgres import Postgres
from models.embedded.processes import ProcessId, identify, is_alive
from models.embedded.runtime import RUNTIME_FILE, Record, Runtime, load_ports, load_record, save_port
from models.embedded.server import Context, Running, Server
from models.embedded.valkey import Valkey


def ensure(data_dir: Path, *, durable: bool = True, owned: bool = True) -> Runtime:
    """Start the two servers of a folder, or join those that run.

    `started_by_us` of the answer says whether this process has to stop them: it started them, or adopted
    them from a process that is gone. With `owned=False` nobody has to. `durable=False` is for tests only.
    Raises EmbeddedError with the reason and the fix.
    """
    binaries.check_installed()
    account = service_account()
    folder = prepare_data_dir(data_dir, account)
    try:
        with turn(folder / "lock"):
            return _ensure(folder, account, durable=durable, owned=owned)
    except OSError as error:
        place = error.filename or folder
        advice = "Give this user the right to write there, or set another DATA_DIR."
        if error.errno in room.NO_ROOM:
            advice = room.shortage(folder)
        raise EmbeddedError(
            f"The servers of DATA_DIR {folder} could not be started: {error.strerror} ({place}). {advice}"
        ) from error


def read_runtime(data_dir: Path) -> Runtime | None:
    """The servers that live in a folder; None unless both are the recorded processes and answer."""
    folder = Path(os.path.realpath(data_dir.expanduser()))
    record = load_record(folder)
    if record is None:
        return None
    for server in _servers(folder):
        process, port = record.servers.get(server.name), record.ports.get(server.name)
        if process is None or port is None or not is_alive(process) or not server.answers(port):
            return None
    return _runtime(folder, record, started_by_us=False)


def stop(data_dir: Path) -> bool:
    """Stop the servers of a folder in order; False where none was running."""
    folder = Path(os.path.realpath(data_dir.expanduser()))
    if not folder.is_dir():
        return False
    with turn(folder / "lock"):
        return _stop(folder)


def _servers(folder: Path) -> list[Server]:
    return [Postgres(folder), Valkey(folder)]


def _ensure(folder: Path, account: Account | None, *, durable: bool, owned: bool) -> Runtime:
    context = Context(folder, account, binaries.locate(folder, account), durable)
    before = load_record(folder)
    found: dict[Server, Running] = {}
    try:
        for server in _servers(folder):
            last_port = load_ports(folder).get(server.name)
            found[server] = server.attain(context, last_port, partial(save_port, folder))
        owner, ours = _owner(before, found, owned=owned)
        record = _record(found, owner)
        record.save(folder)
        if all(state.launched for state in found.values()):
            binaries.drop_old_copies(folder, context.binaries)
    except BaseException:
        for server, state in found.items():
            if state.launched:
                server.stop()
        raise
    return _runtime(folder, record, started_by_us=ours)


def _owner(
    before: Record | None, found: dict[Server, Running], *, owned: bool
) -> tuple[ProcessId | None, bool]:
    """Who ends the servers from now on, and whether that is this call's duty."""
    if before is not None:
        if before.owner is not None and is_alive(before.owner):
            return before.owner, False
        if before.owner is None and not all(state.launched for state in found.values()):
            return None, False  # started by hand, to be ended by hand
    if not owned:
        return None, False
    return identify(os.getpid()), True


def _record(found: dict[Server, Running], owner: ProcessId | None) -> Record:
    urls = {server.name: server.url(state.port) for server, state in found.items()}
    return Record(
        database_url=urls[Postgres.name],
        redis_url=urls[Valkey.name],
        servers={server.name: state.process for server, state in found.items()},
        ports={server.name: state.port for server, state in found.items()},
        owner=owner,
    )


def _runtime(folder: Path, record: Record, *, started_by_us: bool) -> Runtime:
    return Runtime(
        database_url=record.database_url,
        redis_url=record.redis_url,
        secret_key=keys.secret_key(folder),
        encryption_keys=keys.encryption_keys(folder),
        data_dir=folder,
        pids={name: process.pid for name, process in record.servers.items()},
        started_by_us=started_by_us,
    )


def _stop(folder: Path) -> bool:
    (folder / RUNTIME_FILE).unlink(missing_ok=True)  # first: nobody shall join what is about to end
    stopped = [server.stop() for server in _servers(folder)]
    return any(stopped)


def stop_own(folder: Path) -> None:
    """Stop the servers unless they have changed hands meanwhile (stopped and started anew by hand)."""
    with turn(folder / "lock"):
        record = load_record(folder)
        if record is not None and record.owner is not None and record.owner.pid == os.getpid():
            _stop(folder)


def have_died(folder: Path) -> bool:
    """Whether a server has ended that nobody stopped: `stop` takes the record away first."""
    record = load_record(folder)
    return record is not None and not all(is_alive(process) for process in record.servers.values())
