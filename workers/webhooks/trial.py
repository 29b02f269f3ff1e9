"""A delivery of our own, signed as the shop signs, through the public address, and followed to its effect."""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from dataclasses import dataclass
from typing import Any, cast

from requests import PreparedRequest
from requests.auth import AuthBase
from standardwebhooks import Webhook

from models.database import row
from models.site import BIGCOMMERCE, Site
from workers import clock
from workers.clients.http import Transport
from workers.errors import ConfigurationError, RemoteError
from workers.webhooks import hook_desk, site_proofs

MARK_HEADER = "X-Inventory-Sync-Test"  # stored with the delivery, so that this one is found again
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  # BigCommerce's patience; WooCommerce has 5 s
FOLLOW_SECONDS = 20.0  # the 5-second window, a read of the shop and one of Business Central
POLL_SECONDS = 0.1
NO_PRODUCT = 2**31 - 1  # where we know no product of the shop: nothing has this id, so nothing is changed
OVER = ("completed", "failed", "ignored", "rejected", "duplicate")


@dataclass(frozen=True, slots=True)
class Step:
    """One step, in words. name: sent, answered, logged or processed. seconds: since the step before."""

    name: str
    ok: bool
    message: str
    seconds: float
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """All steps as far as it got, and the delivery's row in the log. seconds: in all."""

    ok: bool
    seconds: float
    delivery_id: int | None
    steps: tuple[Step, ...]


class _Steps:
    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.found: list[Step] = []
        self.delivery_id: int | None = None

    def add(self, name: str, ok: bool, message: str, field: str | None = None) -> None:
        now = time.monotonic()
        self.found.append(Step(name, ok, message, round(now - self._last, 3), field))
        self._last = now

    def result(self) -> Trial:
        ok = all(step.ok for step in self.found)
        return Trial(ok, round(time.monotonic() - self._began, 3), self.delivery_id, tuple(self.found))


def send(site: Site, *, follow_seconds: float = FOLLOW_SECONDS) -> Trial:
    """Try a site's webhooks from end to end. Raises ConfigurationError where nothing can be sent."""
    address = hook_desk.destination(site)
    _demand_proofs(site)
    product_id = _product(site)
    mark = uuid.uuid4().hex
    after = row("SELECT coalesce(max(id), 0) FROM rm_webhook_log WHERE site_id = %s", (site.id,))
    assert after is not None
    steps = _Steps()
    what = f"product {product_id}" if product_id != NO_PRODUCT else "a product that does not exist"
    steps.add("sent", True, f"a signed event of {what} to {address}")
    if _answered(site, address, product_id, mark, steps):
        _followed(site, mark, after[0], follow_seconds, steps)
    return steps.result()


def _demand_proofs(site: Site) -> None:
    for proof, field in (("signature", "webhook_secret"), ("header", "webhook_header_value")):
        if proof in site.webhook_proofs and getattr(site, field) is None:
            raise ConfigurationError(
                field, f"is not set, and webhook_proofs lists `{proof}`: register the webhooks first"
            )


def _product(site: Site) -> int:
    found = row(
        "SELECT product_id FROM rm_items WHERE site_id = %s AND active ORDER BY id LIMIT 1", (site.id,)
    )
    return NO_PRODUCT if found is None else int(found[0])


def _answered(site: Site, address: str, product_id: int, mark: str, steps: _Steps) -> bool:
    signing = _Signing(site, mark)
    transport = Transport(
        "Webhook test",
        base_url=address,
        auth=signing,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        deadline=ANSWER_SECONDS,
        secrets=signing.secrets(),
    )
    try:
        answer = transport.request(
            "POST", "", route="delivery", json=_body(site, product_id, mark), raise_for_status=False
        )
    except RemoteError as error:
        steps.add("answered", False, f"no answer: {error}", hook_desk.SETTING)
        return False
    finally:
        transport.close()
    if answer.status == 200:
        steps.add("answered", True, "200: the receiver has taken it")
        return True
    steps.add("answered", False, *_refusal(answer.status, answer.headers.get("Location")))
    return False


