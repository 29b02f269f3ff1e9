"""The fate of each row of a push job in SQL: from planned over sending to pushed, failed or in doubt.

Every function is one statement, or two that belong together, in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from models.database import execute
from models.site import Site
from workers.jobs import CANCELLED
from workers.quantity import WANTED_SQL


def take_newer_stock(job_id: int, site: Site) -> None:
    """Under the store's lease: what BC was read to hold since this was planned is what gets written."""
    wanted = WANTED_SQL.format(quantity="s.quantity", safety_stock="%(safety)s")
    execute(
        f"""
        UPDATE rm_items i SET wanted = {wanted}, bc_quantity = s.quantity, safety_stock = %(safety)s,
            stock_read_at = s.read_started_at, updated_at = now()
        FROM rm_pushes p, rm_stock s
        WHERE p.job_id = %(job)s AND p.outcome IN ('planned', 'unsure') AND i.id = p.item_id
          AND i.skip_reason IS NULL AND s.company_id = %(company)s AND s.key = i.sku_key
          AND s.read_started_at >= i.stock_read_at
          AND (s.quantity, %(safety)s) IS DISTINCT FROM (i.bc_quantity, i.safety_stock)
        """,
        {"job": job_id, "company": site.company_id, "safety": site.safety_stock},
    )


def drop_needless(job_id: int) -> None:
    """Rows that need no write any more: another job wrote them, the product left, the SKU changed."""
    execute(
        """
        UPDATE rm_pushes p SET outcome = CASE WHEN i.active AND i.skip_reason IS NULL AND p.outcome = 'unsure'
                                              THEN 'pushed' ELSE 'unchanged' END,
            reason = CASE WHEN i.active AND i.skip_reason IS NULL THEN NULL ELSE 'no_longer_wanted' END,
            decided_at = now()
        FROM rm_items i
        WHERE p.job_id = %s AND p.outcome IN ('planned', 'unsure') AND i.id = p.item_id
          AND (NOT i.active OR i.skip_reason IS NOT NULL OR i.wanted IS NULL
               OR (i.shown IS NOT DISTINCT FROM i.wanted AND NOT i.unsure))
        """,
        (job_id,),
    )


def mark_sending(job_id: int, writes: Sequence[tuple[int, int]]) -> None:
    """About to be sent: (item, quantity) pairs. What the shop shows now is kept beside it."""
    execute(
        """
        WITH sending AS (SELECT unnest(%s::bigint[]) AS item_id, unnest(%s::bigint[]) AS quantity), marked AS (
            UPDATE rm_pushes p SET outcome = 'sending', wanted = s.quantity, sent_at = now()
            FROM sending s WHERE p.job_id = %s AND p.item_id = s.item_id
        )
        UPDATE rm_items i SET shown_before = i.shown, sent = s.quantity, sent_at = now(), sent_by_job = %s
        FROM sending s WHERE i.id = s.item_id
        """,
        ([item_id for item_id, _ in writes], [quantity for _, quantity in writes], job_id, job_id),
    )


def put_back(job_id: int, item_ids: Sequence[int]) -> None:
    """Rows that were marked and surely not written: planned again, as if never marked."""
    execute(
        """
        WITH back AS (
            UPDATE rm_pushes SET outcome = 'planned' WHERE job_id = %s AND item_id = ANY (%s)
              AND outcome = 'sending' RETURNING item_id
        )
        UPDATE rm_items SET sent = NULL, sent_at = NULL, sent_by_job = NULL
        FROM back WHERE id = item_id AND sent_by_job = %s
        """,
        (job_id, list(item_ids), job_id),
    )


def accept(job_id: int, results: Sequence[dict[str, Any]]) -> None:
    """Accepted: from now on the shop is expected to show what was sent (or what it answered).

    observed_at becomes the time of the write, so that a read which began before it can't undo it.
    """
    if not results:
        return
    execute(
        """
        WITH accepted AS (
            SELECT * FROM jsonb_to_recordset(%s) AS r (item_id bigint, shown bigint)
        ), decided AS (
            UPDATE rm_pushes p SET outcome = 'pushed', reason = NULL, message = NULL, decided_at = now()
            FROM accepted a WHERE p.job_id = %s AND p.item_id = a.item_id
        )
        UPDATE rm_items i SET shown = coalesce(a.shown, i.sent), agreed = i.sent, drift_since = NULL,
            unsure = false, failure = NULL,
            observed_at = greatest(i.observed_at, i.sent_at), updated_at = now()
        FROM accepted a WHERE i.id = a.item_id
        """,
        (json.dumps(list(results)), job_id),
    )


def decide(job_id: int, outcomes: Sequence[dict[str, Any]]) -> None:
    """Store outcomes other than accepted."""
    if not outcomes:
        return
    execute(
        """
        WITH ended AS (
            SELECT * FROM jsonb_to_recordset(%s) AS r (item_id bigint, outcome text, reason text, message text)
        ), decided AS (
            UPDATE rm_pushes p SET outcome = e.outcome, reason = e.reason, message = e.message, decided_at = now()
            FROM ended e WHERE p.job_id = %s AND p.item_id = e.item_id
        )
        UPDATE rm_items i SET failure = e.reason, updated_at = now() FROM ended e WHERE i.id = e.item_id
        """,
        (json.dumps(list(outcomes)), job_id),
    )


def settle_rows(job_id: int, shown: Sequence[tuple[int, int]], read_started_at: object) -> None:
    """(item, what the shop shows) of rows of unknown outcome, read again: pushed, or planned again."""
    execute(
        """
        WITH read AS (SELECT unnest(%s::bigint[]) AS item_id, unnest(%s::bigint[]) AS shown), again AS (
            UPDATE rm_pushes p SET outcome = CASE WHEN r.shown = i.wanted THEN 'pushed' ELSE 'planned' END,
                decided_at = CASE WHEN r.shown = i.wanted THEN now() END
            FROM read r JOIN rm_items i ON i.id = r.item_id WHERE p.job_id = %s AND p.item_id = r.item_id
        )
        UPDATE rm_items i SET shown = r.shown, unsure = false, observed_at = %s, updated_at = now(),
            agreed = CASE WHEN r.shown = i.wanted THEN i.wanted ELSE i.agreed END
        FROM read r WHERE i.id = r.item_id AND i.observed_at < %s
        """,
        (
            [item_id for item_id, _ in shown],
            [quantity for _, quantity in shown],
            job_id,
            read_started_at,
            read_started_at,
        ),
    )


def clear_doubt(item_ids: Sequence[int]) -> None:
    """Nothing can be learned about these rows any more."""
    if item_ids:
        execute(
            "UPDATE rm_items SET unsure = false, updated_at = now() WHERE id = ANY (%s)", (list(item_ids),)
        )


def job_failed(job_id: int, error: str) -> None:
    """The job is over: its undecided rows have failed. Items that may have been written stay unsure."""
    cancelled = error == CANCELLED
    execute(
        """
        WITH ended AS (
            UPDATE rm_pushes SET outcome = 'failed', reason = %s, message = %s, decided_at = now()
            WHERE job_id = %s AND outcome IN ('planned', 'sending', 'unsure') RETURNING item_id
        )
        UPDATE rm_items SET failure = %s, updated_at = now() FROM ended WHERE id = item_id AND NOT %s
        """,
        ("cancelled" if cancelled else "push_failed", error, job_id, error, cancelled),
    )
