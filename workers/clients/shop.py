"""What a shop is to the rest of the code, whichever vendor runs it: typed rows in, typed rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from workers.clients.hooks import HookApi

Cursor = Mapping[str, Any]
"""Where a listing goes on: a small JSON object that only the client which made it understands."""


class Tracking(StrEnum):
    """Who holds a row's stock in the shop."""

    PRODUCT = "product"  # the product: address the write by product_id
    VARIANT = "variant"  # this variant: address the write by variant_id
    PARENT = "parent"  # the product above this variant: never write here (`tracked_by_product`)
    NONE = "none"  # nobody: the merchant switched tracking off, and we leave it off


@dataclass(frozen=True, slots=True)
class ItemRef:
    """One sellable row of a shop. `variant_id` 0 = the product itself."""

    product_id: int
    variant_id: int = 0


@dataclass(frozen=True, slots=True)
class ShopItem:
    """One sellable row as the shop shows it now. `shown`: on hand where we write; None = untracked."""

    ref: ItemRef
    sku: str
    name: str
    tracking: Tracking
    shown: int | None


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What a run must know before it lists: found once at its start.

    products: how many the shop says it has (in the site's channels).
    outside: products of the store outside the site's channels (0 where no channels are set).
    cursors: where the parallel listings begin.
    pages: the fewest list pages that this catalogue can take.
    details: for the site's row and its client's next calls (location_id, flat_variations, ...). JSON.
    """

    products: int
    outside: int
    pages: int
    cursors: tuple[Cursor, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShopPage:
    """One page of a listing. `more` are the cursors that this page made known; each is read once.

    seen: every (product, variant) in the page that counts as present, rows or not.
    total: what the shop says the whole listing holds, to notice a catalogue that moved under us.
    """

    items: tuple[ShopItem, ...]
    seen: tuple[ItemRef, ...]
    more: tuple[Cursor, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ProductsRead:
    """Products read again by id, whole: rows of a product asked for that are not here are gone.

    found: the product ids that exist (in the site's channels, not in the trash).
    """

    items: tuple[ShopItem, ...]
    found: frozenset[int]


@dataclass(frozen=True, slots=True)
class StockWrite:
    """Set this row's on-hand quantity: a whole number, at least 0."""

    ref: ItemRef
    quantity: int
    tracking: Tracking


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  # the vendor named this row: it can't be set as asked
    IGNORED = "ignored"  # answered as if it worked, but the quantity did not change


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one write. `shown` is the shop's synchronous answer, where it gives one."""

    ref: ItemRef
    verdict: Verdict
    shown: int | None = None
    reason: str | None = None  # a short code such as invalid_id or tracked_by_product
    message: str | None = None


BeforeWrite = Callable[[Sequence[StockWrite]], None]
"""Called right before each HTTP write with just the rows it will carry; raises LeaseLost to stop it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line for a person: what was tried, whether it works, and the fix where it does not."""

    name: str  # token, company, items, store, location, stock_management ...
    ok: bool
    message: str
    field: str | None = None  # the field of the company or site to correct


class ShopClient(Protocol):
    """What the steps of a sync may ask of a shop. Raises only the errors of workers/errors.py.

    `calls` counts the HTTP requests sent, by route, and is read by the job that owns the client.
    """

    calls: Counter[str]
    settle_seconds: float  # how long an accepted write may take to show (0: answered synchronously)

    def facts(self, highest_known_product: int | None) -> ShopFacts: ...

    def list_page(self, cursor: Cursor) -> ShopPage: ...

    def read_products(self, product_ids: Sequence[int]) -> ProductsRead: ...

    def read_stock(self, refs: Sequence[ItemRef]) -> Mapping[ItemRef, int]: ...

    def batches(self, writes: Sequence[StockWrite]) -> list[list[StockWrite]]: ...

    def set_stock(self, batch: Sequence[StockWrite], before: BeforeWrite) -> list[WriteResult]: ...

    def check(self) -> list[CheckResult]: ...

    def hooks(self) -> HookApi: ...

    def close(self) -> None: ...
