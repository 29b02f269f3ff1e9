"""Typed handles on running simulators: their URLs and credentials, and the control API as methods."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import requests

CONTROL_TIMEOUT = 60  # seconds; comparing 100,000 rows takes about one


class ControlError(Exception):
    """The simulator refused a control call."""


@dataclass(frozen=True)
class Comparison:
    """The shop against the truth. `correct` is what a finished sync must reach."""

    rows: int
    right: int
    wrong: int
    left_alone: int
    touched: int  # rows that had to be left alone and were written
    untouched_reasons: dict[str, int]
    pending_writes: int  # accepted, not landed yet
    wrong_rows: list[dict[str, Any]]
    touched_rows: list[dict[str, Any]]

    @property
    def correct(self) -> bool:
        return not (self.wrong or self.touched or self.pending_writes)


class SimulatorHandle:
    """What every simulator can be asked and told."""

    def __init__(self, name: str, url: str, certificate_file: str = "") -> None:
        self.name = name
        self.url = url
        self.certificate_file = certificate_file  # to be trusted by clients of an https simulator
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = certificate_file or True

    def control(self, action: str, **body: Any) -> Any:
        """Any control action by name; README.md lists them."""
        response = self._session.post(f"{self.url}/__control__/{action}", json=body, timeout=CONTROL_TIMEOUT)
        if response.status_code != 200:
            raise ControlError(response.json().get("error", response.text))
        return response.json()

    def counts(self) -> dict[str, Any]:
        """calls, statuses, violations, examples, refusals, faults, peaks, errors."""
        counts: dict[str, Any] = self.control("counts")
        return counts

    def calls(self) -> dict[str, int]:
        """Vendor calls by route, as `GET /catalog/products`."""
        calls: dict[str, int] = self.counts()["calls"]
        return calls

    def total_calls(self) -> int:
        return sum(self.calls().values())

    def violations(self) -> dict[str, int]:
        """What the client could have known not to do. Empty is the only good answer."""
        violations: dict[str, int] = self.counts()["violations"]
        return violations

    def requests_seen(self) -> list[dict[str, Any]]:
        """The last requests: at, seconds, route, target, status."""
        seen: list[dict[str, Any]] = self.control("requests")["requests"]
        return seen

    def reset(self) -> None:
        """Counts start anew; stock, faults and settings stay."""
        self.control("reset")

    def set_faults(self, rate: float = 0.0, rules: list[dict[str, Any]] | None = None, **plan: Any) -> None:
        """Replaces the fault plan (faults.FaultPlan has the fields); without arguments, no faults."""
        self.control("faults", rate=rate, rules=rules or [], **plan)

    def set_latency(self, milliseconds: float) -> None:
        self.control("latency", ms=milliseconds)

    def configure(self, **settings: Any) -> None:
        self.control("configure", **settings)

    def after(self, route: str, *steps: dict[str, Any], nth: int = 1) -> None:
        """Does the steps once the nth next call of `route` has been worked on, before it is answered.

        A step is `{"action": "delete_product", "product_id": 5}`; `"on": name` aims at another simulator.
        """
        self.control("after", route=route, nth=nth, do=list(steps))


class BusinessCentralHandle(SimulatorHandle):
    """Business Central: one company's items."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["name"], described["url"])
        self.api_url: str = described["api_url"]
        self.token_url: str = described["token_url"]
        self.tenant_id: str = described["tenant_id"]
        self.environment: str = described["environment"]
        self.company_id: str = described["company_id"]
        self.empty_company_id: str = described["empty_company_id"]
        self.client_id: str = described["client_id"]
        self.client_secret: str = described["client_secret"]

    def set_stock(self, stock: dict[str, float | str], commit_after_ms: float = 0) -> list[int]:
        """Posts stock by item number; the ledger's entry numbers."""
        numbers: list[int] = self.control("set_stock", stock=stock, commit_after_ms=commit_after_ms)[
            "entry_numbers"
        ]
        return numbers

    def stock(self, *numbers: str) -> dict[str, tuple[str, str]]:
        """number -> (type, inventory as text), of all items or of those named."""
        body = {"numbers": list(numbers)} if numbers else {}
        answer: dict[str, list[str]] = self.control("stock", **body)["stock"]
        return {number: (pair[0], pair[1]) for number, pair in answer.items()}

    def add_item(self, number: str, inventory: float | str = 0, **fields: Any) -> None:
        """Fields: type, blocked, display_name."""
        self.control("add_item", number=number, inventory=inventory, **fields)

    def remove_item(self, number: str) -> None:
        self.control("remove_item", number=number)

    def change_item(self, number: str, **fields: Any) -> None:
        """Fields: type, blocked, display_name."""
        self.control("change_item", number=number, **fields)

    def revoke_tokens(self) -> None:
        self.control("revoke_tokens")


