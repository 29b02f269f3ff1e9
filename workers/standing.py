"""How everything stands, for whoever looks once: each site at a glance, and one sentence for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.database import row, rows

SITES_SHOWN = 25  # those that need somebody first


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """A site at a glance. age_seconds: since the end of its last completed run; None: never synced."""

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


_SITES = """
    SELECT s.id, s.name, s.platform, s.active, s.last_synced_at,
           extract(epoch FROM now() - s.last_synced_at)::float8, r.id, r.status,
           coalesce(f.active, 0), coalesce(f.agreeing, 0), coalesce(f.drifting, 0), coalesce(f.skipped, 0),
           coalesce(f.failed, 0), coalesce(f.unsettled, 0), coalesce(a.number, 0)
    FROM rm_sites s
    LEFT JOIN rm_site_figures f ON f.site_id = s.id
    LEFT JOIN LATERAL (
        SELECT id, status FROM rm_sync_runs WHERE site_id = s.id ORDER BY id DESC LIMIT 1) r ON true
    LEFT JOIN (
        SELECT site_id, count(*) AS number FROM rm_alerts
        WHERE state = 'open' AND site_id IS NOT NULL GROUP BY site_id) a ON a.site_id = s.id
    WHERE %(id)s::int IS NULL OR s.id = %(id)s
    ORDER BY s.active DESC, coalesce(a.number, 0) = 0, coalesce(r.status NOT IN ('held', 'failed'), true),
             coalesce(f.failed, 0) = 0, lower(s.name)
    LIMIT %(most)s
"""


def sites(most: int = SITES_SHOWN) -> list[SiteStanding]:
    """Sites at a glance, those first that need somebody."""
    return [SiteStanding(*found) for found in rows(_SITES, {"most": most, "id": None})]


def site(site_id: int) -> SiteStanding | None:
    """One site at a glance."""
    found = rows(_SITES, {"most": 1, "id": site_id})
    return SiteStanding(*found[0]) if found else None


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
    SELECT count(*) FILTER (WHERE s.active), count(*) FILTER (WHERE NOT s.active),
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
            f"{all_sites.failed:,} of {all_sites.items:,} SKUs were refused by their shop.",
            "Open a site, and filter its items by failed: each has the shop's reason.",
        )
    if all_sites.running or all_sites.unsettled:
        return Verdict(
            "busy",
            f"Work is under way: {all_sites.agreeing:,} of {all_sites.items:,} SKUs show what they should.",
        )
    right = all_sites.items - all_sites.skipped - all_sites.drifting
    sentence = f"Everything is right: {right:,} SKUs in {all_sites.sites:,} shops show what they should."
    advice = ""
    if all_sites.drifting:
        advice = (
            f"{all_sites.drifting:,} more show less since they have sold; the next full sync looks at them."
        )
    return Verdict("good", sentence, advice)
