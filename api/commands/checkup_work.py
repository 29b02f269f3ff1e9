"""What `inventory-sync doctor` says of the work: who is there to do it, what waits, what hangs, what has failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api.commands.finding import Finding, ago
from models import setting
from models.database import row, rows
from workers import presence
from workers.jobs import CANCELLED, QUEUES
from workers.presence import DISPATCHER, SCHEDULER, WORKER, Seen
from workers.wording import numbered

STUCK_MINUTES = 30  # the longest that any kind of job may take
IDLE_MINUTES = 5  # a worker that runs takes a due job within seconds
LATELY_HOURS = 24
START = (
    "start it: `inventory-sync up` runs all roles; in a cluster see why its pods don't run (kubectl get pods)"
)

# A job that waits for its store, or behind others of its site, waits while these are done.
_QUEUES = """
    SELECT w.queue, w.due, coalesce(w.seconds, 0)::double precision, EXISTS (
        SELECT FROM rm_queue q WHERE q.queue = w.queue AND q.status = 'processing'
          AND q.started_at > now() - make_interval(mins => %(idle)s)
        UNION ALL
        SELECT FROM rm_queue q WHERE q.queue = w.queue AND q.finished_at > now() - make_interval(mins => %(idle)s))
    FROM (SELECT name AS queue, count(q.id) AS due, extract(epoch FROM now() - min(q.available_at)) AS seconds
          FROM unnest(%(queues)s) AS name
          LEFT JOIN rm_queue q ON q.queue = name AND q.status = 'pending' AND q.available_at <= now()
          GROUP BY name) w
    ORDER BY w.queue
"""
_FAILED = """
    SELECT kind, count(*), (array_agg(error ORDER BY finished_at DESC))[1] FROM rm_queue
    WHERE status = 'failed' AND finished_at > now() - make_interval(hours => %s) AND error IS DISTINCT FROM %s
    GROUP BY kind ORDER BY count(*) DESC, kind
"""


def check_work() -> Iterator[Finding]:
    """Everything that is due is done, by somebody who is there."""
    yield from check_processes()
    yield from check_queues()
    yield check_stuck_jobs()
    yield check_failed_jobs()
    yield check_failed_deliveries()


def check_processes() -> Iterator[Finding]:
    """Each queue has a worker; a dispatcher and a scheduler look after them, all of one version."""
    found = presence.seen()
    for queue in QUEUES:
        of = [process for process in found if process.role == WORKER and queue in process.queues]
        yield _there(f"workers of {queue}", of, "problem", START)
    yield _there("dispatcher", [process for process in found if process.role == DISPATCHER], "problem", START)
    yield _there(
        "scheduler",
        [process for process in found if process.role == SCHEDULER],
        "warning",
        f"nights begin a little later by the dispatcher alone; {START}",
    )
    yield from _others(found)


def _there(check: str, of: Sequence[Seen], state: str, fix: str) -> Finding:
    alive = [process for process in of if process.alive]
    if alive:
        where = ", ".join(sorted({process.host for process in alive}))
        return Finding(check, "ok", f"{numbered(len(alive), 'process', 'processes')} on {where}")
    message = "none is there"
    if of:
        message += f"; the last was seen {ago(of[0].seconds)} on {of[0].host} (process {of[0].pid})"
    return Finding(check, "problem" if state == "problem" else "warning", message, fix)


def _others(found: Sequence[Seen]) -> Iterator[Finding]:
    lost = [process for process in found if not process.alive and process.seconds < LATELY_HOURS * 3600]
    if lost:
        said = ", ".join(
            f"{gone.role} {gone.pid} on {gone.host} {ago(gone.seconds)}" for gone in lost[:5]
        ) + (" and more" if len(lost) > 5 else "")
        fix = "see in its host's log whether it was killed for its memory; another one does its work, if one is there"
        yield Finding("lost processes", "warning", f"silent without having said that they end: {said}", fix)
    versions = {process.version for process in found if process.alive} - {presence.own_version()}
    if versions:
        message = f"this is {presence.own_version()}, but there run {', '.join(sorted(versions))}"
        fix = "unless an update is under way, restart what runs the other version"
        yield Finding("version", "warning", message, fix)
    else:
        yield Finding("version", "ok", f"{presence.own_version()}, and nothing else runs")


def check_queues() -> Iterator[Finding]:
    """What is due is taken, and soon."""
    patience = setting.read_all()["alert_oldest_job_minutes"]
    for queue, due, seconds, moves in rows(_QUEUES, {"queues": sorted(QUEUES), "idle": IDLE_MINUTES}):
        said = f"{numbered(due, 'job is', 'jobs are')} due, the oldest for {ago(seconds, '')}"
        if not due:
            yield Finding(f"queue {queue}", "ok", "no job is due")
        elif seconds > IDLE_MINUTES * 60 and not moves:
            fix = "see that a dispatcher and workers of this queue run, and that Redis answers them"
            message = f"{said}, and for {IDLE_MINUTES} minutes nobody has taken one"
            yield Finding(f"queue {queue}", "problem", message, fix)
        elif seconds > patience * 60:
            fix = f"it moves, but falls behind: run more workers of {queue}, unless a shop or Business Central is slow"
            yield Finding(f"queue {queue}", "warning", said, fix)
        else:
            yield Finding(f"queue {queue}", "ok", said)


def check_stuck_jobs() -> Finding:
    """No job hangs."""
    found = row(
        "SELECT count(*) FROM rm_queue WHERE status = 'processing'"
        " AND (lease_expires_at < now() - interval '1 minute'"
        "      OR started_at < now() - make_interval(mins => %s))",
        (STUCK_MINUTES,),
    )
    assert found is not None
    if found[0]:
        fix = f"run `inventory-sync jobs release-stuck --minutes {STUCK_MINUTES}`; does a dispatcher run?"
        return Finding("stuck jobs", "problem", f"{found[0]} jobs hang", fix)
    return Finding("stuck jobs", "ok", "none")


def check_failed_jobs() -> Finding:
    """No job was given up lately."""
    found = rows(_FAILED, (LATELY_HOURS, CANCELLED))
    if not found:
        return Finding("failed jobs", "ok", f"none within {LATELY_HOURS} hours")
    said = "; ".join(f"{number} {kind} ({error})" for kind, number, error in found[:5])
    fix = "see `inventory-sync jobs list --status failed`; then `jobs retry ID`, or sync the site anew"
    return Finding("failed jobs", "warning", f"within {LATELY_HOURS} hours: {said}", fix)


def check_failed_deliveries() -> Finding:
    """No webhook delivery was given up lately."""
    found = row(
        "SELECT count(*) FROM rm_webhook_log WHERE status = 'failed'"
        " AND received_at > now() - make_interval(hours => %s)",
        (LATELY_HOURS,),
    )
    assert found is not None
    if found[0]:
        said = f"{numbered(found[0], 'delivery', 'deliveries')} within {LATELY_HOURS} hours failed"
        fix = (
            f"see `inventory-sync webhooks list`; then `webhooks replay --site SITE --since {LATELY_HOURS}h`"
        )
        return Finding("webhook deliveries", "warning", said, fix)
    return Finding("webhook deliveries", "ok", f"none failed within {LATELY_HOURS} hours")
