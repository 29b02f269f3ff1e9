"""Does this company's connection work, and if not, what has to be corrected? One line for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from workers.clients.business_central_rows import BcCompany
from workers.clients.business_central_tokens import REASONS
from workers.clients.shop import CheckResult
from workers.errors import (
    AuthenticationRefused,
    ConnectionFailed,
    MustWait,
    NotFound,
    Redirected,
    RemoteError,
    RemoteTimeout,
    ScopeMissing,
)

MOST_NAMES = 10  # companies that one line lists


class Entered(Protocol):
    """What the steps ask of a client."""

    def fetch_token(self) -> None: ...

    def companies(self) -> list[BcCompany]: ...

    def count_items(self) -> int: ...


def check(client: Entered, company_id: str) -> list[CheckResult]:
    """The token, the company, its items: each a line; the first that fails is the last."""
    results = []
    steps: list[tuple[str, Callable[[], CheckResult], Callable[[RemoteError, str], CheckResult]]]
    steps = [
        ("token", lambda: _token(client), _token_fault),
        ("company", lambda: _company(client, company_id), _api_fault),
        ("items", lambda: _items(client), _api_fault),
    ]
    for name, step, fault in steps:
        try:
            result = step()
        except MustWait as wait:
            result = CheckResult(name, False, f"the rate limit is reached: try again in {wait.seconds:.0f} s")
        except RemoteError as error:
            result = fault(error, name)
        results.append(result)
        if not result.ok:
            break
    return results


def _token(client: Entered) -> CheckResult:
    client.fetch_token()
    return CheckResult("token", True, "Microsoft gave a token for this client id and secret")


def _company(client: Entered, company_id: str) -> CheckResult:
    wanted = company_id.strip("{}").lower()
    found = client.companies()
    for company in found:
        if company.id.lower() == wanted:
            return CheckResult("company", True, f"the company is {company.name}")
    names = ", ".join(f"{company.name} ({company.id})" for company in found[:MOST_NAMES])
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    there = (
        f"this environment has {names}{more}" if found else "this environment has none that the app may see"
    )
    return CheckResult("company", False, f"there is no company with this id: {there}", "company_id")


def _items(client: Entered) -> CheckResult:
    return CheckResult("items", True, f"{client.count_items()} items can be read")


def _token_fault(error: RemoteError, name: str) -> CheckResult:
    if isinstance(error, AuthenticationRefused):
        for number, (field, reason) in REASONS.items():
            if error.code == f"AADSTS{number}":
                return CheckResult(name, False, f"{reason} ({error.code})", field)
        return CheckResult(name, False, str(error), "client_id")
    if isinstance(error, NotFound):
        return CheckResult(name, False, "the token URL answers 404: it is no token endpoint", "token_url")
    return _common_fault(error, name, "token_url")


def _api_fault(error: RemoteError, name: str) -> CheckResult:
    if isinstance(error, AuthenticationRefused):
        text = (
            "Business Central refuses the app although Microsoft gave it a token: add its client id under "
            "Microsoft Entra Applications in Business Central and enable it there"
        )
        return CheckResult(name, False, text, "client_id")
    if isinstance(error, ScopeMissing):
        what = "companies" if name == "company" else "items"
        text = f"the app lacks the permission to read {what}: give it a permission set such as D365 READ"
        return CheckResult(name, False, text, "client_id")
    if isinstance(error, NotFound):
        text = (
            f"there is no such tenant or environment ({error.code or 404}): check both, and the API's address"
        )
        return CheckResult(name, False, text, "environment")
    return _common_fault(error, name, "api_url")


def _common_fault(error: RemoteError, name: str, field: str) -> CheckResult:
    """A fault of the address or the way there; what passes by itself names no field."""
    at_fault = isinstance(error, ConnectionFailed | Redirected | RemoteTimeout) or error.permanent
    return CheckResult(name, False, str(error), field if at_fault else None)
