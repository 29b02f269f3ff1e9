"""Server time of every page of the panel over a large installation: `make bench`. None may take 100 ms."""

from __future__ import annotations

import html
import re
import statistics
import time

import click
from flask import Flask

from api.app import create_app
from models.database import db, row, session
from tests.bench.large import grow
from tests.integration.panel.conftest import PASSWORD, Person
from workers import users

MOST_SECONDS = 0.1
REPEATS = 5
PAGES_ON = 20
NEXT = re.compile(r'href="([^"]+)" rel="next"')
# Where an address needs an id: one that is there. Names are those of the routes.
IDS = {
    "site_id": "SELECT id FROM rm_sites ORDER BY id OFFSET 100 LIMIT 1",
    "company_id": "SELECT min(id) FROM rm_companies",
    "run_id": "SELECT max(id) FROM rm_sync_runs",
    "item_id": "SELECT max(id) - 1 FROM rm_items",
    "job_id": "SELECT max(id) FROM rm_queue WHERE status = 'failed'",
    "delivery_id": "SELECT max(id) FROM rm_webhook_log",
    "user_id": "SELECT min(id) FROM rm_users",
    "token_id": "SELECT min(id) FROM rm_api_tokens",
    "alert_id": "SELECT max(id) FROM rm_alerts",
}
# What people ask for beside the plain pages.
ASKED = (
    "/items?q=SKU-77",
    "/items?q=SKU-777777",
    "/items?q=blue",
    "/items?q=nothing-like-it",
    "/items?state=failed",
    "/items?state=skipped",
    "/items?site=101&state=drifting",
    "/queues/jobs?status=failed",
    "/queues/jobs?status=completed&kind=push",
    "/queues/jobs?site=101",
    "/webhook-log?site=101&status=failed",
    "/webhook-log?status=rejected",
    "/sites?q=site-4",
    "/access/audit?actor=anna",
)
SECRETS = ("/test", "/choices")  # pages that call a vendor are as slow as the vendor


def bench_pages(environment: dict[str, str]) -> None:
    """A million items, a million jobs, five hundred sites."""
    began = time.perf_counter()
    grow()
    click.echo(f"grown in {time.perf_counter() - began:.0f} s")
    app = create_app()
    users.create("anna", "admin", PASSWORD)
    person = Person(app.test_client())
    person.sign_in("anna")
    paths = [*_pages(app), *ASKED]
    paths += [further for path in paths if (further := _further(person, path)) is not None]
    found = sorted(((*_seconds(person, path), path) for path in paths), reverse=True)
    for seconds, status, path in found:
        click.echo(f"{seconds * 1000:7.1f} ms  {status}  {path}")
    slow = [path for seconds, _, path in found if seconds >= MOST_SECONDS]
    missing = [path for _, status, path in found if path in ASKED and status != 200]
    db.close_all()
    assert not missing
    assert not slow, f"over {MOST_SECONDS * 1000:.0f} ms: {slow}"


def _pages(app: Flask) -> list[str]:
    paths = []
    for rule in app.url_map.iter_rules():
        path = str(rule)
        if not rule.endpoint.startswith("panel.") or "GET" not in (rule.methods or set()):
            continue
        if path.endswith(SECRETS) or path.endswith(".csv"):
            continue
        for name in rule.arguments:
            with session():
                value = row(IDS[name]) if name in IDS else None
            assert value is not None, f"{path}: say in IDS what a {name} is"
            path = re.sub(rf"<(?:[^:<>]+:)?{name}>", str(value[0]), path)
        paths.append(path)
    return paths


def _further(person: Person, path: str) -> str | None:
    """The address of a list's page some pages on; None: it has but one."""
    address = None
    for _ in range(PAGES_ON):
        found = NEXT.search(person.client.get(address or path).text)
        if found is None:
            break
        address = html.unescape(found[1])
    return address


def _seconds(person: Person, path: str) -> tuple[float, int]:
    """The median, and the status: a page that needs a query says so (422)."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = person.client.get(path)
        times.append(time.perf_counter() - began)
        assert answer.status_code < 500, (path, answer.status_code)
    return statistics.median(times), answer.status_code
