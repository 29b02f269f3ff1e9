"""How a shop shall prove its deliveries: what the site demands, made where it may be made by us."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets

from peewee import fn

from models import config
from models.database import session, transaction
from models.site import BIGCOMMERCE, Site
from workers.clients.hooks import Proof
from workers.errors import ConfigurationError
from workers.webhooks.proofs import TOKEN_HEADER

SECRET_BYTES = 32


def ensure(site: Site) -> Site:
    """The site with the secrets that its proofs need; makes those that are ours to make.

    Raises ConfigurationError that names the field where a person has to act.
    """
    _demand_sense(site)
    if "signature" in site.webhook_proofs and site.webhook_secret is None:
        if site.platform == BIGCOMMERCE:
            raise ConfigurationError(
                "webhook_secret",
                "is not set, and webhook_proofs lists `signature`: set it to the client secret of the app whose"
                f" access token this is (PATCH /api/v1/sites/{site.id}); BigCommerce signs with it",
            )
        # Hex: WordPress decodes HTML entities in a secret.
        return _made(site, "webhook_secret", secrets.token_hex(SECRET_BYTES))
    if "header" in site.webhook_proofs and site.webhook_header_value is None:
        return _made(site, "webhook_header_value", secrets.token_urlsafe(SECRET_BYTES))
    return site


def of(site: Site) -> Proof:
    """What the shop is told."""
    value = site.webhook_header_value
    return Proof(
        secret=None if site.webhook_secret is None else site.webhook_secret.reveal(),
        headers={} if value is None else {TOKEN_HEADER: value.reveal()},
    )


def mark(proof: Proof) -> str:
    """A mark of a proof, to know later what a shop was told; it gives away nothing of the proof."""
    key = (config.settings().secret_key or "").encode()
    told = json.dumps([proof.secret, sorted(proof.headers.items())]).encode()
    return hmac.new(key, told, hashlib.sha256).hexdigest()[:32]


def _demand_sense(site: Site) -> None:
    if not site.webhook_proofs:
        raise ConfigurationError("webhook_proofs", "is empty, so no delivery would count: list `signature`")
    if "header" in site.webhook_proofs and site.platform != BIGCOMMERCE:
        raise ConfigurationError(
            "webhook_proofs", "lists `header`, which WooCommerce can't send: list `signature` alone"
        )


def _made(site: Site, field: str, value: str) -> Site:
    """Compare-and-set: of two who make one, one wins, and both use it."""
    column = getattr(Site, field)
    with transaction():
        Site.update({field: value, "updated_at": fn.now()}).where(
            (Site.id == site.id) & column.is_null()
        ).execute()
    with session():
        found: Site = Site.get_by_id(site.id)
    return ensure(found)
