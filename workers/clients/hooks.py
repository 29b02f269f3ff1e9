"""What a shop's registrations of webhooks are to the rest of the code, whichever vendor keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Hook:
    """One registration at a shop, ours or another app's.

    topic: the vendor's word: BigCommerce's scope, WooCommerce's topic. active: False where the vendor has disabled
    it, or a person has paused it. headers: sent with each delivery (BigCommerce only).
    """

    id: int
    topic: str
    destination: str
    active: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a delivery must carry so that we believe it. Each vendor takes what it can be told.

    secret: WooCommerce signs with it; BigCommerce always signs with the app's own. headers: BigCommerce sends them.
    """

    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class HookApi(Protocol):
    """A shop's registrations. Raises only the errors of workers/errors.py.

    most: how many the vendor takes for one topic (None: any number), those of our own token.
    revives: a disabled one can be made active again for good; else it is deleted and made anew.
    proof_readable: `listed` shows whether a registration carries the right proof.
    """

    most: int | None
    revives: bool
    proof_readable: bool

    def listed(self) -> list[Hook]: ...

    def create(self, topic: str, destination: str, proof: Proof) -> Hook: ...

    def update(self, hook: Hook, proof: Proof) -> Hook:
        """Make it active, with this proof."""

    def delete(self, hook_id: int) -> None:
        """Gone already is no error."""
