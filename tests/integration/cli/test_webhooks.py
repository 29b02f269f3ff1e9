"""`inventory-sync webhooks`: what a person types, and what scripts may rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from models import setting
from models.database import row, rows, session
from models.site import Site
from tests.integration.cli.conftest import Run, json_of, only_line
from tests.places import company, woocommerce_site
from tests.simulators.handles import WooCommerceHandle
from tests.simulators.process import Simulators
from workers.webhooks.hook_plan import WOOCOMMERCE_TOPICS


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    with Simulators.start(bc_items=0, bigcommerce_skus=0, woocommerce_skus=0) as running:
        yield running


@pytest.fixture
def woo(simulators: Simulators, database: str) -> Iterator[WooCommerceHandle]:
    """A WooCommerce shop with the site `Outlet`, and the public address set."""
    handle = simulators.woocommerce[0]
    woocommerce_site(company(simulators.bc), handle, name="Outlet", webhook_proofs=["signature"])
    setting.change("public_webhook_url", "http://127.0.0.1:9")
    yield handle
    handle.forget_hooks()


def _delivery(status: str, minutes: int, product: int | None = 7) -> int:
    made = row(
        "INSERT INTO rm_webhook_log (site_id, status, event_type, product_id, received_at)"
        " SELECT id, %s, 'product.updated', %s, now() - make_interval(mins => %s) FROM rm_sites RETURNING id",
        (status, product, minutes),
    )
    assert made is not None
    return int(made[0])


def test_register_tells_what_it_did_and_a_second_one_that_all_was_right(
    run: Run, woo: WooCommerceHandle
) -> None:
    first = run("webhooks", "register", "Outlet")
    assert first.exit_code == 0, first.output
    for topic in WOOCOMMERCE_TOPICS:
        assert f"created: {topic}" in first.stdout
    assert "4 webhooks deliver to http://127.0.0.1:9/webhooks/woocommerce/" in first.stdout

    again = json_of(run("webhooks", "register", "Outlet", "--json"))

    assert again["healthy"] is True
    assert (sorted(again["kept"]), again["created"]) == (sorted(WOOCOMMERCE_TOPICS), [])
    assert len(woo.webhooks()) == 4


def test_status_is_0_only_while_all_is_healthy(run: Run, woo: WooCommerceHandle) -> None:
    missing = run("webhooks", "status", "Outlet")
    assert missing.exit_code == 1
    assert missing.stdout.count("missing") == 4

    run("webhooks", "register", "Outlet")
    assert run("webhooks", "status", "Outlet").exit_code == 0

    woo.disable_hook(woo.webhooks()[0]["id"])
    disabled = run("webhooks", "status", "Outlet", "--json")
    assert disabled.exit_code == 1
    states = sorted(topic["state"] for topic in json.loads(disabled.stdout)["topics"])
    assert states == ["disabled", "healthy", "healthy", "healthy"]


def test_what_is_wrong_is_one_line_that_names_the_setting(run: Run, woo: WooCommerceHandle) -> None:
    setting.change("public_webhook_url", None)

    for command in ("register", "status", "test"):
        result = run("webhooks", command, "Outlet")
        assert result.exit_code == 1
        assert only_line(result).startswith("Error: public_webhook_url: is not set")


def test_test_tells_each_step_and_fails_where_nobody_answers(run: Run, woo: WooCommerceHandle) -> None:
    run("webhooks", "register", "Outlet")

    result = run("webhooks", "test", "Outlet", "--timeout", "1")

    assert result.exit_code == 1
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [["ok", "sent"], ["FAIL", "answered"]]
    steps = json.loads(run("webhooks", "test", "Outlet", "--json").stdout)["steps"]
    assert [step["name"] for step in steps] == ["sent", "answered"]


def test_one_delivery_or_all_failed_ones_since_a_time_are_done_again(run: Run, shop: Site) -> None:
    old, recent = _delivery("failed", 180), _delivery("failed", 60)

    all_failed = run("webhooks", "replay", "--site", "Outlet", "--since", "2h")
    one = run("webhooks", "replay", str(old))

    assert all_failed.stdout == "1 failed deliveries are done again\n"
    assert one.exit_code == 0, one.output
    assert rows("SELECT id, status FROM rm_webhook_log ORDER BY id") == [
        (old, "received"),
        (recent, "received"),
    ]
    assert rows("SELECT count(*) FROM rm_queue") == [(1,)]  # the same product: they fold


UNCLEAR = (
    (), ("5", "--site", "Outlet"), ("--site", "Outlet"), ("--since", "2h"), ("0",),
    ("--site", "Outlet", "--since", "soon"), ("--site", "Outlet", "--since", "2026-03-19"),
)  # fmt: skip


def test_a_replay_that_does_not_say_of_what_is_a_usage_error(run: Run, shop: Site) -> None:
    for arguments in UNCLEAR:
        result = run("webhooks", "replay", *arguments)

        assert result.exit_code == 2, arguments
        assert result.stderr != ""


def test_a_replay_that_can_t_be_says_why(run: Run, shop: Site) -> None:
    assert "no such delivery" in only_line(run("webhooks", "replay", "4711"))
    empty = run("webhooks", "replay", str(_delivery("ignored", 1, product=None)))
    assert empty.exit_code == 1
    assert "nothing to do again" in only_line(empty)


def test_deliveries_are_listed_and_filtered(run: Run, shop: Site) -> None:
    failed, done = _delivery("failed", 180), _delivery("completed", 1)

    def listed(*filters: str) -> list[int]:
        return [entry["id"] for entry in json_of(run("webhooks", "list", "--json", *filters))]

    assert listed() == [done, failed]
    assert listed("--status", "failed", "--site", "Outlet") == [failed]
    assert listed("--since", "2h") == [done]
    assert listed("--limit", "1") == [done]
    assert "product.updated" in run("webhooks", "list").stdout
    with session():
        Site.delete().execute()
    assert run("webhooks", "list").stdout == "no such delivery\n"
