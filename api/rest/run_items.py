"""`/api/v1/sync-runs/{run_id}/items`: what became of each item of a run."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from api.rest import lists
from api.rest.lists import Answer, ListQuery, Moment, Page, Text, one_of
from models.database import row, rows, session
from workers.errors import UnknownRecord

OUTCOMES = ("planned", "sending", "unsure", "pushed", "unchanged", "failed", "held")
SKIPPED = "skipped"


class RunItemsPath(BaseModel):
    """Which run."""

    run_id: int


class RunItemQuery(ListQuery):
    """Which of its items."""

    outcome: Annotated[Text, one_of(*OUTCOMES, SKIPPED)] | None = Field(
        default=None, description=", ".join((*OUTCOMES, SKIPPED))
    )
    reason: Text | None = Field(default=None, description="Why it failed or was skipped.")


class RunItem(Answer):
    """One item in one push, or one that is skipped (as the site's items stand now)."""

    item_id: int
    job_id: int | None
    product_id: int
    variant_id: int
    sku: str
    name: str
    outcome: str
    reason: str | None
    message: str | None
    wanted: int | None
    shown_before: int | None
    sent_at: Moment | None
    decided_at: Moment | None


class RunItemList(Page):
    """Items of a run: those that were to be pushed first, then those that are skipped."""

    items: list[RunItem]


def list_items(path: RunItemsPath, query: RunItemQuery) -> RunItemList:
    """List the items of a run.

    Those that were to be pushed come first, then those that are skipped. Items that already showed the right
    quantity are not kept with the run: see the items of its site.
    """
    with session():
        run = row("SELECT site_id FROM rm_sync_runs WHERE id = %s", (path.run_id,))
        if run is None:
            raise UnknownRecord("run")
        found = _page(path.run_id, run[0], query)
    items = [RunItem.model_validate(dict(zip(RunItem.model_fields, values, strict=True))) for values in found]
    items, following = lists.page("run-items", items, query.limit, _key)
    return RunItemList(items=items, next=following)


def _page(run_id: int, site_id: int, query: RunItemQuery) -> list[tuple[Any, ...]]:
    """One row more than a page: pushes, and once those end the skipped rows."""
    wanted, found = query.limit + 1, list[tuple[Any, ...]]()
    reason, job_id, item_id = lists.decode(query.cursor, "run-items", [str, int, int]) or ("", 0, 0)
    if query.outcome != SKIPPED and not reason:
        found = _pushes(run_id, query, (job_id, item_id), wanted)
    if query.outcome in (None, SKIPPED) and len(found) < wanted:
        found += _skipped(site_id, query, (reason, item_id if reason else 0), wanted - len(found))
    return found


def _pushes(run_id: int, query: RunItemQuery, after: tuple[int, int], most: int) -> list[tuple[Any, ...]]:
    sql, parameters = ["p.run_id = %s AND (p.job_id, p.item_id) > (%s, %s)"], list[Any]((run_id, *after))
    for column, value in (("outcome", query.outcome), ("reason", query.reason)):
        if value is not None:
            sql.append(f"p.{column} = %s")
            parameters.append(value)
    return rows(
        "SELECT i.id, p.job_id, i.product_id, i.variant_id, i.sku, i.name, p.outcome, p.reason, p.message,"
        " p.wanted, p.shown_before, p.sent_at, p.decided_at"
        " FROM rm_pushes p JOIN rm_items i ON i.id = p.item_id"
        f" WHERE {' AND '.join(sql)} ORDER BY p.job_id, p.item_id LIMIT %s",
        (*parameters, most),
    )


def _skipped(site_id: int, query: RunItemQuery, after: tuple[str, int], most: int) -> list[tuple[Any, ...]]:
    sql = ["site_id = %s AND active AND skip_reason IS NOT NULL AND (skip_reason, id) > (%s, %s)"]
    parameters = list[Any]((site_id, *after))
    if query.reason is not None:
        sql.append("skip_reason = %s")
        parameters.append(query.reason)
    return rows(
        f"SELECT id, NULL, product_id, variant_id, sku, name, '{SKIPPED}', skip_reason, NULL, wanted, shown,"
        f" NULL, NULL FROM rm_items WHERE {' AND '.join(sql)} ORDER BY skip_reason, id LIMIT %s",
        (*parameters, most),
    )


def _key(last: RunItem) -> list[int | str]:
    """The reason tells which half goes on: it is empty among the pushes, and never among the skipped."""
    skipped = last.outcome == SKIPPED
    return [last.reason or "", 0, last.item_id] if skipped else ["", last.job_id or 0, last.item_id]
