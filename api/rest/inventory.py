"""`inventory/...`: ask for a sync, see how work stands; also under the path of the system before this one."""

from __future__ import annotations

from datetime import datetime

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.auth import requested_by
from api.rest import routes
from api.rest.lists import Answer
from models.database import rows, session
from workers import figures
from workers.full_sync.requests import Requested, request_sync, request_sync_all

PREFIXES = {"inventory": routes.PREFIX, "inventory_wp": "/wp-json/gsm-middleware/v1"}


class SitePath(BaseModel):
    """Which site."""

    site_id: int


class SyncAnswer(Answer):
    """The run that does it. `joined` stands there, true, only where the run was asked for before."""

    run_id: int
    job_id: int
    status: str = Field(description="The run's status.")
    joined: bool | None = Field(default=None, exclude_if=lambda joined: not joined)


class StartedRun(Answer):
    """One site's run."""

    site_id: int
    run_id: int


class SyncAllAnswer(Answer):
    """A run for every active site."""

    runs: list[StartedRun]


class QueueFigures(Answer):
    """How many jobs there are, by status. `total` is the sum."""

    total: int
    pending: int
    processing: int
    completed: int
    failed: int


class LastSync(Answer):
    """The end of a site's last completed run, in UTC."""

    site_id: str = Field(examples=["5"])
    last_sync: str = Field(examples=["2026-03-19 02:15:23"])


class Stats(Answer):
    """Work and syncs at a glance. A site that was never synced is absent."""

    queue: QueueFigures
    last_syncs: list[LastSync]


def blueprint(name: str, prefix: str) -> APIBlueprint:
    """The same routes for each place that they are mounted at."""
    api = routes.blueprint("inventory", "Ask for syncs.", prefix=prefix, name=name)
    one = "/sync" + routes.row_path("site_id")
    routes.route(api, "POST", one, scope="sync", answer=SyncAnswer, status=202, errors=[409])(sync_one)
    routes.route(api, "POST", "/sync/all", scope="sync", answer=SyncAllAnswer, status=202)(sync_all)
    routes.route(api, "GET", "/stats", scope="read", answer=Stats)(stats)
    return api


def sync_one(path: SitePath) -> SyncAnswer:
    """Ask for a full sync of one site.

    Joins the run that waits, if there is one. A body is not needed, and not looked at.
    """
    asked = request_sync(path.site_id, requested_by=requested_by(), request_id=routes.request_id())
    return SyncAnswer.model_validate(asked)


def sync_all() -> SyncAllAnswer:
    """Ask for a full sync of every active site.

    A body is not needed, and not looked at.
    """
    asked: list[Requested] = request_sync_all(requested_by=requested_by(), request_id=routes.request_id())
    return SyncAllAnswer(runs=[StartedRun.model_validate(one) for one in asked])


def stats() -> Stats:
    """How much work waits, and when each site was last synced."""
    with session():
        queue = figures.queue()
        ends = rows(_LAST_SYNCS)
    return Stats(
        queue=QueueFigures.model_validate(queue),
        last_syncs=[LastSync(site_id=str(site_id), last_sync=_old_style(end)) for site_id, end in ends],
    )


# The site's own column outlives its runs, which the clean-up deletes.
_LAST_SYNCS = """
    SELECT s.id, greatest(s.last_synced_at, r.finished_at) FROM rm_sites s
    LEFT JOIN LATERAL (
        SELECT finished_at FROM rm_sync_runs
        WHERE site_id = s.id AND status = 'completed' ORDER BY id DESC LIMIT 1
    ) r ON true
    WHERE s.leaving_at IS NULL AND coalesce(s.last_synced_at, r.finished_at) IS NOT NULL ORDER BY s.id
"""


def _old_style(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
