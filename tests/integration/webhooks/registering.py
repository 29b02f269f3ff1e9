"""A shop that shall be told where to deliver: its site made ready, and its hooks in one shape."""

from __future__ import annotations

from dataclasses import dataclass

from models import setting
from models.database import execute, row, session
from models.site import BIGCOMMERCE, Site
from tests.integration.sync.shops import Shop

ADDRESS = "http://127.0.0.1:9"  # nobody listens: what is delivered there fails, and that is all
ELSEWHERE = "http://localhost:9"


@dataclass(frozen=True)
class Registered:
    """One registration as the shop holds it."""

    id: int
    topic: str
    destination: str
    active: bool


def ready(shop: Shop, address: str | None = ADDRESS) -> Site:
    """The shop's site with what registering needs, and the public address set."""
    secret = "the app's client secret" if shop.site.platform == BIGCOMMERCE else None
    with session():
        Site.update(webhook_proofs=["signature"], webhook_secret=secret).where(
            Site.id == shop.site.id
        ).execute()
    setting.change("public_webhook_url", address)
    return again(shop.site)


def again(site: Site) -> Site:
    """The site as it is stored now."""
    with session():
        found: Site = Site.get_by_id(site.id)
    return found


def hooks(shop: Shop) -> list[Registered]:
    """Everything that is registered at the shop, by whomever, the oldest first."""
    if shop.site.platform == BIGCOMMERCE:
        found = [
            Registered(hook["id"], hook["scope"], hook["destination"], hook["is_active"])
            for hook in shop.handle.control("hooks")["hooks"]
        ]
    else:
        found = [
            Registered(hook["id"], hook["topic"], hook["delivery_url"], hook["status"] == "active")
            for hook in shop.handle.control("webhooks")["webhooks"]
        ]
    return sorted(found, key=lambda hook: hook.id)


def add(shop: Shop, topic: str, destination: str) -> int:
    """A registration made behind our back; gives its id."""
    if shop.site.platform == BIGCOMMERCE:
        made = shop.handle.control("add_hook", scope=topic, destination=destination)
    else:
        made = shop.handle.control("add_hook", topic=topic, delivery_url=destination, secret="another's")
    return int(made["id"])


def path(shop: Shop) -> str:
    """Where the site's deliveries go, below the public address."""
    return f"/webhooks/{shop.site.platform}/{shop.site.id}"


def writes(shop: Shop) -> dict[str, int]:
    """The calls that changed the shop's registrations."""
    return {
        route: number
        for route, number in shop.handle.calls().items()
        if "hook" in route and not route.startswith("GET")
    }


def syncs(site: Site) -> list[str]:
    """Who asked for each sync of the site."""
    found = row("SELECT array_agg(requested_by ORDER BY id) FROM rm_sync_runs WHERE site_id = %s", (site.id,))
    return [] if found is None or found[0] is None else list(found[0])


def an_hour_later(site: Site) -> None:
    """As if nobody had looked at the site's webhooks for an hour."""
    execute(
        "UPDATE rm_sites SET webhooks_checked_at = webhooks_checked_at - interval '61 minutes' WHERE id = %s",
        (site.id,),
    )
    execute("DELETE FROM rm_queue WHERE kind = 'webhooks.check'")
