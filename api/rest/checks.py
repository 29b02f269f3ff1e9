"""How the `test` of a site or a company is answered."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from api.rest.lists import Answer
from workers.clients.shop import CheckResult
from workers.connection_test import verdict


class Check(Answer):
    """One thing that was tried."""

    name: str = Field(description="token, company, items, store, location, stock_management, ...")
    ok: bool
    message: str
    field: str | None = Field(description="The field to correct, where one is at fault.")


class Report(Answer):
    """All that was tried, and what it comes to in one line."""

    ok: bool
    verdict: str
    checks: list[Check]


def report(checks: Sequence[CheckResult]) -> Report:
    """The findings as an answer."""
    return Report(
        ok=all(check.ok for check in checks),
        verdict=verdict(checks),
        checks=[Check.model_validate(check) for check in checks],
    )
