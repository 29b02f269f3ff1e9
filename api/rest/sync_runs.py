"""`/api/v1/sync-runs`: each sync of each site, live while it runs."""

from __future__ import annotations

from typing import Annotated

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.auth import requested_by
from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, SiteFilter, Text, one_of
from models.database import session
from models.sync_run import SyncRun
from workers.full_sync import runs
from workers.full_sync.progress import figures
from workers.full_sync.release import release_run
from workers.full_sync.requests import cancel_run

STATUSES = ("queued", "running", "completed", "failed", "held", "cancelled")


class RunPath(BaseModel):
    """Which run."""

    run_id: int


class RunQuery(ListQuery):
    """Which runs."""

    site: SiteFilter = None
    status: Annotated[Text, one_of(*STATUSES)] | None = Field(default=None, description=", ".join(STATUSES))


class RunAnswer(Answer):
    """One sync of one site. `skipped` and `failed` count items by reason."""

    id: int
    site_id: int
    status: str
    step: str = Field(description="start, list, confirm, stock, compare, release, push or finish.")
    requested_by: str
    request_id: str | None
    pages_done: int
    pages_total: int | None
    items_done: int
    items_total: int | None
    to_push: int
    pushed: int
    unchanged: int
    skipped: dict[str, int]
    failed: dict[str, int]
    held: int = Field(description="Items that the guard set aside.")
    superseded_by: int | None = Field(description="The later run that decided anew what this one held.")
    deactivated: int
    calls: int = Field(description="Calls made to both vendors.")
    fewest_calls: int | None = Field(description="The fewest calls that this run could have taken.")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    error: str | None


class RunList(Page):
    """Runs, newest first."""

    items: list[RunAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    from api.rest import run_items

    api = routes.blueprint("sync-runs", "Each sync of each site.")
    one = routes.row_path("run_id", big=True)
    routes.route(api, "GET", "", scope="read", answer=RunList)(list_runs)
    routes.route(api, "GET", one, scope="read", answer=RunAnswer)(get)
    routes.route(api, "GET", f"{one}/items", scope="read", answer=run_items.RunItemList)(run_items.list_items)
    routes.route(api, "POST", f"{one}/cancel", scope="sync", answer=RunAnswer, errors=[409])(cancel)
    routes.route(api, "POST", f"{one}/release", scope="sync", answer=RunAnswer, errors=[409])(release)
    return api


def list_runs(query: RunQuery) -> RunList:
    """List the runs, newest first."""
    after = lists.decode(query.cursor, "runs", [int])
    with session():
        found = runs.newest(
            site_id=query.site, status=query.status, before=after[0] if after else None, most=query.limit + 1
        )
        found, following = lists.page("runs", found, query.limit, lambda run: [run.id])
        return RunList(items=[_answer(run) for run in found], next=following)


def get(path: RunPath) -> RunAnswer:
    """One run, with its figures at this moment."""
    with session():
        return _answer(runs.get(path.run_id))


def cancel(path: RunPath) -> RunAnswer:
    """Stop a run.

    What a worker is sending at this moment is still sent and noted.
    """
    run = cancel_run(path.run_id, requested_by=requested_by())
    with session():
        return _answer(run)


def release(path: RunPath) -> RunAnswer:
    """Let a held run push what the guard set aside.

    What it would set is under `items?outcome=held`. Both ends are read again first.
    """
    run = release_run(path.run_id, requested_by=requested_by(), request_id=routes.request_id())
    with session():
        return _answer(run)


def _answer(run: SyncRun) -> RunAnswer:
    live = {name: value for name, value in figures(run).items() if not name.endswith("_at")}
    return RunAnswer.model_validate(
        {name: live.get(name, getattr(run, name)) for name in RunAnswer.model_fields}
    )
