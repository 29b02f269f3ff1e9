"""Replace this process by a program that ends when its supervisor is gone, even when that was killed.

Run as a script, `tether.py SUPERVISOR_PID PROGRAM [ARGUMENT...]`, with nothing imported beyond the standard
library: it stands between the supervisor's fork and the program's start, at every start.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 1.0
NOT_STARTED = 127  # what a shell says when it can't run a program


def main(supervisor: int, program: list[str]) -> None:
    """Tie this process to the supervisor, and become the program; returns never."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        watch(supervisor)
    if os.getppid() != supervisor:
        sys.exit(0)  # it was gone before we were tied to it
    try:
        os.execvp(program[0], program)  # noqa: S606 - the Procfile's program, without a shell
    except OSError as error:
        sys.stderr.write(f"{program[0]} can't be run: {error.strerror}\n")
        sys.exit(NOT_STARTED)


def watch(supervisor: int) -> None:
    """Leave a grandchild behind that ends this process once the supervisor is gone.

    For systems whose kernel has no signal for that. A grandchild, since a program may count its children.
    """
    program = os.getpid()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if os.fork():
        os._exit(0)
    os.setsid()  # out of the program's group, which is signalled as a whole
    # The program's output must not be held open by us.
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    while lives(program) and lives(supervisor):
        time.sleep(POLL_SECONDS)
    if lives(program):
        os.kill(program, signal.SIGTERM)
    os._exit(0)


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
