"""The JSON of products, kept until they change, and of variants."""

from __future__ import annotations

import json
from typing import Any

from .answers import refuse
from .catalogue import Product, Variant
from .events import sku_id
from .store import BigCommerceStore

_DESCRIPTION = "<p>" + "What a shop says about a thing it sells. " * 8 + "</p>"
_VARIANT = (
    '{"id":%d,"product_id":%d,"sku":%s,"sku_id":%s,"price":null,"calculated_price":9.5,'
    '"purchasing_disabled":false,"upc":"","inventory_level":%d,"inventory_warning_level":0,'
    '"bin_picking_number":"","option_values":[%s]}'
)


class Renderer:
    """Reads the store; the caller holds its lock."""

    def __init__(self, store: BigCommerceStore) -> None:
        self._store = store

    def product(self, product: Product, fields: tuple[str, ...], with_variants: bool) -> bytes:
        """The product's JSON, kept until the product changes.

        `include_fields` slims the product, not its variants: slimming those is undocumented.
        """
        key = (fields, with_variants)
        rendered = product.rendered.get(key)
        if rendered is None:
            text = json.dumps(_slim(self._product(product), fields), ensure_ascii=False)
            if with_variants:
                variants = ",".join(map(self._variant_text, product.variants))
                text = f'{text[:-1]},"variants":[{variants}]}}'
            rendered = product.rendered[key] = text.encode()
        return rendered

    def level(self, product: Product) -> int:
        if product.tracking == "none":
            return 0
        if product.tracking == "product":
            return self._store.available(product)
        return sum(self._store.available(variant) for variant in product.variants)

    def _product(self, product: Product) -> dict[str, Any]:
        return {
            "id": product.id,
            "name": product.name,
            "type": "physical",
            "sku": product.sku,
            "description": _DESCRIPTION,
            "weight": 1,
            "price": 9.5,
            "categories": [23],
            "brand_id": 0,
            "inventory_level": self.level(product),
            "inventory_warning_level": 0,
            "inventory_tracking": product.tracking,
            "base_variant_id": product.variants[0].id if product.is_simple else None,
            "is_visible": product.is_visible,
            "availability": "available",
            "date_created": "2024-05-02T09:00:00+00:00",
            "date_modified": product.modified,
        }

    def _variant_text(self, variant: Variant) -> str:
        """A template: variants are most of what is serialised, and the simulators share two cores."""
        product = self._store.by_id[variant.product_id]
        level = 0
        if product.is_simple:
            level = self.level(product)
        elif product.tracking == "variant":
            level = self._store.available(variant)
        options = f'{{"id":1,"label":"{variant.option}","option_id":1,"option_display_name":"Size"}}'
        return _VARIANT % (
            variant.id,
            variant.product_id,
            json.dumps(variant.sku, ensure_ascii=False),
            sku_id(variant) if variant.option else "null",
            level,
            options if variant.option else "",
        )

    def variant(self, variant: Variant, fields: tuple[str, ...]) -> bytes:
        """A variant as `/catalog/variants` lists it."""
        return _slim_text(self._variant_text(variant), fields).encode()


def _slim(row: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    if not fields:
        return row
    unknown = sorted(set(fields) - set(row))
    if unknown:
        raise refuse(
            422, f"The field(s): {', '.join(unknown)} are not valid", {"include_fields": "unknown field"}
        )
    return {name: value for name, value in row.items() if name in fields or name == "id"}


def _slim_text(text: str, fields: tuple[str, ...]) -> str:
    return json.dumps(_slim(json.loads(text), fields), ensure_ascii=False) if fields else text
