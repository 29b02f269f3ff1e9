"""What `inventory-sync doctor` looks at: each check says what it found and, where it is wrong, what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from api.commands.checkup_disk import check_disk, check_writing
from api.commands.checkup_redis import check_redis
from api.commands.checkup_schedule import check_schedule
from api.commands.checkup_sites import check_companies, check_sites
from api.commands.checkup_work import check_work
from api.commands.finding import Finding
from models.company import Company
from models.database import DatabaseUnavailable, row, rows, session
from models.migrate import newer, pending
from models.site import Site
from workers import connection_test, secret_columns
from workers.alerts import channels
from workers.clients.shop import CheckResult

OLDEST_POSTGRESQL = 150_000  # as server_version_num counts: 15.0
CLOCK_SECONDS = 2.0  # logs of machines that differ more can't be read together
ALERTS_SHOWN = 5


def findings(*, deep: bool) -> Iterator[Finding]:
    """Every check in turn; what needs PostgreSQL is left out where it is away."""
    yield Finding("settings", "ok", "SECRET_KEY and ENCRYPTION_KEYS are set")  # or nobody would come here
    database = check_database()
    yield database
    yield from check_redis()
    yield from check_disk()
    if database.state == "unreachable":
        return
    yield check_writing()
    migrations = check_migrations()
    yield migrations
    if migrations.state == "problem":
        return
    yield check_keys()
    yield check_clock()
    for checks in (check_work, check_schedule, check_companies, check_sites, check_alerts):
        yield from checks()
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
    if later := newer():
        fix = "this code runs on them too; go on to the newer version once what was wrong with it is right"
        message = f"the tables are newer than this code: {', '.join(later)} of a newer version"
        return Finding("migrations", "warning", message, fix)
    return Finding("migrations", "ok", "the tables are up to date")


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


def check_alerts() -> Iterator[Finding]:
    """Nothing is wrong that people should have been told of, and there is a way to tell them."""
    found = [
        sentence
        for (sentence,) in rows("SELECT sentence FROM rm_alerts WHERE state = 'open' ORDER BY opened_at DESC")
    ]
    if found:
        said = "; ".join(found[:ALERTS_SHOWN]) + ("; and more" if len(found) > ALERTS_SHOWN else "")
        fix = "see `inventory-sync alerts list --state open`; each ends by itself once its cause is gone"
        yield Finding("open alerts", "problem", f"{len(found)}: {said}", fix)
    else:
        yield Finding("open alerts", "ok", "none")
    ways = channels.configured()
    if ways:
        yield Finding("alert channels", "ok", ", ".join(ways))
    else:
        fix = "set alert_webhook_url, or alert_email_to and smtp_url, at /api/v1/settings"
        yield Finding("alert channels", "warning", "nobody would be told of an alert", fix)


def check_connections() -> Iterator[Finding]:
    """Every company and every active site answers as it should."""
    with session():
        companies = list(Company.select().order_by(Company.id))
        sites = list(Site.select().where(Site.active).order_by(Site.id))
    for company in companies:
        yield _connection(
            f"connection of company {company.name}",
            "company",
            company.id,
            connection_test.test_company,
            company,
        )
    for site in sites:
        yield _connection(f"connection of site {site.name}", "site", site.id, connection_test.test_site, site)


def _connection(
    name: str, noun: str, row_id: int, test: Callable[[Any], list[CheckResult]], record: Any
) -> Finding:
    bad = [check for check in test(record) if not check.ok]
    if bad:
        message = "; ".join(f"{check.name}: {check.message}" for check in bad)
        return Finding(name, "problem", message, f"correct it, then `inventory-sync {noun} test {row_id}`")
    return Finding(name, "ok", "answers as it should")
