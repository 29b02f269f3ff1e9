"""One sync: how far it is, what became of each SKU and why, what is held; cancel and release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs, requested_by
from api.panel import asked, csv_file, reasons, words
from api.panel.look import go, page
from api.rest import lists, routes
from models.database import session
from models.sync_run import OPEN_STATUSES, SyncRun
from workers import clock, sites
from workers.full_sync import kept, run_items, runs
from workers.full_sync.outlook import Outlook, outlook
from workers.full_sync.release import release_run
from workers.full_sync.requests import cancel_run
from workers.full_sync.run_items import OUTCOMES, SKIPPED, START, Key, RunItem
from workers.standing import Verdict

HELD_SHOWN = 10
HEAD = ("sku", "name", "product_id", "variant_id", "outcome", "reason", "means", "message", "shown_before",
        "wanted", "shows_now", "sent_at", "decided_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as pages show it. seconds: since its start, until its end or now. counted_at: None: just now."""

    run: SyncRun
    figures: dict[str, Any]
    outlook: Outlook
    counted_at: Any
    seconds: float | None
    held: list[RunItem]

    @property
    def open(self) -> bool:
        """Whether it goes on, or has yet to begin."""
        return self.run.status in OPEN_STATUSES

    @property
    def releasable(self) -> bool:
        """Whether a person may let go what it holds."""
        return self.run.status == "held" and self.run.superseded_by is None


def blueprint() -> Blueprint:
    """`/runs/ID`."""
    pages = Blueprint("runs", __name__)
    one = f"/runs{routes.row_path('run_id', big=True)}"
    pages.get(one)(show)
    pages.get(f"{one}/items")(items)
    pages.get(f"{one}/items.csv")(items_csv)
    pages.post(f"{one}/cancel")(cancel)
    pages.post(f"{one}/release")(release)
    return pages


@needs("read")
def show(run_id: int) -> Response:
    """One run, live while it goes on."""
    with session():
        run = runs.get(run_id)
        shown = look_at(run)
        return page(
            "run.html",
            title=f"Sync {run_id}",
            site=sites.get(run.site_id),
            shown=shown,
            verdict=verdict(shown),
            reasons=reasons,
        )


@needs("read")
def items(run_id: int) -> Response:
    """What became of its SKUs; by outcome and reason."""
    with session():
        run = runs.get(run_id)
        outcome, reason = _filters()
        found = run_items.page(
            run_id, run.site_id, outcome=outcome, reason=reason, after=_after(), most=asked.PAGE + 1
        )
        shown, following = lists.page("panel-run-items", found, asked.PAGE, lambda item: item.key)
        return page(
            "run_items.html",
            title=f"SKUs of sync {run_id}",
            site=sites.get(run.site_id),
            run=run,
            items=shown,
            next=following,
            outcome=outcome,
            reason=reason,
            outcomes=[("", "any"), *((name, name) for name in (*OUTCOMES, SKIPPED))],
            known_reasons=[("", "any"), *((code, words.plain(code)) for code in _known(run, reason))],
            reasons=reasons,
        )


@needs("read")
def items_csv(run_id: int) -> Response:
    """The same as a file, all of them."""
    run = runs.get(run_id)
    outcome, reason = _filters()
    name = "-".join(["sync", str(run_id), *(part for part in (outcome, reason) if part)])
    return csv_file.download(name, HEAD, _all(run, outcome, reason))


@needs("sync")
def cancel(run_id: int) -> Response:
    """Stop a run; what is being sent at this moment is still sent."""
    cancel_run(run_id, requested_by=requested_by())
    return go(url_for("panel.runs.show", run_id=run_id), f"Sync {run_id} is cancelled.")


@needs("sync")
def release(run_id: int) -> Response:
    """Let a held run push what the guard set aside."""
    held = runs.get(run_id).held
    audit.note(held=held)
    release_run(run_id, requested_by=requested_by(), request_id=routes.request_id())
    said = f"Released: {words.skus(held)}. Both ends are read again before anything is pushed."
    return go(url_for("panel.runs.show", run_id=run_id), said)


def look_at(run: SyncRun, *, held: int = HELD_SHOWN) -> Shown:
    """A run with its figures of now, and the first of the SKUs that it holds."""
    counted = kept.figures(run)
    began, ended = run.started_at, run.finished_at or clock.now()
    waits = run.status == "held" and run.superseded_by is None
    return Shown(
        run,
        counted.values,
        outlook(run, counted.values),
        counted.counted_at,
        (ended - began).total_seconds() if began else None,
        run_items.page(run.id, run.site_id, outcome="held", most=held) if waits else [],
    )


def verdict(shown: Shown) -> Verdict:
    """How a run stands, in a sentence."""
    run, figures = shown.run, shown.figures
    failed = sum(figures["failed"].values())
    did = f"{figures['pushed']:,} pushed, {figures['unchanged']:,} right already."
    match run.status:
        case "queued":
            return Verdict("busy", "This sync waits to begin.")
        case "running":
            return Verdict("busy", words.sentence(shown.outlook.words))
        case "held" if run.superseded_by is not None:
            return Verdict("quiet", f"Sync {run.superseded_by} has decided anew what this one held.", did)
        case "held":
            return Verdict("warn", f"{words.skus(run.held)} on hold until somebody has looked.", did)
        case "failed":
            return Verdict("bad", "This sync failed.", run.error or "")
        case "cancelled":
            return Verdict("quiet", "This sync was cancelled.", f"{did} {run.error or ''}")
    if failed:
        return Verdict(
            "warn", f"{words.skus(failed)} not written.", f"{did} What failed stands below, with the reason."
        )
    return Verdict("good", did)


def _filters() -> tuple[str | None, str | None]:
    return asked.one_of("outcome", (*OUTCOMES, SKIPPED)), asked.text("reason") or None


def _known(run: SyncRun, reason: str | None) -> list[str]:
    """The reasons that a run tells of, and the one that is asked for."""
    return sorted({*run.skipped, *run.failed, *([reason] if reason else [])})


def _after() -> Key:
    found = asked.cursor("panel-run-items", [str, int, int])
    return (found[0], found[1], found[2]) if found else START


def _all(run: SyncRun, outcome: str | None, reason: str | None) -> Iterator[list[object]]:
    after = START
    while True:
        found = run_items.page(
            run.id, run.site_id, outcome=outcome, reason=reason, after=after, most=csv_file.ROWS_AT_ONCE
        )
        for item in found:
            means = reasons.of(item.reason).means
            yield [item.sku, item.name, item.product_id, item.variant_id, item.outcome, item.reason, means,
                   item.message, item.shown_before, item.wanted, item.shown, item.sent_at, item.decided_at]  # fmt: skip
        if len(found) < csv_file.ROWS_AT_ONCE:
            return
        after = found[-1].key
