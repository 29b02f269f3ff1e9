"""The Procfile: its roles as argument lists that run in this interpreter's environment."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from honcho.environ import parse_procfile

PROCFILE = Path(__file__).resolve().parent.parent / "Procfile"
# Run as modules of this very interpreter, so that no virtual environment has to be activated.
MODULES = frozenset({"gunicorn", "dramatiq"})


class ProcfileError(Exception):
    """The Procfile is missing, or a role in it can't be run; the message names the fix."""


def load(path: Path = PROCFILE) -> dict[str, str]:
    """Role -> command line, in the order of the file.

    Raises ProcfileError where there is no such file or it names nothing.
    """
    try:
        commands = dict(parse_procfile(path.read_text()).processes)
    except OSError as error:
        raise ProcfileError(
            f"{path} can't be read ({error.strerror}). Run Inventory Sync from its own folder: "
            "install it there with `make install`."
        ) from error
    if not commands:
        raise ProcfileError(f"{path} names no process. Restore it from the repository.")
    return commands


def expand(name: str, command: str | list[str], env: Mapping[str, str]) -> list[str]:
    """A role's arguments, with `$VARIABLES` replaced and programs resolved.

    Values are put in after the split, so that a space in one stays inside its argument.
    Raises ProcfileError where a variable is not set.
    """
    words = shlex.split(command) if isinstance(command, str) else list(command)
    if not words:
        raise ProcfileError(f"The command of {name} is empty.")
    try:
        words = [Template(word).substitute(env) for word in words]
    except KeyError as error:
        raise ProcfileError(f"The command of {name} needs {error.args[0]}, which is not set.") from error
    except ValueError as error:
        raise ProcfileError(f"The command of {name} has a stray $: {error}.") from error
    program = _program_at(words)
    return [*words[:program], *_program(words[program]), *words[program + 1 :]]


def _program_at(words: list[str]) -> int:
    """Where the program stands: after `env NAME=value ...`, if the line begins so."""
    if words[0] != "env":
        return 0
    return next((place for place, word in enumerate(words) if place and "=" not in word), 0)


def _program(name: str) -> list[str]:
    if name == "python":
        return [sys.executable]
    if name in MODULES:
        return [sys.executable, "-m", name]
    return [name]
