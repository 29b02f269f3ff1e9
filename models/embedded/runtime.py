"""What the servers of a data folder are reached by, kept in DATA_DIR/runtime.json."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.embedded.keys import write_private
from models.embedded.processes import ProcessId

RUNTIME_FILE = "runtime.json"
PORTS_FILE = "ports.json"


@dataclass(frozen=True)
class Runtime:
    """Two live servers, the keys kept beside them, and whether this call has to end them."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_keys: str = field(repr=False)
    data_dir: Path
    pids: dict[str, int]
    started_by_us: bool


@dataclass(frozen=True)
class Record:
    """What runtime.json holds: no secret but the URLs' passwords, and it is readable by its owner only."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    servers: dict[str, ProcessId]
    ports: dict[str, int]
    owner: ProcessId | None  # who ends the servers; nobody where they were started by hand

    def save(self, folder: Path) -> None:
        """Write it whole or not at all."""
        document = {
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "servers": {name: vars(process) for name, process in self.servers.items()},
            "ports": self.ports,
            "owner": None if self.owner is None else vars(self.owner),
        }
        write_private(folder / RUNTIME_FILE, json.dumps(document, indent=2) + "\n")


def load_record(folder: Path) -> Record | None:
    """Read runtime.json; None where it is missing or makes no sense."""
    try:
        document: dict[str, Any] = json.loads((folder / RUNTIME_FILE).read_text())
        owner = document["owner"]
        return Record(
            database_url=document["database_url"],
            redis_url=document["redis_url"],
            servers={name: ProcessId(**process) for name, process in document["servers"].items()},
            ports=document["ports"],
            owner=None if owner is None else ProcessId(**owner),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_ports(folder: Path) -> dict[str, int]:
    """The ports used last, by server."""
    try:
        ports = json.loads((folder / PORTS_FILE).read_text())
        return {name: int(port) for name, port in ports.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def save_port(folder: Path, name: str, port: int) -> None:
    """Remember one server's port."""
    write_private(folder / PORTS_FILE, json.dumps(load_ports(folder) | {name: port}) + "\n")
