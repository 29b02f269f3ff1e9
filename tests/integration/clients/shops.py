"""What the tests of both shop clients share: walk a listing as workers do, and write in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from workers.clients.shop import Cursor, ShopClient, ShopFacts, ShopItem, ShopPage, StockWrite, WriteResult


def walk(
    client: ShopClient, facts: ShopFacts, between: Callable[[Cursor, ShopPage], None] = lambda *_: None
) -> list[ShopPage]:
    """Every page, from the first cursors on; `between` is told of each page before the next is read."""
    cursors, pages = deque(facts.cursors), []
    while cursors:
        cursor = cursors.popleft()
        page = client.list_page(cursor)
        pages.append(page)
        cursors.extend(page.more)
        between(cursor, page)
    return pages


def rows(pages: Sequence[ShopPage]) -> list[ShopItem]:
    return [item for page in pages for item in page.items]


class Witness:
    """A `before` that remembers which rows each call was about to carry."""

    def __init__(self) -> None:
        self.calls: list[list[StockWrite]] = []

    def __call__(self, rows: Sequence[StockWrite]) -> None:
        self.calls.append(list(rows))


def write(client: ShopClient, writes: Sequence[StockWrite]) -> list[WriteResult]:
    return [result for batch in client.batches(writes) for result in client.set_stock(batch, lambda _: None)]
