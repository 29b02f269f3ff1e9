"""A site's webhooks at its shop: registered, looked at, and brought back where the shop has dropped them.

Any number may run at once: a lease a site lets them pass one by one, and the second finds nothing to do.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from models.database import execute, rows
from models.site import Site
from workers import clock, ledger, sites
from workers.clients.hooks import HookApi
from workers.connections import shop_client
from workers.database_errors import retried
from workers.errors import Conflict
from workers.full_sync.requests import InactiveSite, UnknownSite, request_sync
from workers.jobs import Priority
from workers.webhooks import hook_plan, site_proofs
from workers.webhooks.hook_desk import Desk, destination, opened
from workers.webhooks.hook_plan import HEALTHY
from workers.webhooks.site_keys import KEPT_SECONDS

log = structlog.get_logger()

WAIT_SECONDS = 20.0  # a registration takes a dozen calls
POLL_SECONDS = 0.1
LEASE_SECONDS = 120.0  # after a death; a slower one may meet a second, whose doubles the next one removes
REGISTERED = "registered_at"


_TAKE = """
    INSERT INTO rm_store_leases AS l (store_key, token, job_id, expires_at)
    VALUES (%(key)s, %(token)s, 0, now() + make_interval(secs => %(seconds)s))
    ON CONFLICT (store_key) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at
        WHERE l.expires_at <= now()
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic at the shop. state: healthy, disabled or missing."""

    topic: str
    state: str
    hook_id: int | None
    last_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What is registered now, and what was done for it (topics; empty where one only looked).

    stale: ours that serve nothing, `register` removes them. others: somebody else's, never touched.
    sync_run_id: the sync that makes up for what was missed.
    """

    site_id: int
    destination: str
    topics: tuple[Topic, ...]
    created: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    stale: int = 0
    others: int = 0
    sync_run_id: int | None = None

    @property
    def healthy(self) -> bool:
        """Whether the shop tells us of everything."""
        return all(topic.state == HEALTHY for topic in self.topics)


def register(site: Site, *, request_id: str | None = None) -> Report:
    """Create what is missing, bring back what is disabled, remove what is stale of ours.

    Raises ConfigurationError, Conflict (`too_many_hooks`, `registration_runs`) and what the shop's API raises.
    """
    with locked(site.id):
        site = prepared(site.id)
        with _api(site) as api:
            return work_on(site, api, remove_stale=True, request_id=request_id)


def status(site: Site) -> Report:
    """What is registered now; changes nothing at the shop. Raises like `register`."""
    with locked(site.id):
        site = sites.get(site.id)
        destination(site)  # refused before the shop is asked for anything
        with _api(site) as api:
            desk = opened(site, api)
        _save(desk, registered=REGISTERED in site.webhooks, gap=site.webhooks.get("gap"))
        return _report(desk)


def remembered(site: Site) -> Report | None:
    """What the last look at the shop found, without asking it; None: nobody has looked yet."""
    document = site.webhooks
    if "topics" not in document:
        return None
    heard = _heard(site.id, list(document["topics"]))
    topics = tuple(
        Topic(topic, seen["state"], seen["hook_id"], heard.get(topic))
        for topic, seen in document["topics"].items()
    )
    return Report(
        site.id, document["destination"], topics, stale=document["stale"], others=document["others"]
    )


def work_on(site: Site, api: HookApi, *, remove_stale: bool, request_id: str | None = None) -> Report:
    """Put a site's registrations right, and ask for a sync where events were missed. Under its lock."""
    desk = opened(site, api)
    plan = desk.plan()
    known = REGISTERED in site.webhooks
    gap = site.webhooks.get("gap")
    if known and plan.repairs:
        gap = f"{len(plan.restore)} webhooks that the shop had disabled and {len(plan.create)} that were missing"
        # Before the repair: once it is done nobody could tell that there was a gap, and this process may die.
        execute("UPDATE rm_sites SET webhooks = webhooks || %s WHERE id = %s", (_json({"gap": gap}), site.id))
    remove = list(plan.remove) if remove_stale else []
    removed = [hook.topic for hook in remove]
    for topic in plan.create:
        desk.create(topic, remove)
    for hook in plan.restore:
        desk.restore(hook)
    if plan.update:
        _let_receivers_learn(site)
    for hook in plan.update:
        desk.update(hook)
    for hook in remove:
        desk.delete(hook)
    run_id = _save(desk, registered=True, gap=gap, request_id=request_id)
    if plan.repairs or plan.update or removed:
        log.info("webhooks put right", action="register", site_id=site.id, created=len(plan.create),
                 restored=len(plan.restore), updated=len(plan.update), removed=len(removed))  # fmt: skip
    return replace(
        _report(desk),
        created=plan.create,
        kept=tuple(hook.topic for hook in plan.kept),
        updated=tuple(hook.topic for hook in plan.update),
        restored=tuple(hook.topic for hook in plan.restore),
        removed=tuple(removed),
        sync_run_id=run_id,
    )


