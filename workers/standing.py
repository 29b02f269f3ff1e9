"""How everything stands, for whoever looks once: each site at a glance, and one sentence for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database import row, rows
from workers.wording import numbered

SITES_SHOWN = 25  # those that need somebody first


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """A site at a glance. age_seconds: since the end of its last completed run; None: never synced.

    store: its address or store hash. held: how many SKUs its last run waits with, where that is so.
    leaving: it is being deleted.
    """

    id: int
    name: str
    platform: str
    active: bool
    last_synced_at: datetime | None
    age_seconds: float | None
    run_id: int | None
    run_status: str | None
    items: int
    agreeing: int
    drifting: int
    skipped: int
    failed: int
    unsettled: int
    alerts: int
    store: str
    company: str
    run_step: str | None
    held: int
    leaving: bool

    @property
    def under_way(self) -> int:
        """How many SKUs are to be written or read: those that the guard holds wait for a person instead."""
        return max(self.unsettled - self.held, 0)

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to look."""
        return self.active and bool(self.alerts or self.failed or self.run_status in ("held", "failed"))


_SITES = """
    SELECT s.id, s.name, s.platform, s.active, s.last_synced_at,
           extract(epoch FROM now() - s.last_synced_at)::float8, r.id, r.status,
           coalesce(f.active, 0), coalesce(f.agreeing, 0), coalesce(f.drifting, 0), coalesce(f.skipped, 0),
           coalesce(f.failed, 0), coalesce(f.unsettled, 0), coalesce(a.number, 0),
           coalesce(s.store_hash, s.url, ''), c.name, r.step, CASE WHEN r.status = 'held' THEN r.held ELSE 0 END,
           s.leaving_at IS NOT NULL
    FROM rm_sites s JOIN rm_companies c ON c.id = s.company_id
    LEFT JOIN rm_site_figures f ON f.site_id = s.id
    LEFT JOIN LATERAL (
        SELECT id, status, step, held FROM rm_sync_runs WHERE site_id = s.id ORDER BY id DESC LIMIT 1) r ON true
    LEFT JOIN (
        SELECT site_id, count(*) AS number FROM rm_alerts
        WHERE state = 'open' AND site_id IS NOT NULL GROUP BY site_id) a ON a.site_id = s.id
    WHERE {which} ORDER BY {order} LIMIT %(most)s
"""
_NEEDIEST_FIRST = """
    s.active DESC, coalesce(a.number, 0) = 0, coalesce(r.status NOT IN ('held', 'failed'), true),
    coalesce(f.failed, 0) = 0, lower(s.name)
"""


def sites(most: int = SITES_SHOWN) -> list[SiteStanding]:
    """Sites at a glance, those first that need somebody."""
    return _found("s.leaving_at IS NULL", _NEEDIEST_FIRST, {"most": most})


def site(site_id: int) -> SiteStanding | None:
    """One site at a glance."""
    found = _found("s.id = %(id)s AND s.leaving_at IS NULL", "s.id", {"most": 1, "id": site_id})
    return found[0] if found else None


STATES = {
    "needs": "s.active AND (a.number > 0 OR f.failed > 0 OR r.status IN ('held', 'failed'))",
    "syncing": "r.status IN ('queued', 'running')",
    "never": "s.active AND s.last_synced_at IS NULL",
    "paused": "NOT s.active AND s.leaving_at IS NULL",
    "leaving": "s.leaving_at IS NOT NULL",
}
"""Which sites one may ask for, and the condition of each."""
_NAMED = """
    (position(lower(%(text)s) IN lower(s.name)) > 0 OR position(lower(%(text)s) IN lower(c.name)) > 0
     OR position(lower(%(text)s) IN lower(coalesce(s.store_hash, s.url, ''))) > 0)
"""


def search(
    text: str = "",
    *,
    platform: str | None = None,
    state: str | None = None,
    after: int | None = None,
    most: int,
) -> list[SiteStanding]:
    """Sites by name. text: part of a name, a company's name or an address. state: one of STATES.

    after: the site with which the page before ended.
    """
    which = ["true"]
    if text:
        which.append(_NAMED)
    if platform is not None:
        which.append("s.platform = %(platform)s")
    if state is not None:
        which.append(f"({STATES[state]})")
    if after is not None:
        which.append("(lower(s.name), s.id) > (SELECT lower(name), id FROM rm_sites WHERE id = %(after)s)")
    bound = {"text": text, "platform": platform, "after": after, "most": most}
    return _found(" AND ".join(which), "lower(s.name), s.id", bound)


def _found(which: str, order: str, bound: dict[str, Any]) -> list[SiteStanding]:
    return [SiteStanding(*found) for found in rows(_SITES.format(which=which, order=order), bound)]


