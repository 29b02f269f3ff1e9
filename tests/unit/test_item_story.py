"""Why does this SKU show 3? One sentence for each way in which a row can stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from api.panel import item_story
from workers.items import ItemView

AT = datetime(2026, 3, 19, 2, 15, 23, tzinfo=UTC)
ROW = ItemView(
    id=1, site_id=1, shop="Outlet", platform="woocommerce", site_active=True, company_id=1, product_id=12, variant_id=0,
    sku="ABC", sku_key="ABC", name="Lamp", tracking="product", active=True, state="agreeing", skip_reason=None,
    failure=None, unsure=False, bc_quantity=Decimal("5.00000"), safety_stock=2, stock_read_at=AT, wanted=3, shown=3,
    observed_at=AT, shown_before=None, sent=None, sent_at=None, sent_by_job=None, drift_since=None,
    deactivated_at=None, site_safety_stock=2, held_run=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({}, "good", "Outlet shows 3, as it should: Business Central has 5, less a safety stock of 2."),
        (
            {"safety_stock": 0, "wanted": 5, "shown": 5},
            "good",
            "Outlet shows 5, as it should: Business Central has 5.",
        ),
        (
            {"bc_quantity": Decimal("1250.50000"), "wanted": 1248, "shown": 1248},
            "good",
            "Outlet shows 1,248, as it should: Business Central has 1,250.5, less a safety stock of 2, rounded down.",
        ),
        (
            {"bc_quantity": Decimal("-3.00000"), "safety_stock": 0, "wanted": 0, "shown": 0},
            "good",
            "Outlet shows 0, as it should: Business Central has -3, and a shop never shows less than 0.",
        ),
        ({"shown": 1, "state": "drifting", "drift_since": AT}, "warn", "It has sold, most likely"),
        ({"shown": 1, "state": "unsettled"}, "busy", "It is to be written."),
        ({"shown": 4, "wanted": 0, "state": "unsettled", "held_run": 7}, "warn", "The guard holds it back"),
        ({"failure": "not_found", "shown": 1, "state": "failed"}, "bad", "Outlet shows 1 instead of 3."),
        ({"failure": "the lid is shut", "state": "failed"}, "bad", "The lid is shut."),
        (
            {"unsure": True, "sent": 3, "state": "unsettled"},
            "warn",
            "3 was sent to Outlet, and no answer came",
        ),
        ({"wanted": None, "state": "unsettled"}, "quiet", "What it should show isn't known yet"),
        (
            {"shown": None, "state": "unsettled"},
            "busy",
            "What Outlet shows isn't known yet; it should show 3",
        ),
        (
            {"skip_reason": "unknown", "state": "skipped"},
            "warn",
            "ABC is left alone in Outlet, which shows 3.",
        ),
        (
            {"skip_reason": "empty", "sku": " ", "shown": None, "state": "skipped"},
            "warn",
            "This product is left alone",
        ),
        ({"skip_reason": "of_tomorrow", "state": "skipped"}, "warn", "of tomorrow"),
        ({"active": False, "state": "gone"}, "quiet", "Outlet doesn't sell ABC any more"),
    ],
)
def test_the_sentence_says_why(changes: dict[str, Any], kind: str, sentence: str) -> None:
    told = item_story.tell(replace(ROW, **changes))

    assert told.kind == kind
    assert sentence in told.sentence
    assert told.advice or kind == "good" or changes.get("skip_reason") == "of_tomorrow"
