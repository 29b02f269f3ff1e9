"""Which store a site sells in: its key, and when two sites may share it."""

from __future__ import annotations

from collections.abc import Sequence

from requests.utils import requote_uri
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from models.database import rows
from models.site import BIGCOMMERCE, WOOCOMMERCE
from workers.errors import ConfigurationError, Conflict

_DEFAULT_PORTS = {"http": 80, "https": 443}


def bigcommerce_key(store_hash: str) -> str:
    """What the write lease of a BigCommerce store is held on."""
    return f"{BIGCOMMERCE}:{store_hash.lower()}"


def woocommerce_key(url: str) -> str:
    """What the write lease of a WooCommerce shop is held on: its address, however it is spelled.

    http and https are one shop; so are upper and lower case of the host, its Unicode and its ASCII form, a
    default port and none, a slash at the end and none. Raises ConfigurationError.
    """
    try:
        parts = parse_url(url)
    except (LocationParseError, UnicodeError):
        raise ConfigurationError("url", "is not a URL: give it as https://host/path") from None
    host = (parts.host or "").rstrip(".")
    if not host:
        raise ConfigurationError("url", "has no host: give it as https://host/path")
    path = requote_uri(parts.path or "")  # %7E and ~ are one
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme or "")) else f":{parts.port}"
    return f"{WOOCOMMERCE}:{host}{port}{path.rstrip('/')}"


def claim(store_key: str, channel_ids: Sequence[int], *, site_id: int | None) -> None:
    """Make sure that this site may sell in this store, until the transaction ends.

    site_id: the site itself, where it exists already. Raises Conflict.
    """
    # Two requests at once would each see the store free: the second waits here, then sees the first.
    rows("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (store_key,))
    others = rows(
        "SELECT id, channel_ids FROM rm_sites WHERE store_key = %s AND id IS DISTINCT FROM %s"
        " AND leaving_at IS NULL ORDER BY id",
        (store_key, site_id),
    )
    for other_id, other_channels in others:
        _share(store_key, set(channel_ids), other_id, set(other_channels))


def _share(store_key: str, ours: set[int], other_id: int, theirs: set[int]) -> None:
    if store_key.startswith(WOOCOMMERCE):
        raise Conflict("store_taken", f"site {other_id} sells in this shop already", field="url")
    if not ours or not theirs:
        lacking = "this site" if not ours else f"site {other_id}"
        raise Conflict(
            "store_taken",
            f"site {other_id} sells in this store already: two sites of one store need channels of their "
            f"own, and {lacking} has none",
            field="channel_ids",
        )
    if shared := sorted(ours & theirs):
        numbers = ", ".join(map(str, shared[:10]))
        raise Conflict(
            "channels_taken", f"site {other_id} has channel {numbers} already", field="channel_ids"
        )
