"""The one clock: PostgreSQL's. Machines of a fleet disagree; a read's version must not."""

from __future__ import annotations

from datetime import datetime

from models.database import row


def now() -> datetime:
    """This moment, with its zone (UTC), by PostgreSQL's clock; moves on within a transaction."""
    found = row("SELECT clock_timestamp()")
    assert found is not None
    moment: datetime = found[0]
    return moment
