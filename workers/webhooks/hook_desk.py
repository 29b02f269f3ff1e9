"""What is registered at a site's shop, and the few things that are done to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from models import setting
from models.site import BIGCOMMERCE, Site
from workers.clients.hooks import Hook, HookApi, Proof
from workers.errors import ConfigurationError, Conflict
from workers.webhooks import hook_plan, site_proofs
from workers.webhooks.hook_plan import Plan
from workers.webhooks.proofs import TOKEN_HEADER

SETTING = "public_webhook_url"


def destination(site: Site) -> str:
    """Where the shop shall deliver. Raises ConfigurationError that names the setting."""
    base = setting.read(SETTING)
    if base is None:
        raise ConfigurationError(
            SETTING,
            "is not set: give the address under which shops reach the webhook receivers,"
            f' PATCH /api/v1/settings with {{"{SETTING}": "https://hooks.example.com"}}',
        )
    parts = urlsplit(base)
    if site.platform == BIGCOMMERCE and parts.scheme == "https" and parts.port not in (None, 443):
        raise ConfigurationError(SETTING, "names a port, and BigCommerce delivers to port 443 only")
    return base.rstrip("/") + hook_plan.path(site)


@dataclass(slots=True)
class Desk:
    """One site's registrations, as they are at the shop, while its lock is held.

    marks: which secret a hook was given, where the vendor never shows it.
    """

    site: Site
    api: HookApi
    destination: str
    proof: Proof
    hooks: dict[int, Hook] = field(default_factory=dict)
    marks: dict[int, str] = field(default_factory=dict)

    def plan(self) -> Plan:
        """What is to be done now."""
        return hook_plan.plan(self.site, self.destination, self.hooks.values(), self._proven)

    def _proven(self, hook: Hook) -> bool:
        """By what the vendor shows; where it shows nothing, by what we remember to have told it."""
        name = TOKEN_HEADER.lower()
        shown = next((value for header, value in hook.headers.items() if header.lower() == name), None)
        if self.api.proof_readable and (shown is not None or not self.proof.headers):
            return shown == self.proof.headers.get(TOKEN_HEADER)
        return self.marks.get(hook.id) == site_proofs.mark(self.proof)

    def create(self, topic: str, remove: list[Hook]) -> None:
        """Make one. Where the vendor takes no more on a topic, one of `remove` goes first. Raises Conflict."""
        most = self.api.most
        if most is not None and sum(hook.topic == topic for hook in self.hooks.values()) >= most:
            stale = next((hook for hook in remove if hook.topic == topic), None)
            if stale is None:
                raise Conflict(
                    "too_many_hooks",
                    f"this access token has {most} webhooks on {topic} already, and the shop takes no more:"
                    " delete one",
                )
            remove.remove(stale)
            self.delete(stale)
        self._put(self.api.create(topic, self.destination, self.proof))

    def update(self, hook: Hook) -> None:
        """Give it the proof of now, and make it active."""
        self._put(self.api.update(hook, self.proof))

    def restore(self, hook: Hook) -> None:
        """BigCommerce reactivates; a WooCommerce webhook would be disabled again by its next failure: made anew."""
        if self.api.revives:
            self.update(hook)
            return
        self._put(self.api.create(hook.topic, self.destination, self.proof))
        self.delete(hook)

    def delete(self, hook: Hook) -> None:
        """One of ours."""
        self.api.delete(hook.id)
        self.hooks.pop(hook.id, None)
        self.marks.pop(hook.id, None)

    def _put(self, hook: Hook) -> None:
        # What the vendor answers may lack the headers that it was given.
        self.hooks[hook.id] = replace(hook, headers=self.proof.headers)
        self.marks[hook.id] = site_proofs.mark(self.proof)

    def state(self, topic: str) -> tuple[str, int | None]:
        """healthy, disabled or missing, and which hook it is."""
        plan = self.plan()
        chosen = (hook.id for hook in (*plan.kept, *plan.update, *plan.restore) if hook.topic == topic)
        return plan.states()[topic], next(chosen, None)


def opened(site: Site, api: HookApi) -> Desk:
    """Ask the shop what is there. Raises ConfigurationError, and what the shop's API raises."""
    where = destination(site)
    hooks = {hook.id: hook for hook in api.listed()}
    marks = {int(hook_id): mark for hook_id, mark in site.webhooks.get("marks", {}).items()}
    return Desk(site, api, where, site_proofs.of(site), hooks, marks)
