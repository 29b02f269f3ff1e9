"""The CronJob's script and the manual's command, as an operator runs them."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

from models.embedded.binaries import POSTGRES_INSTALL, POSTGRES_PACKAGE
from tests.fleet import ROOT
from tests.manifests.cluster import K8S

SCRIPT = K8S / "components" / "cronjob-backup" / "backup.sh"
MANUAL = (ROOT / "docs" / "operations.md").read_text()


def back_up(url: str, folder: Path, *, keep: int = 14) -> subprocess.CompletedProcess[str]:
    """Run the script as the CronJob does."""
    return _run(
        f"sh {shlex.quote(str(SCRIPT))}", {"DATABASE_URL": url, "BACKUP_DIR": str(folder), "KEEP": str(keep)}
    )


def restore(url: str, dump: Path) -> None:
    """Read a dump into an empty database by the manual's line. Raises CalledProcessError."""
    (command,) = re.findall(r"pg_restore .*", MANUAL)
    _run(command, {"DATABASE_URL": url, "DUMP": str(dump)}).check_returncode()


def _run(command: str, values: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A line of shell, with PostgreSQL's own programs."""
    package = importlib.util.find_spec(POSTGRES_PACKAGE)
    assert package is not None
    assert package.origin is not None
    programs = Path(package.origin).parents[1] / POSTGRES_INSTALL / "bin"
    environment = {**values, "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(command, shell=True, env=environment, text=True, check=False)
