"""`POST /webhooks/{platform}/{site_id}`: prove, store with its job, answer. All else is off this path."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from peewee import IntegrityError
from werkzeug.exceptions import RequestEntityTooLarge

from api.auth import PUBLIC, needs
from api.edge import DELIVERIES, LARGEST_BODY
from api.errors import ProblemError
from api.receiver.background import Background
from api.receiver.outage import AwayError, Outage
from models.webhook_log import RECEIVED
from workers import metrics
from workers.database_errors import constraint
from workers.webhooks import events, intake
from workers.webhooks.catch_up import Debts
from workers.webhooks.events import UnreadableError
from workers.webhooks.intake import Delivery
from workers.webhooks.proofs import ACCEPTED, Verdict, judge
from workers.webhooks.rejections import Rejections
from workers.webhooks.site_keys import Keyring, SiteKeys

RETRY_AFTER_SECONDS = 5

_WHY = {
    Verdict.UNSIGNED: "a proof that this site demands is missing",
    Verdict.FORGED: "a proof is wrong: the secrets of the shop and of this site differ, or it is a forgery",
    Verdict.STALE: "it was signed more than 48 hours ago, or in the future",
}


class Receiver:
    """The receivers of one process, with what they remember."""

    def __init__(self) -> None:
        self._keyring = Keyring()
        self._rejections = Rejections()
        self._debts = Debts()
        self._background = Background(self._debts, self._rejections)
        self._outage = Outage()

    def blueprint(self) -> Blueprint:
        """The two addresses."""
        made = Blueprint(DELIVERIES, __name__, url_prefix="/webhooks")
        made.add_url_rule(
            "/<any(bigcommerce, woocommerce):platform>/<int:site_id>",
            view_func=self.receive,
            methods=["POST"],
        )
        return made

    def end(self) -> None:
        """Finish what is done beside the requests; after the last of them."""
        self._background.end()

    @needs(PUBLIC)  # a delivery proves itself
    def receive(self, platform: str, site_id: int) -> Response:
        """Take one delivery."""
        if site_id >= 2**31:
            raise _unknown()
        body = _body()
        delivery = Delivery(dict(iter(request.headers)), body, g.request_id)
        with metrics.webhook_receive_seconds.labels(platform).time():
            return self._take(platform, site_id, delivery)

    def _take(self, platform: str, site_id: int, delivery: Delivery) -> Response:
        try:
            with self._outage.noticed():
                return self._receive(platform, site_id, delivery)
        except AwayError as away:
            metrics.webhooks.labels(platform, "turned_away").inc()
            raise self._turned_away(site_id, away) from None
        except IntegrityError as error:
            if not constraint(error).endswith("_site_id_fkey"):
                raise
            self._keyring.forget(site_id)  # deleted since its keys were looked up
            raise _unknown() from None

    def _receive(self, platform: str, site_id: int, delivery: Delivery) -> Response:
        keys = self._keyring.find(site_id)
        if keys is None or keys.platform != platform:
            raise _unknown()
        verdict = judge(keys, request.headers, delivery.body)
        metrics.webhooks.labels(platform, verdict.value).inc()
        event_type = events.event_type_of(platform, request.headers)
        if verdict is Verdict.PING:
            self._rejections.add(keys, "ping", verdict, delivery, "the shop greets its new webhook")
            self._background.wake(hint=False)
            return _answer("ignored")
        if verdict not in ACCEPTED:
            raise self._refused(keys, event_type, verdict, delivery, _WHY[verdict])
        try:
            event = events.parse(keys, request.headers, delivery.body)
        except UnreadableError as error:
            raise self._refused(keys, event_type, Verdict.UNREADABLE, delivery, str(error)) from None
        ignored = event.ignored if keys.active else "the site is not active"
        if ignored is not None:
            intake.ignore(keys, event, verdict, delivery, ignored)
            return _answer("ignored")
        _, status = intake.accept(keys, event, verdict, delivery)
        self._background.wake(hint=status == RECEIVED)
        return _answer(status)

    def _refused(
        self, keys: SiteKeys, event_type: str | None, verdict: Verdict, delivery: Delivery, why: str
    ) -> ProblemError:
        self._rejections.add(keys, event_type, verdict, delivery, why)
        self._background.wake(hint=False)
        if verdict is Verdict.UNREADABLE:
            return ProblemError(400, "unreadable", f"This delivery can't be read: {why}.")
        return ProblemError(401, f"delivery_{verdict.value}", f"This delivery was refused: {why}.")

    def _turned_away(self, site_id: int, away: AwayError) -> ProblemError:
        """Not stored: the shop must know. WooCommerce never sends again, so a sync makes up for it."""
        self._debts.owe(site_id)
        self._background.wake(hint=False)
        wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return ProblemError(503, away.code, away.detail, headers=wait)


def _body() -> bytes:
    """The raw bytes. 413 over 1 MiB."""
    body = request.get_data(cache=False)
    # Of a body that comes in chunks Werkzeug gives the first so many bytes, and says nothing of the rest.
    if len(body) >= LARGEST_BODY and request.content_length is None and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def _unknown() -> ProblemError:
    return ProblemError(404, "unknown_site", "There is no such site.")


def _answer(status: str) -> Response:
    return Response(f'{{"status":"{status}"}}\n', content_type="application/json")
