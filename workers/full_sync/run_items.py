"""What became of each item of a run, a page at a time: those it was to push, then those left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database import rows

OUTCOMES = ("planned", "sending", "unsure", "pushed", "unchanged", "failed", "held")
SKIPPED = "skipped"

Key = tuple[str, int, int]
"""Where a page ends: the reason (empty among the pushes, never among the skipped), the job, the item."""
START: Key = ("", 0, 0)


@dataclass(frozen=True, slots=True)
class RunItem:
    """One item in one push, or one that is skipped (as the site's items stand now)."""

    item_id: int
    job_id: int | None
    product_id: int
    variant_id: int
    sku: str
    name: str
    outcome: str
    reason: str | None
    message: str | None
    wanted: int | None
    shown_before: int | None
    sent_at: datetime | None
    decided_at: datetime | None
    shown: int | None

    @property
    def key(self) -> Key:
        """Where a page that ends with this one goes on."""
        if self.outcome == SKIPPED:
            return self.reason or "", 0, self.item_id
        return "", self.job_id or 0, self.item_id


def page(
    run_id: int,
    site_id: int,
    *,
    outcome: str | None = None,
    reason: str | None = None,
    after: Key = START,
    most: int,
) -> list[RunItem]:
    """The next items of a run: pushes by job, and once those end what is skipped, by reason."""
    found: list[RunItem] = []
    skipping, job_id, item_id = after
    if outcome != SKIPPED and not skipping:
        outcomes = OUTCOMES if outcome is None else (outcome,)
        found = _pushes(run_id, outcomes, reason, (job_id, item_id), most)
    if outcome in (None, SKIPPED) and len(found) < most:
        found += skipped(
            site_id, reason, after=(skipping, item_id if skipping else 0), most=most - len(found)
        )
    return found


# Of each outcome as many as could be wanted, in the order of the index; a sort of all would take a second.
_OF_OUTCOME = """
    (SELECT * FROM rm_pushes WHERE run_id = %(run)s AND outcome = '{outcome}'
       AND (job_id, item_id) > (%(job)s, %(item)s) {reason}
     ORDER BY job_id, item_id LIMIT %(most)s)
"""
_PUSHES = """
    SELECT i.id, p.job_id, i.product_id, i.variant_id, i.sku, i.name, p.outcome, p.reason, p.message,
           p.wanted, p.shown_before, p.sent_at, p.decided_at, i.shown
    FROM (SELECT * FROM ({pushes}) found ORDER BY job_id, item_id LIMIT %(most)s) p
    JOIN rm_items i ON i.id = p.item_id ORDER BY p.job_id, p.item_id
"""


def _pushes(
    run_id: int, outcomes: tuple[str, ...], reason: str | None, after: tuple[int, int], most: int
) -> list[RunItem]:
    condition = "" if reason is None else "AND reason = %(reason)s"
    parts = [_OF_OUTCOME.format(outcome=outcome, reason=condition) for outcome in outcomes]
    bound = {"run": run_id, "reason": reason, "job": after[0], "item": after[1], "most": most}
    return _read(_PUSHES.format(pushes=" UNION ALL ".join(parts)), bound)


_SKIPPED = f"""
    SELECT id, NULL, product_id, variant_id, sku, name, '{SKIPPED}', skip_reason, NULL, wanted, shown,
           NULL, NULL, shown
    FROM rm_items WHERE site_id = %(site)s AND active AND skip_reason IS NOT NULL
      AND (skip_reason, id) > (%(after)s, %(item)s) {{reason}}
    ORDER BY skip_reason, id LIMIT %(most)s
"""


def skipped(
    site_id: int, reason: str | None = None, *, after: tuple[str, int] = ("", 0), most: int
) -> list[RunItem]:
    """A site's items that are left alone, by reason. after: the reason and the id of the last one before."""
    condition = "" if reason is None else "AND skip_reason = %(reason)s"
    bound = {"site": site_id, "reason": reason, "after": after[0], "item": after[1], "most": most}
    return _read(_SKIPPED.format(reason=condition), bound)


def _read(sql: str, bound: dict[str, Any]) -> list[RunItem]:
    return [RunItem(*values) for values in rows(sql, bound)]
