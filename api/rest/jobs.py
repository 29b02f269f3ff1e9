"""`/api/v1/jobs`: the ledger of all work."""

from __future__ import annotations

from typing import Annotated

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, RunFilter, SiteFilter, Text, one_of
from models.database import session
from models.job import JOB_STATUSES, Job
from workers import ledger
from workers.errors import Conflict, UnknownRecord


class JobPath(BaseModel):
    """Which job."""

    job_id: int


class JobQuery(ListQuery):
    """Which jobs."""

    status: Annotated[Text, one_of(*JOB_STATUSES)] | None = Field(
        default=None, description=", ".join(JOB_STATUSES)
    )
    queue: Text | None = Field(default=None, description="webhooks or sync.")
    kind: Text | None = Field(default=None, description="What is done.")
    site: SiteFilter = None
    run: RunFilter = None


class JobAnswer(Answer):
    """One piece of work. `error`: why it failed, or why it waits to be tried again."""

    id: int
    queue: str
    kind: str
    status: str
    priority: int = Field(description="Lower goes first.")
    site_id: int | None
    company_id: int | None
    run_id: int | None
    refresh_id: int | None
    step: str | None
    attempts: int
    max_attempts: int
    calls: int
    error: str | None
    request_id: str | None
    created_at: Moment
    available_at: Moment = Field(description="Not before then.")
    started_at: Moment | None
    lease_expires_at: Moment | None
    finished_at: Moment | None


class JobList(Page):
    """Jobs, newest first."""

    items: list[JobAnswer]


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("jobs", "The ledger of all work.")
    one = routes.row_path("job_id", big=True)
    routes.route(api, "GET", "", scope="read", answer=JobList)(list_jobs)
    routes.route(api, "GET", one, scope="read", answer=JobAnswer)(get)
    routes.route(api, "POST", f"{one}/retry", scope="sync", answer=JobAnswer, errors=[409])(retry)
    routes.route(api, "POST", f"{one}/cancel", scope="sync", answer=JobAnswer, errors=[409])(cancel)
    return api


def list_jobs(query: JobQuery) -> JobList:
    """List the jobs, newest first."""
    after = lists.decode(query.cursor, "jobs", [int])
    chosen = Job.select().order_by(Job.id.desc()).limit(query.limit + 1)
    for column, value in (
        (Job.status, query.status),
        (Job.queue, query.queue),
        (Job.kind, query.kind),
        (Job.site, query.site),
        (Job.run, query.run),
    ):
        if value is not None:
            chosen = chosen.where(column == value)
    if after:
        chosen = chosen.where(Job.id < after[0])
    with session():
        found, following = lists.page("jobs", list(chosen), query.limit, lambda job: [job.id])
    return JobList(items=[JobAnswer.model_validate(job) for job in found], next=following)


def get(path: JobPath) -> JobAnswer:
    """One job."""
    with session():
        found = Job.get_or_none(Job.id == path.job_id)
    if found is None:
        raise UnknownRecord("job")
    return JobAnswer.model_validate(found)


def retry(path: JobPath) -> JobAnswer:
    """Give a failed job all its attempts again."""
    job = get(path)
    if not ledger.retry(path.job_id):
        raise Conflict("not_retryable", f"the job is {job.status}, or the run that it belongs to is over")
    return get(path)


def cancel(path: JobPath) -> JobAnswer:
    """End a job that has not ended: it becomes failed, with the error `cancelled`."""
    job = get(path)
    if not ledger.cancel(path.job_id):
        raise Conflict("job_over", f"the job is {job.status} already")
    return get(path)
