"""`/api/v1/sync-runs/{run_id}/items`: what became of each item of a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from api.rest import lists
from api.rest.lists import Answer, ListQuery, Moment, Page, Text, one_of
from models.database import row, session
from workers.errors import UnknownRecord
from workers.full_sync import run_items
from workers.full_sync.run_items import OUTCOMES, SKIPPED, START


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
    reason, job_id, item_id = lists.decode(query.cursor, "run-items", [str, int, int]) or START
    with session():
        run = row("SELECT site_id FROM rm_sync_runs WHERE id = %s", (path.run_id,))
        if run is None:
            raise UnknownRecord("run")
        found = run_items.page(
            path.run_id,
            run[0],
            outcome=query.outcome,
            reason=query.reason,
            after=(reason, job_id, item_id),
            most=query.limit + 1,
        )
    given, following = lists.page("run-items", found, query.limit, lambda last: last.key)
    return RunItemList(items=[RunItem.model_validate(item) for item in given], next=following)
