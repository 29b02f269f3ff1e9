"""TCP ports: whether one is free, and which pair to take."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now; a port in TIME_WAIT is free, as it is for gunicorn."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()
    except OSError:
        return False
    return True


def free_pair(host: str, wanted: int) -> tuple[int, int]:
    """`wanted` and the one after it where both are free, else two that the system gives."""
    if is_free(host, wanted) and is_free(host, wanted + 1):
        return wanted, wanted + 1
    first, second = free_ports(host, 2)
    return first, second


def free_ports(host: str, count: int) -> list[int]:
    """Ports that nobody listens on; all are held open until all are chosen, so that none comes twice."""
    with ExitStack() as stack:
        trials = [stack.enter_context(socket.socket()) for _ in range(count)]
        for trial in trials:
            trial.bind((host, 0))
        return [int(trial.getsockname()[1]) for trial in trials]
