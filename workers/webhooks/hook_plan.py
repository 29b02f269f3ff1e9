"""Which webhooks a site needs at its shop, and what is to be done about those that are there. No calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from models.site import BIGCOMMERCE, Site
from workers.clients.hooks import Hook

HEALTHY: Final = "healthy"
DISABLED: Final = "disabled"
MISSING: Final = "missing"

WOOCOMMERCE_TOPICS = ("product.created", "product.updated", "product.deleted", "product.restored")
BIGCOMMERCE_SCOPES = (
    "store/product/created",
    "store/product/updated",
    "store/product/deleted",
    "store/product/inventory/updated",
    "store/product/inventory/order/updated",
    "store/sku/created",
    "store/sku/updated",
    "store/sku/deleted",
    "store/sku/inventory/updated",
)
CHANNEL_SCOPES = ("store/channel/{channel}/product/assigned", "store/channel/{channel}/product/unassigned")


def topics(site: Site) -> tuple[str, ...]:
    """What the shop has to tell of; a site of some channels also hears which products come and go there."""
    if site.platform != BIGCOMMERCE:
        return WOOCOMMERCE_TOPICS
    channels = (scope.format(channel=channel) for channel in site.channel_ids for scope in CHANNEL_SCOPES)
    return (*BIGCOMMERCE_SCOPES, *channels)


def path(site: Site) -> str:
    """The receiver's path for a site."""
    return f"/webhooks/{site.platform}/{site.id}"


def is_ours(site: Site, hook: Hook) -> bool:
    """Whether we made it for this site, under whatever host; all others belong to somebody else."""
    try:
        return urlsplit(hook.destination).path.rstrip("/").endswith(path(site))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, each hook at most once.

    kept: right as they are. update: right but for their proof. restore: ours and disabled. create: topics without
    one. remove: ours, but for another address, of a topic that is not needed, or a second one.
    others: how many belong to somebody else.
    """

    kept: tuple[Hook, ...]
    update: tuple[Hook, ...]
    restore: tuple[Hook, ...]
    create: tuple[str, ...]
    remove: tuple[Hook, ...]
    others: int

    @property
    def repairs(self) -> int:
        """How many topics the shop does not tell us of now."""
        return len(self.restore) + len(self.create)

    def states(self) -> dict[str, str]:
        """Topic -> healthy, disabled or missing."""
        return {
            **{hook.topic: HEALTHY for hook in (*self.kept, *self.update)},
            **{hook.topic: DISABLED for hook in self.restore},
            **dict.fromkeys(self.create, MISSING),
        }


def plan(site: Site, destination: str, hooks: Iterable[Hook], proven: Callable[[Hook], bool]) -> Plan:
    """`proven` says whether a hook's deliveries carry the right proof, as far as one can know."""
    found = sorted(hooks, key=lambda hook: hook.id)
    ours = [hook for hook in found if is_ours(site, hook)]
    kept: list[Hook] = []
    update: list[Hook] = []
    restore: list[Hook] = []
    create: list[str] = []
    chosen: set[int] = set()
    for topic in topics(site):
        there = [hook for hook in ours if hook.topic == topic and hook.destination == destination]
        if not there:
            create.append(topic)
            continue
        best = next((hook for hook in there if hook.active), there[0])
        chosen.add(best.id)
        (restore if not best.active else kept if proven(best) else update).append(best)
    remove = [hook for hook in ours if hook.id not in chosen]
    return Plan(
        tuple(kept), tuple(update), tuple(restore), tuple(create), tuple(remove), len(found) - len(ours)
    )
