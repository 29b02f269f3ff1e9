"""How a night's sites are spread, so that no vendor's limit and no worker is hit by all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from models.database import rows

AT_ONCE = 10  # so few sites begin at once: workers and vendors take them as they are
SECONDS_EACH = 2.0  # between two sites: about what one call for a shop's facts and its first pages take
LONGEST_SECONDS = 600.0  # however many: BC is read at the beginning, and its answer must not grow old


def delays(sites: Sequence[int]) -> dict[int, float]:
    """Seconds after which each site may begin. Sites of one store, which share its limit, stand far apart."""
    ordered = rows(
        "SELECT id FROM rm_sites WHERE id = ANY (%s)"
        " ORDER BY row_number() OVER (PARTITION BY store_key ORDER BY id), id",
        (list(sites),),
    )
    return {site_id: waits for (site_id,), waits in zip(ordered, places(len(ordered)), strict=True)}


def places(number: int) -> list[float]:
    """The seconds of the first, second ... of so many: none for a few, evenly up to the longest for hundreds."""
    late = max(number - AT_ONCE, 0)
    step = min(SECONDS_EACH, LONGEST_SECONDS / late) if late else 0.0
    return [max(place - AT_ONCE + 1, 0) * step for place in range(number)]