@contextmanager
def locked(site_id: int) -> Iterator[None]:
    """Be the only one who registers for a site. Raises Conflict where another one takes too long.

    A lease in a row, not a lock of a connection: none may be held while a vendor is asked.
    """
    key, token = f"webhooks:{site_id}", str(uuid.uuid4())
    deadline = time.monotonic() + WAIT_SECONDS
    while not execute(_TAKE, {"key": key, "token": token, "seconds": LEASE_SECONDS}):
        if time.monotonic() > deadline:
            raise Conflict("registration_runs", "another registration of this site is at work: try later")
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        execute("DELETE FROM rm_store_leases WHERE store_key = %s AND token = %s", (key, token))


def prepared(site_id: int) -> Site:
    """The site as it is now, with all that registering needs. Raises ConfigurationError before any call."""
    site = sites.get(site_id)
    destination(site)
    return site_proofs.ensure(site)


@contextmanager
def _api(site: Site) -> Iterator[HookApi]:
    client = shop_client(site)
    try:
        yield client.hooks()
    finally:
        client.close()


def _let_receivers_learn(site: Site) -> None:
    """A secret that was set a moment ago isn't known to every receiver: WooCommerce never sends again."""
    if site.updated_at is not None:
        age = (clock.now() - site.updated_at).total_seconds()
        time.sleep(min(max(KEPT_SECONDS - age, 0.0), KEPT_SECONDS))


@retried
def _save(desk: Desk, *, registered: bool, gap: str | None, request_id: str | None = None) -> int | None:
    """Remember what is registered; where events were missed, ask for the sync with it. Gives its run's id."""
    site, plan = desk.site, desk.plan()
    document: dict[str, Any] = {
        "destination": desk.destination,
        "topics": {
            topic: dict(zip(("state", "hook_id"), desk.state(topic), strict=True)) for topic in plan.states()
        },
        "stale": len(plan.remove),
        "others": plan.others,
        "marks": {
            hook.id: desk.marks[hook.id] for hook in (*plan.kept, *plan.update) if hook.id in desk.marks
        },
    }
    if registered:
        document[REGISTERED] = site.webhooks.get(REGISTERED) or clock.now().isoformat()
    run_id = None
    repaired = gap is not None and not plan.repairs
    if gap is not None and not repaired:
        document["gap"] = gap
    with ledger.committing():
        if repaired:
            with contextlib.suppress(InactiveSite, UnknownSite):  # made active, it is synced anyway
                run_id = request_sync(
                    site.id,
                    requested_by=gap or "",
                    request_id=request_id,
                    priority=Priority.NIGHT,
                    shop_changed=True,
                ).run_id
        # Not updated_at: that names the configuration which a kept-alive client was made from.
        execute(
            "UPDATE rm_sites SET webhooks = %s, webhooks_checked_at = clock_timestamp() WHERE id = %s",
            (_json(document), site.id),
        )
    return run_id


def _report(desk: Desk) -> Report:
    plan = desk.plan()
    topics = hook_plan.topics(desk.site)
    heard = _heard(desk.site.id, list(topics))
    found = tuple(Topic(topic, *desk.state(topic), heard.get(topic)) for topic in topics)
    return Report(desk.site.id, desk.destination, found, stale=len(plan.remove), others=plan.others)


def _heard(site_id: int, topics: list[str]) -> dict[str, datetime | None]:
    """When each topic was delivered last."""
    return dict(rows(_LAST_DELIVERIES, {"site": site_id, "topics": topics}))


# The last of each topic from an index: counting over a large log would take seconds.
_LAST_DELIVERIES = """
    SELECT topic, (SELECT l.received_at FROM rm_webhook_log l
                   WHERE l.site_id = %(site)s AND l.event_type = topic AND l.status <> 'rejected'
                   ORDER BY l.received_at DESC LIMIT 1)
    FROM unnest(%(topics)s::text[]) AS topic
"""


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document)