class ShopHandle(SimulatorHandle):
    """What both kinds of shop share: rows that can be compared with the truth."""

    def compare(self, **site: Any) -> Comparison:
        """The shop against BC as it stands.

        `site`: safety_stock, limit; for BigCommerce also channels, other_channels, location_id.
        """
        return Comparison(**self.control("compare", **site))

    def truth(self, **site: Any) -> list[dict[str, Any]]:
        """Each row: its ids, sku, key, expected (None: untouched), reasons, shown, writes."""
        rows: list[dict[str, Any]] = self.control("truth", **site)["rows"]
        return rows

    def wait_until_landed(self, timeout: float = 30.0, **site: Any) -> Comparison:
        """The comparison once no write is pending any more, or at the timeout."""
        end = time.monotonic() + timeout
        while True:
            comparison = self.compare(**site)
            if not comparison.pending_writes or time.monotonic() > end:
                return comparison
            time.sleep(0.2)

    def writes(self, start: int = 0) -> list[dict[str, Any]]:
        """Stock writes in the order accepted: ids, quantity, previous, received_at, landed_at."""
        writes: list[dict[str, Any]] = self.control("writes", start=start)["writes"]
        return writes

    def forget_writes(self) -> None:
        self.control("forget_writes")


class BigCommerceHandle(ShopHandle):
    """A BigCommerce store."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["name"], described["url"])
        self.api_url: str = described["api_url"]
        self.store_hash: str = described["store_hash"]
        self.access_token: str = described["access_token"]
        self.client_secret: str = described["client_secret"]
        self.channel_ids: list[int] = described["channel_ids"]

    def row(self, **ids: int) -> dict[str, Any]:
        """`product_id=` or `variant_id=`: sku, on_hand by location, writes."""
        row: dict[str, Any] = self.control("row", **ids)
        return row

    def sell(self, quantity: int = 1, **ids: int) -> None:
        self.control("sell", quantity=quantity, **ids)

    def set_shop_stock(self, quantity: int, **ids: int) -> None:
        self.control("set_shop_stock", quantity=quantity, **ids)

    def create_product(self, **fields: Any) -> dict[str, Any]:
        """sku, quantity, tracking, channels, id, variants=[{sku, quantity}]; gives the ids."""
        created: dict[str, Any] = self.control("create_product", **fields)
        return created

    def delete_product(self, product_id: int) -> None:
        self.control("delete_product", product_id=product_id)

    def change_product(self, product_id: int, **fields: Any) -> None:
        """Fields: name, sku, tracking, channels, is_visible, safety_stock."""
        self.control("change_product", product_id=product_id, **fields)

    def change_variant_sku(self, variant_id: int, sku: str) -> None:
        self.control("change_variant_sku", variant_id=variant_id, sku=sku)

    def land_all(self) -> None:
        """Lands what is pending now."""
        self.control("land_all")

    def set_landing(self, min_seconds: float, max_seconds: float) -> None:
        """How late accepted writes land; (0, 0): at once."""
        self.configure(landing=[min_seconds, max_seconds])


class WooCommerceHandle(ShopHandle):
    """A WooCommerce shop."""

    def __init__(self, described: dict[str, Any], certificate_file: str) -> None:
        super().__init__(described["name"], described["url"], certificate_file)
        self.consumer_key: str = described["consumer_key"]
        self.consumer_secret: str = described["consumer_secret"]

    def row(self, post_id: int) -> dict[str, Any]:
        """A product or variation: sku, stock_quantity, manage_stock, status, writes."""
        row: dict[str, Any] = self.control("row", product_id=post_id)
        return row

    def sell(self, post_id: int, quantity: int = 1) -> None:
        self.control("sell", product_id=post_id, quantity=quantity)

    def set_shop_stock(self, post_id: int, quantity: int) -> None:
        self.control("set_shop_stock", product_id=post_id, quantity=quantity)

    def create_product(self, **fields: Any) -> dict[str, Any]:
        """sku, quantity, manage_stock, status, type, id, variations=[{sku, quantity, manage_stock}]."""
        created: dict[str, Any] = self.control("create_product", **fields)
        return created

    def delete_product(self, post_id: int) -> None:
        """For good; a variation too."""
        self.control("delete_product", product_id=post_id)

    def trash_product(self, post_id: int) -> None:
        self.control("trash_product", product_id=post_id)

    def restore_product(self, post_id: int) -> None:
        self.control("restore_product", product_id=post_id)

    def change_product(self, post_id: int, **fields: Any) -> None:
        """Fields: sku, status, manage_stock, type, name, backorders; of a product or a variation."""
        self.control("change_product", product_id=post_id, **fields)
