"""One site: how it stands, what goes on, its runs, what is left alone and why, its webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint
from werkzeug.wrappers import Response

from api.auth import needs
from api.panel import asked, csv_file, reasons, runs, site_form
from api.panel.look import page
from api.rest import lists, routes
from models import setting
from models.alert import OPEN, Alert
from models.database import session
from models.figures import SiteFigures
from models.site import Site
from models.sync_run import OPEN_STATUSES
from workers import companies, sites, standing, timetable
from workers.errors import UnknownRecord
from workers.full_sync import run_items
from workers.full_sync import runs as all_runs
from workers.full_sync.run_items import RunItem
from workers.webhooks import registration
from workers.webhooks.hook_desk import SETTING

RUNS_SHOWN = 15
ALERTS_SHOWN = 20
HEAD = ("sku", "name", "product_id", "variant_id", "reason", "means", "fix", "shows_now")


def blueprint() -> Blueprint:
    """`/sites/ID` and what is left alone there."""
    pages = Blueprint("site", __name__)
    one = f"/sites{routes.row_path('site_id')}"
    pages.get(one)(show)
    pages.get(f"{one}/left-alone")(left_alone)
    pages.get(f"{one}/left-alone.csv")(left_alone_csv)
    return pages


@needs("read")
def show(site_id: int) -> Response:
    """All of a site on one page; its live parts are asked for anew every few seconds."""
    with session():
        site = sites.get(site_id)
        shown = standing.site(site_id)
        if shown is None:  # deleted at this moment
            raise UnknownRecord("site")
        before = asked.cursor("panel-runs", [int])
        found = all_runs.newest(site_id=site_id, before=before[0] if before else None, most=RUNS_SHOWN + 1)
        listed, following = lists.page("panel-runs", found, RUNS_SHOWN, lambda run: [run.id])
        latest = all_runs.newest(site_id=site_id, most=2)
        alerts = _alerts(site_id)
        error = latest[0].error if latest else None
        return page(
            "site.html",
            title=site.name,
            site=site,
            company=companies.get(site.company_id),
            standing=shown,
            verdict=standing.site_verdict(shown, [alert.sentence for alert in alerts], error),
            alerts=alerts,
            open_runs=[runs.look_at(run) for run in reversed(latest) if run.status in OPEN_STATUSES],
            held=next((runs.look_at(run) for run in latest[:1] if run.status == "held"), None),
            runs=listed,
            next=following,
            left_alone=_reasons(site_id),
            reasons=reasons,
            webhooks=registration.remembered(site),
            webhook_address=setting.read(SETTING),
            next_night=timetable.next_of(site),
            secrets=site_form.secrets_set(site),
        )


@needs("read")
def left_alone(site_id: int) -> Response:
    """The SKUs that are left alone, by reason."""
    reason = asked.text("reason") or None
    after = asked.cursor("panel-left-alone", [str, int])
    with session():
        site = sites.get(site_id)
        found = run_items.skipped(
            site_id, reason, after=(after[0], after[1]) if after else ("", 0), most=asked.PAGE + 1
        )
        shown, following = lists.page("panel-left-alone", found, asked.PAGE, _key)
        return page(
            "left_alone.html",
            title=f"Left alone in {site.name}",
            site=site,
            items=shown,
            next=following,
            reason=reason,
            counts=_reasons(site_id),
            reasons=reasons,
        )


@needs("read")
def left_alone_csv(site_id: int) -> Response:
    """The same as a file, all of them."""
    site = sites.get(site_id)
    reason = asked.text("reason") or None
    name = "-".join(["left-alone", f"site-{site_id}", *([reason] if reason else [])])
    return csv_file.download(name, HEAD, _all(site, reason))


def _key(item: RunItem) -> list[int | str]:
    return [item.reason or "", item.item_id]


def _reasons(site_id: int) -> list[tuple[str, int]]:
    """Reason -> how many SKUs, the most first; as they were counted some seconds ago."""
    found = SiteFigures.get_or_none(SiteFigures.site == site_id)
    counts: dict[str, int] = found.reasons if found is not None else {}
    return sorted(counts.items(), key=lambda pair: -pair[1])


def _alerts(site_id: int) -> list[Alert]:
    open_ones = Alert.select().where(Alert.site == site_id, Alert.state == OPEN)
    return list(open_ones.order_by(Alert.id.desc()).limit(ALERTS_SHOWN))


def _all(site: Site, reason: str | None) -> Iterator[list[object]]:
    after = ("", 0)
    while True:
        found = run_items.skipped(site.id, reason, after=after, most=csv_file.ROWS_AT_ONCE)
        for item in found:
            why = reasons.of(item.reason)
            yield [
                item.sku,
                item.name,
                item.product_id,
                item.variant_id,
                item.reason,
                why.means,
                why.fix,
                item.shown,
            ]
        if len(found) < csv_file.ROWS_AT_ONCE:
            return
        after = (found[-1].reason or "", found[-1].item_id)
