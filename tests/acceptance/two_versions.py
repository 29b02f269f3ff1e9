"""Two versions of the code on one database: this one, and a next one that is made of it, or one of git's.

tests/acceptance/rollout.py lets one take the other's place.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fleet import ROOT, free_port
from tests.pods import Pod

CODE = ("models", "workers", "api")
SERVED = {"web": "/readyz", "webhook": "/healthz"}  # what their readiness probes ask (k8s/base)
READY_SECONDS = 60.0
GRACE_SECONDS = 45.0
COLUMN = "takes"
NEXT_KIND = "next.kind"

# What the next version does otherwise: (file, what stands there once, what stands there then). It counts how often a
# job was taken, in a column that old code never names, and knows one more kind of job.
_CHANGES = (
    (
        "workers/ledger.py",
        "attempts = attempts + 1, lease_token = %s,",
        f"attempts = attempts + 1, {COLUMN} = {COLUMN} + 1, lease_token = %s,",
    ),
    (
        "workers/ledger.py",
        '" attempts, max_attempts, request_id"\n)',
        f'" attempts, max_attempts, request_id, {COLUMN}"\n)',
    ),
    (
        "workers/jobs.py",
        "    request_id: str | None\n\n    @property",
        f"    request_id: str | None\n    {COLUMN}: int\n\n    @property",
    ),
    (
        "models/job.py",
        "    max_attempts = IntegerField(default=8)\n",
        f"    max_attempts = IntegerField(default=8)\n    {COLUMN} = IntegerField(default=0)\n",
    ),
    ("workers/kinds.py", "import Kind\n", "import Done, Kind\n"),
    (
        "workers/kinds.py",
        '        Kind("maintenance.cleanup", clean_up),\n',
        '        Kind("maintenance.cleanup", clean_up),\n'
        f'        Kind("{NEXT_KIND}", lambda work: Done(result={{"{COLUMN}": work.claim.{COLUMN}}})),\n',
    ),
)
_MIGRATION = f'''
def up(migrator, db):
    """Add the column; rows that old code inserts get its default."""
    db.execute_sql("ALTER TABLE rm_queue ADD COLUMN {COLUMN} integer NOT NULL DEFAULT 0")
'''


def this_version(folder: Path) -> Path:
    """A copy of the code as it is; gives its tree."""
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Procfile", folder)
    return folder


def next_version(this: Path, folder: Path) -> tuple[Path, str]:
    """A copy of it as the next version might be; gives its tree, and the name of its migration."""
    shutil.copytree(this, folder)
    for name, before, after in _CHANGES:
        file = folder / name
        text = file.read_text()
        assert text.count(before) == 1, (
            f"{name} has changed: {before!r} stands there {text.count(before)} times"
        )
        file.write_text(text.replace(before, after))
    migrations = folder / "models" / "migrations"
    newest = max(int(path.name[:4]) for path in migrations.glob("0*.py"))
    name = f"{newest + 1:04}_takes"
    (migrations / f"{name}.py").write_text(_MIGRATION)
    return folder, name


def version_of_git(ref: str, folder: Path) -> Path:
    """The code as it stood at a commit."""
    archive = subprocess.run(
        ["git", "archive", ref, "--", *CODE, "Procfile"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        found.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class Version:
    """A tree of code, and the settings of its processes."""

    name: str
    tree: Path
    environment: Mapping[str, str]

    def pod(self, role: str) -> VersionedPod:
        """One pod of a role, started."""
        return VersionedPod(role, self)

    @contextmanager
    def program(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`inventory-sync` with these words, for the length of a block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *words],
            cwd=self.tree,
            env={**os.environ, **self.environment, "PYTHONPATH": str(self.tree), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()  # one that waits would wait for ever where the test has failed
            process.wait()

    def said(self, *words: str) -> tuple[int, str]:
        """The exit code and the output of a program."""
        with self.program(*words) as process:
            output, _ = process.communicate(timeout=READY_SECONDS)
            return process.returncode, output


class VersionedPod(Pod):
    """A pod of one version, which counts its jobs."""

    def __init__(self, role: str, version: Version) -> None:
        self._metrics_port = free_port()
        own = {**version.environment, "METRICS_PORT": str(self._metrics_port)}
        super().__init__(role, own, version.tree)
        self.version = version.name

    def ready(self) -> bool:
        """Whether it may be sent requests, or has begun to work."""
        assert self.runs, f"{self.role} of the {self.version} version has ended: {self.log()[-2000:]}"
        return self.asked(SERVED.get(self.role, "/metrics"))[0] == 200

    def jobs(self) -> float:
        """How many jobs it has completed."""
        lines = self.asked("/metrics")[1].splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith("inventory_sync_jobs_total{") and 'result="completed"' in line
        )

    def asked(self, path: str) -> tuple[int, str]:
        """Status and body of an answer; status 0 where nobody listens."""
        port = self.port if self.role in SERVED else self._metrics_port
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""
