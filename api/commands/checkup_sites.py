"""What `inventory-sync doctor` says of each company and each active site, from what is stored: nobody is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.commands.finding import Finding, ago
from models.database import rows
from workers import breaker
from workers.redis_client import RedisAwayError

STALE_HOURS = 30  # a night a day, and one may begin four hours late
HEARD_DAYS = 7

_COMPANIES = """
    SELECT c.id, c.name, extract(epoch FROM now() - good.finished_at)::double precision, last.error, r.error
    FROM rm_companies c
    LEFT JOIN LATERAL (
        SELECT finished_at FROM rm_stock_refreshes WHERE company_id = c.id AND status = 'completed'
        ORDER BY id DESC LIMIT 1) good ON true
    LEFT JOIN LATERAL (
        SELECT error FROM rm_stock_refreshes WHERE company_id = c.id AND status IN ('completed', 'failed')
        ORDER BY id DESC LIMIT 1) last ON true
    LEFT JOIN rm_refusals r ON r.subject = 'company:' || c.id
    WHERE EXISTS (SELECT FROM rm_sites s WHERE s.company_id = c.id AND s.active)
    ORDER BY c.id
"""
_SITES = """
    SELECT s.id, s.name, s.full_sync_enabled, extract(epoch FROM now() - s.last_synced_at)::double precision,
           extract(epoch FROM now() - s.created_at)::double precision, last.status, last.error, r.error,
           s.webhooks ? 'registered_at', broken.topics,
           EXISTS (SELECT FROM rm_webhook_log l WHERE l.site_id = s.id AND l.status <> 'rejected'
                   AND l.received_at > now() - make_interval(days => %s))
    FROM rm_sites s
    LEFT JOIN LATERAL (
        SELECT status, error FROM rm_sync_runs WHERE site_id = s.id AND status IN ('completed', 'failed', 'held')
        ORDER BY id DESC LIMIT 1) last ON true
    LEFT JOIN rm_refusals r ON r.subject = 'site:' || s.id
    CROSS JOIN LATERAL (
        SELECT string_agg(t.key || ' is ' || (t.value ->> 'state'), ', ' ORDER BY t.key) AS topics
        FROM jsonb_each(s.webhooks -> 'topics') t WHERE t.value ->> 'state' <> 'healthy') broken
    WHERE s.active ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class _Site:
    """seconds: since the last good sync; None: there was none. age: since the site was made."""

    id: int
    name: str
    has_nights: bool
    seconds: float | None
    age: float
    last_status: str | None
    last_error: str | None
    refusal: str | None
    registered: bool
    broken_topics: str | None
    heard: bool

    @property
    def check(self) -> str:
        return f"site {self.name}"


def check_companies() -> Iterator[Finding]:
    """Business Central lets itself be read."""
    for company_id, name, seconds, error, refusal in rows(_COMPANIES):
        check = f"company {name}"
        test = f"then `inventory-sync company test {company_id}`"
        bad = []
        if refusal is not None:
            fix = f"correct its credentials or permissions, {test}"
            bad.append(Finding(check, "problem", f"Business Central refuses us: {refusal}", fix))
        elif error is not None:
            bad.append(
                Finding(check, "problem", f"its stock could not be read: {error}", f"correct it, {test}")
            )
        if since := _open_since(breaker.company_scope(company_id)):
            bad.append(_failing(check, "Business Central", since, test))
        read = (
            f"its stock was last read {ago(seconds)}" if seconds is not None else "its stock was never read"
        )
        yield from bad or [Finding(check, "ok", read)]


def check_sites() -> Iterator[Finding]:
    """Each shop was synced lately, answers, takes our credentials and tells us of changes."""
    for found in rows(_SITES, (HEARD_DAYS,)):
        site = _Site(*found)
        bad = [*_synced(site), *_answering(site), *_telling(site)]
        yield from bad or [Finding(site.check, "ok", _last_sync(site))]


def _last_sync(site: _Site) -> str:
    return f"last synced {ago(site.seconds)}" if site.seconds is not None else "not synced yet"


def _synced(site: _Site) -> Iterator[Finding]:
    fix = f"see `inventory-sync runs list --site {site.id}`, then `inventory-sync sync {site.id}`"
    if site.last_status == "held":
        yield Finding(
            site.check,
            "problem",
            f"its last sync is held: {site.last_error}",
            "look at it with `inventory-sync release RUN`; "
            f"`inventory-sync runs list --site {site.id}` names the run",
        )
    elif site.last_status == "failed":
        yield Finding(
            site.check, "problem", f"its last sync failed: {site.last_error}; {_last_sync(site)}", fix
        )
    elif site.has_nights and (site.seconds if site.seconds is not None else site.age) > STALE_HOURS * 3600:
        yield Finding(site.check, "problem", f"{_last_sync(site)}: more than a night ago", fix)
    elif site.seconds is None:
        yield Finding(site.check, "warning", "not synced yet", fix)


def _answering(site: _Site) -> Iterator[Finding]:
    test = f"then `inventory-sync site test {site.id}`"
    if site.refusal is not None:
        fix = f"correct its credentials or their permissions, {test}"
        yield Finding(site.check, "problem", f"the shop refuses us: {site.refusal}", fix)
    if since := _open_since(breaker.site_scope(site.id)):
        yield _failing(site.check, "the shop", since, test)


def _telling(site: _Site) -> Iterator[Finding]:
    register = f"run `inventory-sync webhooks register {site.id}`"
    if site.broken_topics is not None:
        yield Finding(
            site.check, "problem", f"the shop does not tell us of everything: {site.broken_topics}", register
        )
    elif not site.registered and not site.heard:
        message = "no webhooks are registered: what changes in the shop shows with the next night only"
        yield Finding(site.check, "warning", message, register)


def _open_since(scope: str) -> float | None:
    try:
        return breaker.open_seconds(scope)
    except RedisAwayError:
        return None  # that Redis is away stands at the top


def _failing(check: str, who: str, seconds: float, test: str) -> Finding:
    message = (
        f"{who} has not answered for {ago(seconds, '')}; its work waits, and one call in 20 s tries again"
    )
    return Finding(check, "problem", message, f"see whether it is down, {test}")
