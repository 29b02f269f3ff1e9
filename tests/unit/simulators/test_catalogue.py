"""The catalogue: the same for the same seed, with every trouble that real shops have."""

from __future__ import annotations

import random
from collections import Counter

from tests.simulators.bigcommerce import catalogue as bigcommerce
from tests.simulators.catalogue import NON_INVENTORY, SERVICE, bc_items, shop_skus
from tests.simulators.skus import SHAPES, key_of, number_of, same_sku_form, shop_sku
from tests.simulators.woocommerce import catalogue as woocommerce

ITEMS = bc_items(3, 4000)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_same_seed_gives_the_same_catalogue() -> None:
    assert bc_items(3, 4000) == ITEMS
    assert bc_items(4, 4000) != ITEMS
    assert shop_skus(3, "shop", ITEMS, 500) == shop_skus(3, "shop", ITEMS, 500)
    assert shop_skus(3, "shop", ITEMS, 500) != shop_skus(3, "other shop", ITEMS, 500)


def test_every_bc_number_is_its_own_key() -> None:
    assert len({item.number for item in ITEMS}) == len(ITEMS)
    assert all(key_of(item.number) == item.number and units(item.number) <= 20 for item in ITEMS)


def test_bc_stock_is_whole_fractional_zero_and_negative() -> None:
    assert any(item.inventory % 1 for item in ITEMS)
    assert any(item.inventory < 0 for item in ITEMS)
    assert any(item.inventory == 0 for item in ITEMS)
    assert all(int(item.inventory.as_tuple().exponent) >= -5 for item in ITEMS)


def test_items_without_inventory_read_zero_and_some_items_are_blocked() -> None:
    idle = [item for item in ITEMS if item.type in (SERVICE, NON_INVENTORY)]
    assert {item.type for item in idle} == {SERVICE, NON_INVENTORY}
    assert all(item.inventory == 0 for item in idle)
    assert any(item.blocked for item in ITEMS)


def test_each_way_to_write_a_number_still_means_that_number() -> None:
    rng = random.Random(5)
    ways = {
        "lower": "odd",
        "spaced": "odd",
        "long": "exactly_20",
        "cut_leaves_space": "exactly_19",
        "grows": "grows",
        "halved_pair": "halved_pair",
    }
    for kind, shape in ways.items():
        for index in range(50):
            number = number_of(shape, index, rng)
            sku = shop_sku(kind, number, rng)
            assert key_of(sku) == number, (kind, number, sku)


def test_a_shop_has_every_trouble() -> None:
    skus = shop_skus(3, "shop", ITEMS, 3000)
    numbers = {item.number for item in ITEMS}
    forms = Counter(same_sku_form(sku) for sku in skus)
    keys: dict[str, set[str]] = {}
    for sku in skus:
        keys.setdefault(key_of(sku), set()).add(same_sku_form(sku))
    assert len(skus) == 3000
    assert any(not sku.strip() for sku in skus)
    assert any(sku != sku.strip() for sku in skus)
    assert any(units(sku) > 20 for sku in skus)
    assert any(key_of(sku) and key_of(sku) not in numbers for sku in skus)
    assert any(count > 1 for form, count in forms.items() if form)
    assert any(len(different) > 1 for key, different in keys.items() if key)
    assert all(any(mark in sku for sku in skus) for mark in "'&%+,#?/\"Ä🦊ß")
    assert set(SHAPES) == {item.shape for item in ITEMS}


def test_a_bigcommerce_store_has_every_kind_of_product() -> None:
    products = list(bigcommerce.products(3, "store", ITEMS, 3000, 7, "2026-01-01T00:00:00+00:00"))
    assert sum(len(product.variants) for product in products) == 3000
    assert {product.tracking for product in products} == {"none", "product", "variant"}
    assert {"none", "product", "variant"} == {p.tracking for p in products if not p.is_simple}
    assert {product.channels for product in products} >= {(1,), (1, 2), (2,), ()}
    ids = [product.id for product in products]
    assert ids == sorted(set(ids))


def test_a_woocommerce_shop_has_every_kind_of_product() -> None:
    products = list(woocommerce.products(3, "shop", ITEMS, 3000))
    variations = [child for product in products for child in product.children]
    sellable = [p for p in products if p.type != "variable"] + variations
    # A parent that manages stock takes one of the SKUs for itself.
    assert 2800 < len(sellable) <= 3000
    assert {product.type for product in products} == {"simple", "variable", "grouped", "external"}
    assert any(product.manage_stock for product in products if product.type == "variable")
    assert any(not variation.sku for variation in variations)
    assert any(not post.manage_stock for post in products if post.type == "simple")
    assert {"publish", "draft"} <= {product.status for product in products}


def test_where_bc_has_too_few_items_the_rest_is_unknown_to_it() -> None:
    few = bc_items(3, 50)
    skus = shop_skus(3, "shop", few, 400)
    numbers = {item.number for item in few}
    assert len(skus) == 400
    assert sum(1 for sku in skus if key_of(sku) not in numbers) > 300
