"""The `test` of a site or a company: really calls both ends, and says in one line what is wrong.

A remote failure is a finding here, not an error. No database connection is held while a vendor is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from models.company import Company
from models.crypto import UndecryptableError
from models.site import Site
from workers import companies, connections
from workers.clients.shop import CheckResult
from workers.errors import (
    AuthenticationRefused,
    ConfigurationError,
    ConnectionFailed,
    InventorySyncError,
    NotFound,
    Redirected,
    ScopeMissing,
)


class _Client(Protocol):
    def check(self) -> list[CheckResult]: ...

    def close(self) -> None: ...


def test_site(site: Site) -> list[CheckResult]:
    """Try a site: its company first, then the shop. Raises nothing that the vendors cause."""
    company = companies.get(site.company_id)
    return [*(_of_the_company(check) for check in test_company(company)), *_shop_checks(site)]


def test_company(company: Company) -> list[CheckResult]:
    """Try a company. Raises nothing that Business Central causes."""
    if company.client_secret is None:
        return [CheckResult("token", False, "is not set: give the app's client secret", "client_secret")]
    return _try("company", lambda: connections.business_central(company), "api_url", "client_secret")


def verdict(checks: Sequence[CheckResult]) -> str:
    """What it comes to, in one line."""
    wrong = [check for check in checks if not check.ok]
    if not wrong:
        return f"All {len(checks)} checks passed."
    others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].field or wrong[0].name}: {wrong[0].message}{others}"


def _shop_checks(site: Site) -> list[CheckResult]:
    secrets = ("access_token",) if site.store_hash else ("consumer_key", "consumer_secret")
    missing = [name for name in secrets if getattr(site, name) is None]
    if missing:
        return [CheckResult("token", False, "is not set", name) for name in missing]
    address = "api_url" if site.store_hash else "url"
    return _try("store", lambda: connections.shop_client(site), address, secrets[-1])


def _try(name: str, connect: Callable[[], _Client], address: str, secret: str) -> list[CheckResult]:
    """A client's own findings; what it raises all the same becomes one."""
    try:
        client = connect()
        try:
            return client.check()
        finally:
            client.close()
    except UndecryptableError as error:
        return [CheckResult(name, False, str(error), secret)]
    except ConfigurationError as error:
        return [CheckResult(name, False, error.message, error.field)]
    except InventorySyncError as error:
        return [CheckResult(name, False, str(error), _field(error, address, secret))]


def _field(error: InventorySyncError, address: str, secret: str) -> str | None:
    if isinstance(error, AuthenticationRefused | ScopeMissing):
        return secret
    if isinstance(error, ConnectionFailed | Redirected | NotFound):
        return address
    return None


def _of_the_company(check: CheckResult) -> CheckResult:
    """A company's field, told apart from the site's own (both have an api_url)."""
    return replace(check, field=f"company.{check.field}") if check.field else check
