"""Queues: whether work flows, what waits in the ledger and in Redis, who works."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint
from werkzeug.wrappers import Response

from api.auth import needs
from api.panel.look import page
from models.database import session
from workers import figures, job_lists, presence, redis_queues
from workers.figures import Minute, QueueFigures
from workers.job_lists import COUNTED, JobFilter, OpenJobs
from workers.jobs import QUEUES
from workers.presence import WORKER, Seen
from workers.redis_client import RedisAwayError
from workers.redis_queues import Redis
from workers.standing import Verdict
from workers.wording import numbered

LATE_SECONDS = 300.0  # a worker that runs takes a due job within seconds
GONE_SECONDS = 86_400.0  # a process that has been silent for longer is nobody's question


def blueprint() -> Blueprint:
    """`/queues`."""
    pages = Blueprint("queues", __name__)
    pages.get("/queues")(show)
    return pages


@needs("read")
def show() -> Response:
    """All queues on one page; its live part is asked for anew every few seconds."""
    try:
        redis = redis_queues.look()
    except RedisAwayError:
        redis = None
    with session():
        processes = [seen for seen in presence.seen() if seen.seconds < GONE_SECONDS]
        totals = figures.queue()
        minutes = figures.minutes()
        stuck, _ = job_lists.number(JobFilter(status="stuck"))
        open_jobs = job_lists.open_jobs()
        return page(
            "queues.html",
            title="Queues",
            verdict=verdict(open_jobs, processes, redis, totals, stuck),
            redis=redis,
            in_redis={queue.name: queue for queue in redis.queues} if redis else {},
            open_jobs=open_jobs,
            counted=COUNTED,
            workers={queue: _workers(processes, queue) for queue in QUEUES},
            threads={
                queue: sum(seen.threads or 0 for seen in _workers(processes, queue)) for queue in QUEUES
            },
            processes=processes,
            totals=totals,
            stuck=stuck,
            last=minutes[-1] if minutes else None,
            times=[int(entry.minute.timestamp()) for entry in minutes],
            rates={queue: _rates(minutes, queue) for queue in QUEUES},
        )


def verdict(
    open_jobs: Sequence[OpenJobs],
    processes: Sequence[Seen],
    redis: Redis | None,
    totals: QueueFigures,
    stuck: int,
) -> Verdict:
    """Whether work flows, in a sentence."""
    if redis is None:
        return Verdict(
            "bad",
            "Redis doesn't answer, so no worker hears of new work.",
            "Nothing is lost: PostgreSQL holds all jobs, and they go on within seconds once Redis is back.",
        )
    idle = [queue.queue for queue in open_jobs if not _workers(processes, queue.queue)]
    if idle:
        return Verdict(
            "bad",
            f"No worker works on {' and '.join(idle)}.",
            "Start one: inventory-sync up runs them all; in a cluster see the worker deployments.",
        )
    if stuck:
        jobs = numbered(stuck, "job hangs", "jobs hang")
        return Verdict("warn", f"{jobs}.", "The dispatcher gives them back by itself; does one run?")
    due = sum(queue.due for queue in open_jobs)
    oldest = totals.oldest_seconds
    if oldest > LATE_SECONDS:
        return Verdict(
            "warn",
            f"Work is late: the oldest due job waits for {int(oldest // 60):,} minutes.",
            "More workers would help, unless a shop or Business Central is slow: see the jobs that are processing.",
        )
    working = sum(queue.processing for queue in open_jobs)
    failed = numbered(totals.failed, "job has failed", "jobs have failed")
    advice = f"{failed} lately: each says why, and can be tried again." if totals.failed else ""
    if due or working:
        return Verdict(
            "busy", f"Work flows: {working:,} jobs are worked on, {due:,} wait for a worker.", advice
        )
    return Verdict("good", "All work is done.", advice)


def _workers(processes: Sequence[Seen], queue: str) -> list[Seen]:
    return [seen for seen in processes if seen.role == WORKER and seen.alive and queue in seen.queues]


def _rates(minutes: Sequence[Minute], queue: str) -> list[tuple[str, list[int | None], str]]:
    """The series of a queue's chart."""
    return [
        ("came in", [minute.rate(queue, "in") for minute in minutes], "busy"),
        ("were done", [minute.rate(queue, "out") for minute in minutes], "good"),
    ]
