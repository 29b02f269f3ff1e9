"""`python -m workers.alive --seconds N`: was the file of this process touched within the last N seconds?

Asked by Kubernetes every few seconds, so it imports nothing but what Python has loaded anyway; workers/liveness.py
does the touching.
"""

import os
import sys
import time

VARIABLE = "ALIVE_FILE"
USAGE = f"usage: python -m workers.alive --seconds N   ({VARIABLE} names the file)"
ALIVE, HANGS, MISUSED = 0, 1, 2


def look(file: str, seconds: float) -> tuple[int, str]:
    """The exit code and one sentence."""
    try:
        age = time.time() - os.stat(file).st_mtime  # noqa: PTH116 - pathlib would double what this costs
    except OSError as error:
        return HANGS, f"{file}: {error.strerror}"
    return (ALIVE if age <= seconds else HANGS), f"{file} was touched {age:.1f} s ago"


def main(arguments: list[str]) -> int:
    """0: alive; 1: it hangs, or has not begun; 2: asked wrongly."""
    file = os.environ.get(VARIABLE)
    try:
        option, given = arguments
        seconds = float(given)
    except ValueError:
        option, seconds = "", 0.0
    if option != "--seconds" or seconds <= 0 or not file:
        sys.stderr.write(USAGE + "\n")
        return MISUSED
    code, sentence = look(file, seconds)
    sys.stderr.write(sentence + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
