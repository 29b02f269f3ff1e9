"""Refused credentials: noted as a job fails by them, told once, and over when they are taken again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from models.database import rows
from tests.integration.alerts.receivers import WebhookReceiver
from tests.integration.alerts.watching import alerts, look, run
from tests.integration.ledger import helpers
from workers import breaker
from workers.alerts.check import check
from workers.errors import AuthenticationRefused, NotFound, RemoteError, ScopeMissing
from workers.execute import execute
from workers.jobs import Done, Kind, Work
from workers.kinds import KINDS

Handler = Callable[[Work], Done]


def fails(error: RemoteError, work: Work) -> Done:
    raise error


def fails_at_the_company(error: RemoteError, company_id: int, work: Work) -> Done:
    with breaker.watching(breaker.company_scope(company_id)):
        raise error


def comes_through(work: Work) -> Done:
    work.calls += 1
    return Done()


def asks_nobody(work: Work) -> Done:
    return Done()


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Do one job of a site or company with this handler."""

    def do(handler: Handler, kind: str = "test", **of: int) -> None:
        monkeypatch.setitem(KINDS, kind, Kind(kind, handler))
        assert execute(helpers.job(kind, **of))

    return do


def test_a_shop_that_refuses_is_told_once_until_it_answers(
    receiver: WebhookReceiver, site_id: int, does: Callable[..., None]
) -> None:
    for route in ("products", "orders"):
        does(
            partial(fails, AuthenticationRefused(f"WooCommerce GET {route}: 401 Unauthorized")),
            site_id=site_id,
        )
        look()
    does(asks_nobody, site_id=site_id)
    look()
    assert alerts() == [("credentials_refused", f"site:{site_id}", "open")], (
        "nothing was asked: nothing is known"
    )

    does(comes_through, site_id=site_id)
    look()

    assert receiver.texts == [
        "Alert: The shop refuses the credentials of Outlet",
        "Resolved: The shop refuses the credentials of Outlet",
    ]
    assert rows("SELECT * FROM rm_refusals") == []


def test_that_a_permission_is_missing_is_told_until_what_needs_it_comes_through(
    site_id: int, does: Callable[..., None]
) -> None:
    does(partial(fails, ScopeMissing("BigCommerce PUT inventory: 403 Forbidden")), "push", site_id=site_id)
    assert check() == 1
    does(comes_through, "list", site_id=site_id)
    assert check() == 0, "reading needs another permission"
    does(comes_through, "push", site_id=site_id)

    assert check() == 1
    assert alerts() == [("credentials_refused", f"site:{site_id}", "resolved")]


def test_business_central_s_refusal_is_the_company_s_whoever_asked(
    receiver: WebhookReceiver, company_id: int, site_id: int, does: Callable[..., None]
) -> None:
    refused = AuthenticationRefused("Business Central POST token: 401 (AADSTS7000222)")
    does(partial(fails_at_the_company, refused, company_id), site_id=site_id)
    look()
    does(partial(fails, refused), company_id=company_id)
    look()

    assert alerts() == [("credentials_refused", f"company:{company_id}", "open")]
    does(comes_through, company_id=company_id)
    look()
    assert receiver.texts == [
        "Alert: Business Central refuses the credentials of Contoso",
        "Resolved: Business Central refuses the credentials of Contoso",
    ]


def test_a_sync_that_was_asked_for_later_and_came_through_shows_that_all_is_well(
    company_id: int, site_id: int, does: Callable[..., None]
) -> None:
    does(partial(fails, AuthenticationRefused("401")), "stock.chain", company_id=company_id)
    assert check() == 1
    run(site_id, "completed")

    assert check() == 1
    assert alerts() == [("credentials_refused", f"company:{company_id}", "resolved")]


def test_other_failures_are_no_refusal(site_id: int, does: Callable[..., None]) -> None:
    does(partial(fails, NotFound("WooCommerce GET products: 404 Not Found")), site_id=site_id)

    assert check() == 0
