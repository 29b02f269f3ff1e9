"""Jobs: found by their status, kind, site, run and age; one with all its attempts; retry, cancel, give back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs
from api.panel import asked, job_words, words
from api.panel.look import go, page
from api.rest import lists, routes
from models.database import session
from models.job import OPEN
from workers import job_desk, job_lists, sites
from workers.errors import Conflict
from workers.forms import LARGEST_BIGINT
from workers.job_desk import ACTIONS, CANCEL, RELEASE, RETRY, Action, Done
from workers.job_lists import AGES, STATUSES, JobFilter, JobView
from workers.jobs import QUEUES
from workers.log import redact
from workers.standing import Verdict
from workers.wording import numbered

CURSOR = "panel-jobs"
BUTTONS = {RETRY: "Retry", CANCEL: "Cancel", RELEASE: "Give back"}
DID = {RETRY: "waiting again", CANCEL: "cancelled", RELEASE: "given back"}
WHAT = {
    RETRY: "Each gets all its attempts again. Those whose sync is over stay as they are: start a new sync instead.",
    CANCEL: "Each ends as failed, with the error “cancelled”. What a worker writes at this moment is still written.",
    RELEASE: "Each goes back to its queue; what its worker does from now on counts no more.",
}


def blueprint() -> Blueprint:
    """`/queues/jobs`, one of them, and what is done to one or to many."""
    pages = Blueprint("jobs", __name__)
    one = f"/queues/jobs{routes.row_path('job_id', big=True)}"
    pages.get("/queues/jobs")(show_all)
    pages.get(one)(show)
    for name in ACTIONS:
        pages.get(f"/queues/jobs/{name}", endpoint=f"ask_to_{name}")(_asking(name))
        pages.post(f"/queues/jobs/{name}", endpoint=f"{name}_all")(_doing(name))
        pages.post(f"{one}/{name}", endpoint=name)(_doing_one(name))
    return pages


@needs("read")
def show_all() -> Response:
    """The jobs that are asked for, the newest first; filters live in the address."""
    wanted, errors = asked.filters(JobFilter)
    with session():
        found = job_lists.page(wanted, asked.cursor(CURSOR, [int]), asked.PAGE)
        return page(
            "jobs.html",
            422 if errors else 200,
            title="Jobs",
            found=found,
            next=lists.encode(CURSOR, found.next) if found.next else None,
            errors=errors,
            wanted=wanted,
            chosen=wanted.model_dump(exclude_none=True),
            actions=[
                (name, BUTTONS[name]) for name, action in ACTIONS.items() if wanted.status in action.takes
            ],
            statuses=[("", "any"), *((status, status) for status in STATUSES)],
            queues=[("", "any"), *((queue, queue) for queue in QUEUES)],
            kinds=[("", "any"), *sorted(job_words.KIND_WORDS.items(), key=lambda pair: pair[1])],
            ages=[("", "whenever"), *((age, told) for age, (told, _) in AGES.items())],
            sites=[("", "all"), *sites.names()],
            kind_words=job_words.of,
        )


@needs("read")
def show(job_id: int) -> Response:
    """One job, with why each of its last attempts failed."""
    with session():
        job = job_lists.get(job_id)
        return page(
            "job.html",
            title=f"Job {job_id}",
            job=job,
            verdict=verdict(job),
            kind_words=job_words.of,
            payload=redact(None, "", dict(job.payload)),
            result=redact(None, "", dict(job.result or {})),
            open=job.status in OPEN,
        )


def verdict(job: JobView) -> Verdict:
    """How a job stands, in a sentence."""
    what = job_words.of(job.kind)
    match job.status:
        case "completed":
            return Verdict("good", f"{what}: done.")
        case "failed":
            return Verdict("bad", f"{what}: it failed. {words.sentence(job.error)}")
        case "processing" if job.stuck:
            return Verdict(
                "bad",
                f"{what}: it hangs.",
                "Its worker gives no sign of life, or it has run for too long: give it back.",
            )
        case "processing":
            return Verdict("busy", f"{what}: a worker is at it.")
    if job.due:
        return Verdict("busy", f"{what}: it waits for a worker.", words.sentence(job.error))
    return Verdict("busy", f"{what}: it waits for its time.", words.sentence(job.error))


def _asking(name: str) -> Any:
    @needs("sync")
    def ask() -> Response:
        wanted = asked.form(JobFilter)
        action = job_desk.action_of(name, wanted)
        with session():
            number, exact = job_lists.number(wanted)
            return page(
                "jobs_confirm.html",
                title=f"{BUTTONS[name]} jobs",
                number=number,
                how_many=_how_many(number, exact, wanted),
                button=BUTTONS[name],
                what=WHAT[action.name],
                address=url_for(f"panel.jobs.{name}_all"),
                fields={**wanted.model_dump(exclude_none=True), "upto": job_lists.newest()},
                back=url_for("panel.jobs.show_all", **wanted.model_dump(exclude_none=True)),
            )

    return ask


def _doing(name: str) -> Any:
    @needs("sync")
    def do() -> Response:
        wanted = asked.form(JobFilter)
        action = job_desk.action_of(name, wanted)
        given = request.form.get("upto", "")
        upto = (
            min(int(given), LARGEST_BIGINT - 1) if given.isascii() and given.isdigit() else job_lists.newest()
        )
        done = job_desk.do_to_all(action, wanted, upto)
        audit.note(filter=wanted.model_dump(exclude_none=True), done=done.done, refused=done.refused)
        address = url_for("panel.jobs.show_all", **wanted.model_dump(exclude_none=True))
        return go(address, _told(action, done), "good" if done.finished and not done.refused else "warn")

    return do


def _doing_one(name: str) -> Any:
    @needs("sync")
    def do(job_id: int) -> Response:
        address = url_for("panel.jobs.show", job_id=job_id)
        try:
            job_desk.do_to_one(name, job_id)
        except Conflict as error:
            return go(address, words.sentence(error.message), "bad")
        return go(address, f"Job {job_id} is {DID[name]}.")

    return do


def _how_many(number: int, exact: bool, wanted: JobFilter) -> str:
    jobs = numbered(number, f"{wanted.status} job", f"{wanted.status} jobs")
    return jobs if exact else f"{jobs} and more"


def _told(action: Action, done: Done) -> str:
    jobs = numbered(done.done, "job is", "jobs are")
    told = [f"{jobs} {DID[action.name]}."]
    if done.refused:
        told.append(f"{done.refused:,} stay as they are: {action.refused}.")
    if not done.finished:
        told.append("There are more: do it again to go on.")
    return " ".join(told)
