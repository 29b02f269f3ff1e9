"""What `inventory-sync doctor` looks at: each check says what it found and, where it is wrong, what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import redis

from api.commands.checkup_schedule import check_schedule
from api.commands.finding import Finding
from models.company import Company
from models.config import settings
from models.database import DatabaseUnavailable, row, session
from models.migrate import pending
from models.site import Site
from workers import connection_test, secret_columns
from workers.clients.shop import CheckResult

OLDEST_POSTGRESQL = 150_000  # as server_version_num counts: 15.0
CLOCK_SECONDS = 2.0  # logs of machines that differ more can't be read together
STUCK_MINUTES = 30  # the longest that any kind of job may take
UNCLAIMED_MINUTES = 5  # a worker that runs takes a due job within seconds


def findings(*, deep: bool) -> Iterator[Finding]:
    """Every check in turn; what needs PostgreSQL is left out where it is away."""
    database = check_database()
    yield database
    yield from check_redis()
    if database.state == "unreachable":
        return
    migrations = check_migrations()
    yield migrations
    if migrations.state != "ok":
        return
    for check in (check_keys, check_clock, check_stuck_jobs, check_waiting_jobs):
        yield check()
    yield from check_schedule()
    if deep:
        yield from check_connections()


def check_database() -> Finding:
    """PostgreSQL answers, and is new enough."""
    try:
        found = row("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    except DatabaseUnavailable as error:
        reason = str(error).splitlines()[0]
        return Finding("database", "unreachable", reason, "start PostgreSQL, or correct DATABASE_URL")
    assert found is not None
    if found[0] < OLDEST_POSTGRESQL:
        return Finding(
            "database", "problem", f"PostgreSQL {found[1]} is too old", "use PostgreSQL 15 or newer"
        )
    return Finding("database", "ok", f"PostgreSQL {found[1]} answers")


def check_migrations() -> Finding:
    """The tables are those of this version."""
    missing = pending()
    if missing:
        return Finding(
            "migrations", "problem", f"pending: {', '.join(missing)}", "run `inventory-sync migrate`"
        )
    return Finding("migrations", "ok", "the tables are up to date")


def check_redis() -> Iterator[Finding]:
    """Redis answers, evicts nothing and keeps what it holds over a restart."""
    url = settings().redis_url
    assert url is not None  # the settings of a process that works have both URLs
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
            info = cast("dict[str, Any]", client.info("server"))
            yield Finding(
                "redis", "ok", f"version {info.get('valkey_version') or info['redis_version']} answers"
            )
            yield from _redis_settings(client)
    except redis.RedisError as error:
        yield Finding("redis", "unreachable", str(error), "start Redis, or correct REDIS_URL")


def _redis_settings(client: redis.Redis) -> Iterator[Finding]:
    try:
        found = cast("dict[str, str]", client.config_get("maxmemory-policy", "appendonly"))
    except redis.ResponseError:
        yield Finding(
            "redis settings",
            "warning",
            "this server doesn't show its settings",
            "see in its console that maxmemory-policy is noeviction and append-only persistence is on",
        )
        return
    policy = found.get("maxmemory-policy", "")
    if policy == "noeviction":
        yield Finding("redis memory", "ok", "maxmemory-policy is noeviction")
    else:
        fix = "set maxmemory-policy noeviction: a full Redis would drop limits and hints unseen"
        yield Finding("redis memory", "problem", f"maxmemory-policy is {policy}", fix)
    if found.get("appendonly") == "yes":
        yield Finding("redis persistence", "ok", "append-only file is on")
    else:
        fix = "set appendonly yes; without it a restart costs half of the vendors' quota for a few minutes"
        yield Finding("redis persistence", "warning", "append-only file is off", fix)


def check_keys() -> Finding:
    """ENCRYPTION_KEYS read every stored secret."""
    reports = secret_columns.check()
    unreadable = [place for report in reports for place in report.unreadable]
    if unreadable:
        some = ", ".join(unreadable[:5]) + (" and more" if len(unreadable) > 5 else "")
        fix = "put the key that wrote them back into ENCRYPTION_KEYS, or set those secrets again"
        return Finding("encryption keys", "problem", f"no key reads {some}", fix)
    total = sum(report.secrets for report in reports)
    return Finding("encryption keys", "ok", f"all {total} stored secrets can be read")


def check_clock() -> Finding:
    """This machine's clock agrees with PostgreSQL's, whose times everything carries."""
    before = time.time()
    found = row("SELECT extract(epoch FROM clock_timestamp())")
    assert found is not None
    middle = (before + time.time()) / 2
    difference = float(found[0]) - middle
    if abs(difference) > CLOCK_SECONDS:
        fix = "synchronise this machine's clock (NTP): its logs and OAuth signatures carry a wrong time"
        return Finding("clock", "warning", f"PostgreSQL's clock is {difference:+.1f} s from ours", fix)
    return Finding("clock", "ok", f"PostgreSQL's clock is {difference:+.1f} s from ours")


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


def check_waiting_jobs() -> Finding:
    """Somebody takes the jobs that are due."""
    found = row(
        "SELECT count(*) FROM rm_queue WHERE status = 'pending' AND hinted_at IS NULL"
        " AND available_at < now() - make_interval(mins => %s)",
        (UNCLAIMED_MINUTES,),
    )
    assert found is not None
    if found[0]:
        fix = "see that a dispatcher and the workers of both queues run (`inventory-sync up` runs them all)"
        message = f"{found[0]} jobs are due for over {UNCLAIMED_MINUTES} minutes and were given to nobody"
        return Finding("waiting jobs", "problem", message, fix)
    return Finding("waiting jobs", "ok", "none is overdue")


def check_connections() -> Iterator[Finding]:
    """Every company and every active site answers as it should."""
    with session():
        companies = list(Company.select().order_by(Company.id))
        sites = list(Site.select().where(Site.active).order_by(Site.id))
    for company in companies:
        yield _connection(
            f"company {company.name}", "company", company.id, connection_test.test_company, company
        )
    for site in sites:
        yield _connection(f"site {site.name}", "site", site.id, connection_test.test_site, site)


def _connection(
    name: str, noun: str, row_id: int, test: Callable[[Any], list[CheckResult]], record: Any
) -> Finding:
    bad = [check for check in test(record) if not check.ok]
    if bad:
        message = "; ".join(f"{check.name}: {check.message}" for check in bad)
        return Finding(name, "problem", message, f"correct it, then `inventory-sync {noun} test {row_id}`")
    return Finding(name, "ok", "answers as it should")
