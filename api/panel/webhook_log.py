"""The webhook log: every delivery that a shop sent, what became of it and why; doing one or many again."""

from __future__ import annotations

import json
from contextlib import suppress

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from api import audit
from api.auth import needs
from api.panel import asked, delivery_words, words
from api.panel.look import go, page
from api.rest import lists, routes
from models.database import session
from models.webhook_log import DELIVERY_STATUSES, FAILED, REJECTED, WebhookLog
from workers import sites
from workers.errors import Conflict
from workers.forms import LARGEST_BIGINT
from workers.webhooks import deliveries, delivery_lists
from workers.webhooks.delivery_lists import SINCE, DeliveryFilter
from workers.webhooks.hook_plan import BIGCOMMERCE_SCOPES, WOOCOMMERCE_TOPICS
from workers.wording import numbered

CURSOR = "panel-deliveries"
LONGEST_BODY = 100_000  # characters that are shown


def blueprint() -> Blueprint:
    """`/webhook-log`, one delivery, and what is done again."""
    pages = Blueprint("webhook_log", __name__)
    one = f"/webhook-log{routes.row_path('delivery_id', big=True)}"
    pages.get("/webhook-log")(show_all)
    pages.get("/webhook-log/replay")(ask_to_replay)
    pages.post("/webhook-log/replay")(replay_all)
    pages.get(one)(show)
    pages.post(f"{one}/replay")(replay)
    return pages


@needs("read")
def show_all() -> Response:
    """The deliveries that are asked for, the newest first; filters live in the address."""
    wanted, errors = asked.filters(DeliveryFilter)
    with session():
        found = delivery_lists.page(wanted, asked.cursor(CURSOR, [int]), asked.PAGE)
        return page(
            "webhook_log.html",
            422 if errors else 200,
            title="Webhook log",
            found=found,
            next=lists.encode(CURSOR, found.next) if found.next else None,
            errors=errors,
            chosen=wanted.model_dump(exclude_none=True),
            replayable=wanted.status == FAILED,
            statuses=[("", "any"), *((status, status) for status in DELIVERY_STATUSES)],
            since=[("", "whenever"), *((word, told) for word, (told, _) in SINCE.items())],
            sites=[("", "all"), *sites.names()],
            topics=(*WOOCOMMERCE_TOPICS, *BIGCOMMERCE_SCOPES),
        )


@needs("read")
def show(delivery_id: int) -> Response:
    """One delivery whole: its headers and body as they were kept, its verdict, each attempt."""
    with session():
        delivery = deliveries.get(delivery_id)
        return page(
            "delivery.html",
            title=f"Delivery {delivery_id}",
            delivery=delivery,
            site=sites.get(delivery.site_id) if delivery.site_id else None,
            verdict=delivery_words.verdict(delivery),
            proved=delivery_words.PROVED.get(delivery.verdict or "", ""),
            body=_readable(delivery),
            replayable=delivery.product_id is not None and delivery.status != REJECTED,
        )


@needs("sync")
def replay(delivery_id: int) -> Response:
    """Do it again: the shop is asked what holds now."""
    address = url_for("panel.webhook_log.show", delivery_id=delivery_id)
    try:
        job_id = deliveries.replay(delivery_id, request_id=routes.request_id())
    except Conflict as error:
        return go(address, words.sentence(error.message), "bad")
    audit.note(job=job_id)
    return go(address, f"It is done again by job {job_id}: the shop is asked what holds now.")


@needs("sync")
def ask_to_replay() -> Response:
    """How many that would be, before it is done."""
    wanted = asked.form(DeliveryFilter)
    with session():
        number, exact = delivery_lists.number(wanted)
        back = url_for("panel.webhook_log.show_all", **wanted.model_dump(exclude_none=True))
        told = numbered(number, "failed delivery", "failed deliveries")
        return page(
            "jobs_confirm.html",
            title="Replay deliveries",
            number=number,
            how_many=told if exact else f"{told} and more",
            button="Replay",
            what="The shop is asked once for each product what holds now, and stock follows where it must.",
            nothing="There is no such delivery any more.",
            address=url_for("panel.webhook_log.replay_all"),
            fields={**wanted.model_dump(exclude_none=True), "upto": delivery_lists.newest()},
            back=back,
        )


@needs("sync")
def replay_all() -> Response:
    """Do all failed ones of a filter again."""
    wanted = asked.form(DeliveryFilter)
    given = request.form.get("upto", "")
    known = given.isascii() and given.isdigit()
    upto = min(int(given), LARGEST_BIGINT - 1) if known else delivery_lists.newest()
    done = delivery_lists.replay_all(wanted, upto, request_id=routes.request_id())
    audit.note(filter=wanted.model_dump(exclude_none=True), done=done.number)
    told = numbered(done.number, "delivery is", "deliveries are") + " done again."
    if not done.finished:
        told += " There are more: do it again to go on."
    address = url_for(
        "panel.webhook_log.show_all", **wanted.model_dump(exclude_none=True, exclude={"status"})
    )
    return go(address, told, "good" if done.finished else "warn")


def _readable(delivery: WebhookLog) -> str:
    """The body, laid out where it is JSON."""
    text = delivery.body or ""
    with suppress(ValueError, RecursionError):  # what is no JSON is shown as it came
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text[:LONGEST_BODY]
