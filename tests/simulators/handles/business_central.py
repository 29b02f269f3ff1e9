"""The handle on Business Central."""

from __future__ import annotations

from typing import Any

from .base import SimulatorHandle


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
