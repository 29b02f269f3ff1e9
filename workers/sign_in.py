"""Signing in, slower after every failure: guessing becomes hopeless, and a typo costs nothing."""

from __future__ import annotations

from models.access import User
from models.database import execute, row
from workers import users
from workers.errors import InventorySyncError

FREE_FAILURES = 5  # of one name from one address, in WINDOW_MINUTES
FREE_OF_ADDRESS = 30  # whatever the names: an office may share an address
FREE_OF_NAME = 100  # whatever the addresses: else anyone could lock anyone out with few tries
WINDOW_MINUTES = 60
FIRST_WAIT = 2.0  # seconds, doubling
LONGEST_WAIT = 300.0


class TooManyFailures(InventorySyncError):  # noqa: N818
    """Wait before the next try. seconds: how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed tries: wait {seconds:.0f} s before the next")
        self.seconds = seconds


def sign_in(name: str, password: str, *, address: str) -> User | None:
    """The person, or None for a wrong name or password. Raises TooManyFailures before it looks at either."""
    key = name.strip().lower()[:200]
    waits = _waits(key, address)
    if waits > 0:
        raise TooManyFailures(waits)
    # Counted before it is looked at: of many tries at once each sees the others.
    execute("INSERT INTO rm_sign_in_failures (name, address) VALUES (%s, %s)", (key, address))
    person = users.verify(name, password)
    if person is not None:
        execute("DELETE FROM rm_sign_in_failures WHERE name = %s AND address = %s", (key, address))
    return person


def _waits(name: str, address: str) -> float:
    """Seconds until the next try is taken."""
    found = row(_FAILURES, {"name": name, "address": address, "window": WINDOW_MINUTES})
    assert found is not None
    pair, of_address, of_name, since = found
    over = max(pair - FREE_FAILURES, of_address - FREE_OF_ADDRESS, of_name - FREE_OF_NAME)
    if over < 0:
        return 0.0
    return max(0.0, min(FIRST_WAIT * 2**over, LONGEST_WAIT) - float(since))


_FAILURES = """
    SELECT count(*) FILTER (WHERE name = %(name)s AND address = %(address)s),
           count(*) FILTER (WHERE address = %(address)s),
           count(*) FILTER (WHERE name = %(name)s),
           coalesce(extract(epoch FROM now() - max(at)), 0)
    FROM rm_sign_in_failures
    WHERE (name = %(name)s OR address = %(address)s) AND at > now() - make_interval(mins => %(window)s)
"""
