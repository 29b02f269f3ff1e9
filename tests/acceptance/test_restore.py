"""A disaster: the database is gone, and what is restored is older than the shops. One sync, and all is right again.

The dump is made in the worst moment, in the middle of a sync's writes: what it holds as under way ended long ago.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from models import config
from models.database import configure, db, execute, row
from tests.acceptance.reckoning import reckon
from tests.acceptance.trouble import (
    BIGCOMMERCE_WRITE,
    WOOCOMMERCE_WRITES,
    Town,
    ask_for_all,
    assert_all_right,
    quicken,
    town,
)
from tests.fleet import ROOT, Fleet, eventually
from tests.manifests.backups import MANUAL, back_up, restore
from tests.servers import Servers
from tests.simulators.handles import BigCommerceHandle, WooCommerceHandle

BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS = 300, 80
SETTLE_SECONDS = "4"  # over a write's deadline and the landing
CHANGED = 40  # SKUs in BC
TYPED, DELETED = 5, 2  # products in each shop
SYNC_SECONDS = 60
# Of what the dump holds only this could make somebody wait.
A_NIGHT_OLD = "UPDATE rm_store_leases SET expires_at = expires_at - interval '8 hours'"
UNDER_WAY = "SELECT count(*) FILTER (WHERE status = 'running') FROM rm_sync_runs"


@pytest.fixture
def values(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings with short leases."""
    return {**quicken(environment, monkeypatch), "SETTLE_SECONDS": SETTLE_SECONDS}


def test_after_a_restore_one_sync_makes_all_right(
    values: dict[str, str], servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with town(BIGCOMMERCE_SKUS, WOOCOMMERCE_SKUS) as place:
        with Fleet(values):
            dump = back_up_while_shops_are_written(place, values["DATABASE_URL"], tmp_path)
        life_goes_on(place, random.Random(7))
        assert sum(shop.compare().wrong for shop in place.shops) > CHANGED / 2

        restored = {**values, "DATABASE_URL": lose_everything(servers, values)}
        restore(restored["DATABASE_URL"], dump)
        monkeypatch.setenv("DATABASE_URL", restored["DATABASE_URL"])
        config.settings.cache_clear()
        configure()
        assert row(UNDER_WAY) == (len(place.shops),)
        execute(A_NIGHT_OLD)
        since = time.monotonic()
        with Fleet(restored):
            sync_as_the_manual_says()
            reckon("restored", place.shops, since=since)


def back_up_while_shops_are_written(place: Town, url: str, folder: Path) -> Path:
    """The CronJob's dump, made while each shop is at a write of its first sync, which ends well; its file."""
    for shop in place.shops:
        route = BIGCOMMERCE_WRITE if isinstance(shop, BigCommerceHandle) else WOOCOMMERCE_WRITES
        shop.hold(route, "dump")
    runs = ask_for_all()
    for shop in place.shops:
        eventually(lambda shop=shop: shop.held("dump") > 0, seconds=60, every=0.05, what="a write")  # type: ignore[misc]
    assert back_up(url, folder).returncode == 0
    for shop in place.shops:
        shop.let_go("dump")
    assert_all_right(place.shops, runs)
    (dump,) = folder.glob("*.dump")
    return dump


def life_goes_on(place: Town, draw: random.Random) -> None:
    """Stock moves in BC; in each shop somebody types quantities, takes products away and brings one."""
    truth = {shop: [found for found in shop.truth() if found["expected"] is not None] for shop in place.shops}
    numbers = sorted({found["key"] for rows in truth.values() for found in rows})
    place.simulators.bc.set_stock({key: draw.randint(50, 500) for key in draw.sample(numbers, CHANGED)})
    for shop, found in truth.items():
        products = draw.sample(sorted({one["product_id"] for one in found}), TYPED + DELETED)
        typed = [one for one in found if one["product_id"] in products[:TYPED]]
        if isinstance(shop, BigCommerceHandle):
            for one in typed:
                ids = {name: one[name] for name in ("product_id", "variant_id") if one.get(name)}
                shop.set_shop_stock(999, **ids)
        else:
            assert isinstance(shop, WooCommerceHandle)
            for one in typed:
                shop.set_shop_stock(one.get("variation_id") or one["product_id"], 999)
        for product_id in products[TYPED:]:
            shop.delete_product(product_id)
        shop.create_product(sku=numbers[0], quantity=0)


def lose_everything(servers: Servers, values: dict[str, str]) -> str:
    """The database is gone, and what Redis knew; an empty database's URL."""
    db.close_all()
    servers.drop_database(values["DATABASE_URL"])
    with redis.Redis.from_url(values["REDIS_URL"]) as client:
        client.flushdb()
    return servers.new_database(migrated=False)


def sync_as_the_manual_says() -> None:
    """The command of its last step, which waits for the end and leaves with 0."""
    (words,) = re.findall(r"`inventory-sync (sync all)`", MANUAL)
    subprocess.run(
        [sys.executable, "-m", "api.cli", *words.split()], cwd=ROOT, check=True, timeout=SYNC_SECONDS
    )
