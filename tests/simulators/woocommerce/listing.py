"""Listings of products and variations: filters, order, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from ..wire import Request, Response
from .answers import DEFAULT_PER_PAGE, MAX_PER_PAGE, invalid_param, page_of, refuse, whole
from .catalogue import Post
from .rendering import Renderer, gmt
from .store import WooCommerceStore

ORDERS = ("date", "id", "include", "title", "slug", "modified")
STATUSES = ("any", "draft", "pending", "private", "publish", "future", "auto-draft", "trash")


class Listing:
    """Offset pages shift when products come and go."""

    def __init__(self, store: WooCommerceStore, renderer: Renderer, url: str) -> None:
        self._store, self._renderer, self._url = store, renderer, url
        self._cache: dict[str, list[Post]] = {}
        self._cached_structure = -1

    def products(self, request: Request) -> Response:
        with self._store.lock:
            if request.query.get("sku"):
                return self._answer(request, self._by_sku(request.query["sku"]))
            # An `include` of a variation's id drops it silently: it is not among the products.
            return self._answer(request, self._listed("products", self._store.products))

    def all_variations(self, request: Request) -> Response:
        """The flat list, read-only, since 10.3."""
        with self._store.lock:
            return self._answer(request, self._listed("variations", self._store.variations))

    def variations(self, request: Request) -> Response:
        """Of one parent. An unknown parent is 404 (unconfirmed; `[]` would be the milder reading)."""
        with self._store.lock:
            parent = self._store.by_id.get(int(request.params["id"]))
            if parent is None or parent.type == "variation":
                raise refuse("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
            return self._answer(request, sorted(parent.children, key=lambda post: post.id))

    def one(self, request: Request) -> Response:
        """By id also a variation, and what was trashed (`status: trash`)."""
        with self._store.lock:
            post = self._store.by_id.get(int(request.params["id"]))
            if post is None:
                raise refuse("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
            return self._one(request, post)

    def one_variation(self, request: Request) -> Response:
        with self._store.lock:
            post = self._store.by_id.get(int(request.params["variation_id"]))
            if post is None or str(post.parent_id) != request.params["id"]:
                raise refuse("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", 404)
            return self._one(request, post)

    def _one(self, request: Request, post: Post) -> Response:
        body = self._renderer.render(post, fields_of(request))
        return Response(200, body, "application/json; charset=UTF-8")

    def _by_sku(self, text: str) -> list[Post]:
        """Exact but for case, products and variations alike; a SKU with a comma is found only alone."""
        wanted = {piece.lower() for piece in text.split(",")} | {text.lower()}
        found = {post.id: post for sku in wanted if sku for post in self._store.by_sku.get(sku, [])}
        return [found[number] for number in sorted(found)]

    def _listed(self, name: str, posts: list[Post]) -> list[Post]:
        """What a listing without `status` shows: drafts too; no trash, nor variations of trashed parents."""
        if self._cached_structure != self._store.structure:
            self._cache.clear()
            self._cached_structure = self._store.structure
        if name not in self._cache:
            self._cache[name] = [post for post in posts if not self._is_trashed(post)]
        return self._cache[name]

    def _is_trashed(self, post: Post) -> bool:
        parent = self._store.parent(post)
        return "trash" in (post.status, parent.status if parent else "")

    def _answer(self, request: Request, posts: list[Post]) -> Response:
        page = whole(request, "page", 1)
        per_page = whole(request, "per_page", DEFAULT_PER_PAGE, MAX_PER_PAGE)
        posts = self._ordered(request, self._filtered(request, posts))
        start = (page - 1) * per_page
        fields = fields_of(request)
        rows = [self._renderer.render(post, fields) for post in posts[start : start + per_page]]
        return page_of(request, self._url, rows, len(posts), page, per_page)

    def _filtered(self, request: Request, posts: list[Post]) -> list[Post]:
        query = request.query
        statuses = set(query.get("status", "any").split(","))
        if not statuses <= set(STATUSES):
            raise invalid_param("status", f"status is not one of {', '.join(STATUSES)}")
        if "trash" in statuses:
            posts = [post for post in self._store.products if post.status in statuses]
        elif "any" not in statuses:
            posts = [post for post in posts if post.status in statuses]
        if "type" in query:
            posts = [post for post in posts if post.type == query["type"]]
        for name, keep in (("include", True), ("exclude", False)):
            ids = _ids(request, name)
            if ids:
                posts = [post for post in posts if (post.id in ids) is keep]
        if "modified_after" in query:
            posts = [post for post in posts if self._modified(query, "modified_after", post, _later)]
        if "modified_before" in query:
            posts = [post for post in posts if self._modified(query, "modified_before", post, _earlier)]
        return posts

    def _modified(
        self, query: dict[str, str], name: str, post: Post, test: Callable[[str, str], bool]
    ) -> bool:
        """Strictly after or before, by the second.

        A value with a zone is first turned into the shop's local time. With `dates_are_gmt=true` it is then
        held against the UTC column all the same: so `...Z` misses changes on a shop east of Greenwich.
        """
        try:
            value = datetime.fromisoformat(query[name])
        except ValueError:
            raise invalid_param(name, "Invalid date.") from None
        if value.tzinfo is not None:
            offset = value.utcoffset() or timedelta()
            value = value.replace(tzinfo=None) - offset + timedelta(hours=self._renderer.utc_offset)
        are_gmt = query.get("dates_are_gmt", "false").lower() in ("1", "true")
        mine = gmt(post.modified) if are_gmt else self._renderer.local(post.modified)
        return test(mine, value.strftime("%Y-%m-%dT%H:%M:%S"))

    def _ordered(self, request: Request, posts: list[Post]) -> list[Post]:
        order_by, order = request.query.get("orderby", "date"), request.query.get("order", "desc")
        if order_by not in ORDERS:
            raise invalid_param("orderby", f"orderby is not one of {', '.join(ORDERS)}")
        if order not in ("asc", "desc"):
            raise invalid_param("order", "order is not one of asc, desc")
        if order_by == "modified":
            posts = sorted(posts, key=lambda post: (post.modified, post.id))
        elif order_by in ("title", "slug"):
            posts = sorted(posts, key=lambda post: (post.name, post.id))
        return posts if order == "asc" else posts[::-1]


def _later(mine: str, theirs: str) -> bool:
    return mine > theirs


def _earlier(mine: str, theirs: str) -> bool:
    return mine < theirs


def fields_of(request: Request) -> tuple[str, ...]:
    given = _values(request, "_fields")
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())


def _ids(request: Request, name: str) -> set[int]:
    pieces = [piece.strip() for text in _values(request, name) for piece in text.split(",")]
    return {int(piece) for piece in pieces if piece.isdecimal()}


def _values(request: Request, name: str) -> Iterable[str]:
    """`name=1,2`, `name[]=1&name[]=2` and `name[0]=1` are one to WordPress."""
    return [value for key, value in request.pairs if key == name or key.startswith(f"{name}[")]