def _refusal(status: int, location: str | None) -> tuple[str, str | None]:
    if 300 <= status < 400:
        words = f"it redirects ({status}) to {location or 'nowhere'}: shops don't follow, give that address"
        return words, hook_desk.SETTING
    if status == 401:
        return "401: refused; is it another installation that answers there, with other secrets?", None
    if status == 404:
        return "404: no receiver of this installation answers at this address", hook_desk.SETTING
    return f"{status}: not 200, so a shop would count it as failed", None


def _followed(site: Site, mark: str, after: int, seconds: float, steps: _Steps) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = row(_FOUND, {"site": site.id, "after": after, "name": MARK_HEADER, "mark": mark})
        if found is not None and steps.delivery_id is None:
            steps.delivery_id = int(found[0])
            steps.add("logged", True, f"delivery {found[0]} is in the log")
        if found is not None and found[1] in OVER:
            _, status, error = found
            words = f"{status}: {error}" if error else f"{status}: the shop was read again"
            steps.add("processed", status == "completed", words)
            return
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    if steps.delivery_id is None:
        steps.add("logged", False, "not in the log: another installation answers there", hook_desk.SETTING)
        return
    waits = f"; the last attempt failed: {found[2]}" if found and found[2] else "; do the workers run?"
    steps.add("processed", False, f"not done within {seconds:.0f} s{waits}")


_FOUND = """
    SELECT l.id, l.status, coalesce(l.error_message, q.error) FROM rm_webhook_log l
    LEFT JOIN rm_queue q ON q.id = l.job_id
    WHERE l.site_id = %(site)s AND l.id > %(after)s AND l.headers ->> %(name)s = %(mark)s
    ORDER BY l.id LIMIT 1
"""


class _Signing(AuthBase):
    """The headers that the shop would send, over the very bytes that are sent."""

    def __init__(self, site: Site, mark: str) -> None:
        self._site, self._mark = site, mark
        self._proof = site_proofs.of(site)

    def secrets(self) -> list[str]:
        return [*([self._proof.secret] if self._proof.secret else []), *self._proof.headers.values()]

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = cast(bytes, request.body)
        request.headers[MARK_HEADER] = self._mark
        sign = self._bigcommerce if self._site.platform == BIGCOMMERCE else self._woocommerce
        request.headers.update(sign(body))
        return request

    def _bigcommerce(self, body: bytes) -> dict[str, str]:
        headers = dict(self._proof.headers)
        if self._proof.secret is not None:
            moment = clock.now()
            delivery = f"msg_test_{self._mark}"
            headers |= {
                "webhook-id": delivery,
                "webhook-timestamp": str(int(moment.timestamp())),
                "webhook-signature": Webhook(self._proof.secret.encode()).sign(
                    delivery, moment, body.decode()
                ),
            }
        return headers

    def _woocommerce(self, body: bytes) -> dict[str, str]:
        digest = hmac.digest((self._proof.secret or "").encode(), body, "sha256")
        return {
            "X-WC-Webhook-Source": self._site.url or "",
            "X-WC-Webhook-Topic": "product.updated",
            "X-WC-Webhook-Resource": "product",
            "X-WC-Webhook-Event": "updated",
            "X-WC-Webhook-Delivery-ID": self._mark,
            "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
        }


def _body(site: Site, product_id: int, mark: str) -> dict[str, Any]:
    if site.platform != BIGCOMMERCE:
        return {"id": product_id, "type": "simple"}
    return {
        "producer": f"stores/{site.store_hash}",
        "hash": mark,
        "created_at": int(clock.now().timestamp()),
        "store_id": "0",
        "scope": "store/product/updated",
        "data": {"type": "product", "id": product_id},
    }
