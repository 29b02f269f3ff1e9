"""Is a delivery the shop's? Judged over the raw bytes, in constant time, before anything is parsed."""

from __future__ import annotations

import base64
import hmac
import re
from enum import StrEnum
from typing import Protocol, overload

from models.site import BIGCOMMERCE
from workers.webhooks.site_keys import SiteKeys

TOLERANCE_SECONDS = 300  # Standard Webhooks; older ones are late
LATE_SECONDS = 48 * 3600  # vendors retry for two days
TOKEN_HEADER = "X-Inventory-Sync-Token"  # noqa: S105 - a header's name
_TIMESTAMP = re.compile(r"[0-9]{1,10}")
_PING = re.compile(rb"webhook_id=[0-9]{1,18}")
_FORM = "application/x-www-form-urlencoded"


class Headers(Protocol):
    """Header values by name, whatever the name's case, as Flask's request has them."""

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, default: str, /) -> str: ...

    def __contains__(self, key: str, /) -> bool: ...


class Verdict(StrEnum):
    """What the proofs said."""

    VERIFIED = "verified"
    LATE = "late"  # proved, with an old timestamp: a vendor's retry, or a replay that costs a read at most
    PING = "ping"  # WooCommerce's greeting of a new webhook: unsigned, and without an event
    UNSIGNED = "unsigned"  # a proof that the site demands is not there
    FORGED = "forged"  # a proof is wrong
    STALE = "stale"  # proved, but too old, or from the future
    UNREADABLE = "unreadable"  # proved, but not what the vendor sends


ACCEPTED = (Verdict.VERIFIED, Verdict.LATE)


def judge(keys: SiteKeys, headers: Headers, body: bytes) -> Verdict:
    """What a delivery proves. All proofs that the site demands must pass; demanding none proves nothing."""
    if keys.platform != BIGCOMMERCE and _is_ping(headers, body):
        return Verdict.PING
    verdicts = {_PROOFS[proof](keys, headers, body) for proof in keys.proofs}
    for worst in (Verdict.FORGED, Verdict.UNSIGNED, Verdict.STALE, Verdict.LATE, Verdict.VERIFIED):
        if worst in verdicts:
            return worst
    return Verdict.UNSIGNED


def _is_ping(headers: Headers, body: bytes) -> bool:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == _FORM and _PING.fullmatch(body) is not None and "X-WC-Webhook-Topic" not in headers


def _header(keys: SiteKeys, headers: Headers, _: bytes) -> Verdict:
    given = headers.get(TOKEN_HEADER)
    if given is None or not keys.header_value:
        return Verdict.UNSIGNED
    same = hmac.compare_digest(given.encode(errors="replace"), keys.header_value.encode())
    return Verdict.VERIFIED if same else Verdict.FORGED


def _signature(keys: SiteKeys, headers: Headers, body: bytes) -> Verdict:
    if keys.platform == BIGCOMMERCE:
        return _standard(keys, headers, body)
    return _woocommerce(keys, headers, body)


def _woocommerce(keys: SiteKeys, headers: Headers, body: bytes) -> Verdict:
    """base64 of the HMAC-SHA256 of the body; nothing signs a time, so that a replay verifies."""
    given = headers.get("X-WC-Webhook-Signature")
    if not given or not keys.secrets:
        return Verdict.UNSIGNED
    expected = [_hmac(secret, body) for secret in keys.secrets]
    return Verdict.VERIFIED if _is_one_of(given, expected) else Verdict.FORGED


def _standard(keys: SiteKeys, headers: Headers, body: bytes) -> Verdict:
    """Standard Webhooks, keyed with the raw bytes of the app's client secret."""
    delivery = headers.get("webhook-id")
    stamp = headers.get("webhook-timestamp", "").strip()
    given = headers.get("webhook-signature")
    if not (delivery and stamp and given and keys.secrets):
        return Verdict.UNSIGNED
    if not _TIMESTAMP.fullmatch(stamp):
        return Verdict.FORGED
    # The library of that name refuses what is older than 5 minutes, trips over odd headers, and signs text only:
    # over the raw bytes, a body that is not UTF-8 is proved like any other, and then told to be unreadable.
    signed = f"{delivery}.{stamp}.".encode(errors="replace") + body
    expected = ["v1," + _hmac(secret, signed) for secret in keys.secrets]
    if not any(_is_one_of(part, expected) for part in given.split(" ")):
        return Verdict.FORGED
    age = keys.now() - int(stamp)
    if age < -TOLERANCE_SECONDS or age > LATE_SECONDS:
        return Verdict.STALE
    return Verdict.LATE if age > TOLERANCE_SECONDS else Verdict.VERIFIED


def _hmac(secret: str, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def _is_one_of(given: str, expected: list[str]) -> bool:
    found = False
    for candidate in expected:  # all of them, whichever is right
        found |= hmac.compare_digest(given.strip().encode(errors="replace"), candidate.encode())
    return found


_PROOFS = {"signature": _signature, "header": _header}
