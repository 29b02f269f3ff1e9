"""The guard: so many SKUs falling to zero at once are more likely a fault of the source than a sale.

Every way by which stock is pushed plans its rows in workers/planning.py, which asks here. Counted per site in a
sliding hour: many small falls add up like one large one. What is set aside waits for a person; the rest is pushed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import setting
from models.database import execute, row, rows
from workers.wording import numbered

LOCK = 0x47524421  # "GRD!": the advisory lock's first half; the second is the site
WINDOW_SECONDS = 3600

FALLS_TO_ZERO = "wanted = 0 AND shown > 0"

_FALLING = "SELECT id FROM rm_items WHERE {scope} AND {falls}"
_RECENT = """
    SELECT DISTINCT item_id FROM rm_zeroings
    WHERE site_id = %s AND at > now() - make_interval(secs => %s) AND item_id <> ALL (%s)
"""
_IN_STOCK = """
    SELECT count(*) FROM rm_items
    WHERE site_id = %s AND active AND skip_reason IS NULL AND (shown > 0 OR id = ANY (%s))
"""


def judge(site_id: int, scope: str, parameters: Mapping[str, Any], suspicion: str | None) -> str | None:
    """Why the rows of a plan that fall to zero must wait for a person; None: they may go, and are counted.

    scope: a constant condition on rm_items with its parameters. suspicion: what else speaks against the source.
    In the transaction that plans; two plans of one site wait for each other here.
    """
    falling = [
        item_id for (item_id,) in rows(_FALLING.format(scope=scope, falls=FALLS_TO_ZERO), dict(parameters))
    ]
    if not falling:
        return None
    execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK, site_id))
    reason = suspicion or _too_many(site_id, falling)
    if reason is None:
        execute(
            "INSERT INTO rm_zeroings (site_id, item_id) SELECT %s, unnest(%s::bigint[])", (site_id, falling)
        )
    return reason


def _too_many(site_id: int, falling: list[int]) -> str | None:
    settings = setting.read_all()
    recent = [item_id for (item_id,) in rows(_RECENT, (site_id, WINDOW_SECONDS, falling))]
    number = len(falling) + len(recent)
    if number <= settings["guard_least_skus"]:
        return None
    found = row(_IN_STOCK, (site_id, recent))
    in_stock = found[0] if found else 0
    share = settings["guard_share_percent"]
    already = f", {numbered(len(recent), 'of them has', 'of them have')} already" if recent else ""
    if number * 100 <= in_stock * share:
        return None
    return (
        f"{number:,} of {in_stock:,} SKUs in stock would fall to zero within an hour{already}:"
        f" more than {share}% is held until a person has looked"
    )


def fewer_than_before(now: int, before: int | None) -> str | None:
    """Why an answer of BC with so many items, after so many the last time, is not to be trusted.

    A handful may always go: half of two items is no half of a catalogue.
    """
    settings = setting.read_all()
    share = settings["guard_answer_percent"]
    if before is None or before - now <= settings["guard_least_skus"] or now * 100 >= before * share:
        return None
    return f"Business Central answered with {now:,} items, last time with {before:,}: under {share}% of them"
