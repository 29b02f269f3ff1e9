"""`/api/v1/items`: every sellable row of every shop, with all that its quantity came from."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from api.auth import requested_by
from api.rest import lists, routes
from api.rest.lists import Answer, ListQuery, Moment, Page, SiteFilter, Text
from models.database import rows
from workers.errors import FieldError, InvalidFields, UnknownRecord
from workers.forms import LARGEST_BIGINT
from workers.item_sync import request_item_sync
from workers.sku import InvalidSkuError, make_key

Quantity = Annotated[
    Decimal,
    PlainSerializer(
        lambda value: int(value) if value == int(value) else float(value),
        when_used="json-unless-none",
    ),
    WithJsonSchema({"type": "number"}),
]
"""A BC quantity as a JSON number: 15 digits are exact, and no warehouse has more."""

_DIFFERS = "active AND skip_reason IS NULL AND wanted IS NOT NULL AND shown IS DISTINCT FROM wanted"


class ItemPath(BaseModel):
    """Which item."""

    item_id: int


class ItemQuery(ListQuery):
    """Which items."""

    site: SiteFilter = None
    sku: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, description="As a shop or Business Central has it: case and outer spaces don't matter."
    )
    product_id: int | None = Field(default=None, ge=1, le=LARGEST_BIGINT)
    active: bool | None = Field(default=None, description="false: those no longer in the shop.")
    skip_reason: Text | None = Field(default=None, description="Such as unknown, ambiguous, untracked.")
    differs: bool | None = Field(
        default=None, description="true: the shop shows another quantity than it should."
    )


class ItemAnswer(Answer):
    """A row of a shop.

    wanted = floor(bc_quantity - safety_stock), at least 0; null while Business Central's figure is unknown.
    shown: on hand in the shop, as last read or accepted. unsure: whether the last write arrived isn't known.
    """

    id: int
    site_id: int
    product_id: int
    variant_id: int = Field(description="0: the product itself.")
    sku: str
    sku_key: str = Field(description="The Business Central number that it stands for.")
    name: str
    tracking: str
    active: bool
    bc_quantity: Quantity | None
    safety_stock: int | None
    stock_read_at: Moment | None
    wanted: int | None
    shown: int | None
    observed_at: Moment
    shown_before: int | None
    sent: int | None
    sent_at: Moment | None
    sent_by_job: int | None
    sent_by_run: int | None
    skip_reason: str | None
    failure: str | None
    unsure: bool
    deactivated_at: Moment | None
    updated_at: Moment


class ItemSync(Answer):
    """The job that does it."""

    job_id: int


class ItemList(Page):
    """Items, by site and product."""

    items: list[ItemAnswer]


_COLUMNS = ", ".join("q.run_id" if name == "sent_by_run" else f"i.{name}" for name in ItemAnswer.model_fields)


def blueprint() -> APIBlueprint:
    """The routes."""
    api = routes.blueprint("items", "Every sellable row of every shop, and why it shows what it shows.")
    routes.route(api, "GET", "", scope="read", answer=ItemList)(list_items)
    one = routes.row_path("item_id", big=True)
    routes.route(api, "GET", one, scope="read", answer=ItemAnswer)(get)
    routes.route(api, "POST", f"{one}/sync", scope="sync", answer=ItemSync, status=202, errors=[409])(sync)
    return api


def list_items(query: ItemQuery) -> ItemList:
    """List the items, by site and product."""
    where, parameters = _filters(query)
    after = lists.decode(query.cursor, "items", [int, int, int])
    if after:
        where.append("(site_id, product_id, variant_id) > (%s, %s, %s)")
        parameters += after
    # The page first, then the run of each row's last write: a join before the limit could go astray.
    found = rows(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM rm_items WHERE {' AND '.join(where) or 'true'}"
        " ORDER BY site_id, product_id, variant_id LIMIT %s) i"
        " LEFT JOIN rm_queue q ON q.id = i.sent_by_job ORDER BY i.site_id, i.product_id, i.variant_id",
        (*parameters, query.limit + 1),
    )
    found, following = lists.page("items", found, query.limit, lambda values: values[1:4])
    return ItemList(items=[_answer(values) for values in found], next=following)


def get(path: ItemPath) -> ItemAnswer:
    """One item, with all that its quantity came from."""
    found = rows(
        f"SELECT {_COLUMNS} FROM rm_items i LEFT JOIN rm_queue q ON q.id = i.sent_by_job WHERE i.id = %s",
        (path.item_id,),
    )
    if not found:
        raise UnknownRecord("item")
    return _answer(found[0])


def sync(path: ItemPath) -> ItemSync:
    """Sync one item now.

    The shop and Business Central are asked what holds, and what differs is written, also upwards. BigCommerce may
    show a write a minute late: where the product looks as before our last one, a second job asks again after that.
    """
    job_id = request_item_sync(path.item_id, requested_by=requested_by(), request_id=routes.request_id())
    return ItemSync(job_id=job_id)


def _filters(query: ItemQuery) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    parameters: list[Any] = []
    for column, value in (("site_id", query.site), ("product_id", query.product_id)):
        if value is not None:
            where.append(f"{column} = %s")
            parameters.append(value)
    if query.active is not None:
        where.append("active" if query.active else "NOT active")
    if query.sku is not None:
        # Spelled out, since each index on the key covers active or inactive rows only.
        where.append("((active AND sku_key = %s) OR (NOT active AND sku_key = %s))")
        parameters += [_key(query.sku)] * 2
    if query.skip_reason is not None:
        where.append("active AND skip_reason = %s")
        parameters.append(query.skip_reason)
    if query.differs is not None:
        where.append(f"({_DIFFERS})" if query.differs else f"NOT ({_DIFFERS})")
    return where, parameters


def _key(sku: str) -> str:
    try:
        return make_key(sku)
    except InvalidSkuError:
        wrong = FieldError("sku", "can't be a SKU: it holds a character that no number has")
        raise InvalidFields([wrong]) from None


def _answer(values: tuple[Any, ...]) -> ItemAnswer:
    return ItemAnswer.model_validate(dict(zip(ItemAnswer.model_fields, values, strict=True)))