@dataclass(frozen=True, slots=True)
class Totals:
    """All active sites together."""

    sites: int
    inactive: int
    never_synced: int
    items: int
    agreeing: int
    drifting: int
    skipped: int
    failed: int
    unsettled: int
    running: int
    alerts: int


def totals() -> Totals:
    """All sites together, from kept figures."""
    found = row(_TOTALS)
    assert found is not None
    return Totals(*map(int, found))


_TOTALS = """
    SELECT count(*) FILTER (WHERE s.active), count(*) FILTER (WHERE NOT s.active AND s.leaving_at IS NULL),
           count(*) FILTER (WHERE s.active AND s.last_synced_at IS NULL),
           coalesce(sum(f.active) FILTER (WHERE s.active), 0),
           coalesce(sum(f.agreeing) FILTER (WHERE s.active), 0),
           coalesce(sum(f.drifting) FILTER (WHERE s.active), 0),
           coalesce(sum(f.skipped) FILTER (WHERE s.active), 0),
           coalesce(sum(f.failed) FILTER (WHERE s.active), 0),
           coalesce(sum(f.unsettled) FILTER (WHERE s.active), 0),
           (SELECT count(*) FROM rm_sync_runs WHERE status = 'running'),
           (SELECT count(*) FROM rm_alerts WHERE state = 'open')
    FROM rm_sites s LEFT JOIN rm_site_figures f ON f.site_id = s.id
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to "is everything right?". kind: good, warn, bad or quiet."""

    kind: str
    sentence: str
    advice: str = ""


def verdict(all_sites: Totals, alerts: Sequence[str]) -> Verdict:
    """One sentence for the whole. alerts: the sentences of those that are open."""
    if not all_sites.sites:
        return Verdict("quiet", "No shop is synced yet.", "Add a company, then a site, and test it.")
    if alerts:
        needs = "One thing needs you." if len(alerts) == 1 else f"{len(alerts)} things need you."
        return Verdict("bad", needs, "Each alert below says what it is about.")
    if all_sites.failed:
        return Verdict(
            "warn",
            f"Refused by their shop: {all_sites.failed:,} of {all_sites.items:,} SKUs.",
            "Open a site, and filter its items by failed: each has the shop's reason.",
        )
    if all_sites.running or all_sites.unsettled:
        return Verdict(
            "busy",
            f"Work is under way: {all_sites.agreeing:,} of {all_sites.items:,} SKUs show what they should.",
        )
    right = all_sites.items - all_sites.skipped - all_sites.drifting
    shops = numbered(all_sites.sites, "shop", "shops")
    show = numbered(right, f"SKU in {shops} shows what it", f"SKUs in {shops} show what they")
    sentence = f"Everything is right: {show} should."
    advice = ""
    if all_sites.drifting:
        less = numbered(
            all_sites.drifting, "more shows less since it has sold", "more show less since they have sold"
        )
        advice = f"{less}; the next full sync looks again."
    return Verdict("good", sentence, advice)


def site_verdict(shown: SiteStanding, alerts: Sequence[str], error: str | None = None) -> Verdict:
    """One sentence for a site. alerts: the sentences of its own that are open. error: of its last run."""
    if not shown.active:
        return Verdict(
            "quiet", "This shop is paused: nothing in it is changed.", "Resuming it starts a full sync."
        )
    if shown.run_status == "held":
        return Verdict(
            "warn",
            f"SKUs on hold until somebody has looked: {shown.held:,}. They would fall to zero.",
            "Everything else was pushed. Release them, or put right what is wrong and sync again.",
        )
    if shown.run_status == "failed":
        return Verdict("bad", "The last full sync failed.", error or "")
    if alerts:
        return Verdict("bad", alerts[0], f"{len(alerts) - 1} more below." if len(alerts) > 1 else "")
    if shown.run_status in ("queued", "running"):
        return Verdict("busy", "A full sync is under way.")
    if shown.failed:
        return Verdict(
            "warn",
            f"{shown.failed:,} of {shown.items:,} SKUs were refused by the shop.",
            "Each has the shop's reason: look at those that failed.",
        )
    if shown.last_synced_at is None:
        return Verdict("quiet", "This shop was never synced.", "Test the connection, then sync it.")
    if shown.unsettled:
        return Verdict(
            "busy", f"Work is under way: {shown.agreeing:,} of {shown.items:,} SKUs show what they should."
        )
    advice = f"{shown.skipped:,} more are left alone, each with a reason." if shown.skipped else ""
    one = shown.agreeing == 1
    right = "1 SKU shows what it" if one else f"{shown.agreeing:,} SKUs show what they"
    return Verdict("good", f"Everything is right: {right} should.", advice)
