"""Where a URL that an admin typed may lead: checked when it is set, and again as it is connected to."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from workers.errors import ConfigurationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address as seen from an IPv6-only cluster
METADATA = frozenset({ipaddress.IPv6Address("fd00:ec2::254")})  # a cloud's credentials, outside fe80::/10
BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def private_allowed() -> bool:
    """The setting ALLOW_PRIVATE_ADDRESSES of this process."""
    from models.config import settings  # late, so that pure URL checks need no environment

    return settings().allow_private_addresses


def refusal(address: str, *, allow_private: bool) -> str | None:
    """Why this literal IP address may not be connected to, or None where it may."""
    try:
        ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return "is not an IP address"
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in METADATA or ip == BROADCAST:
        return "is a link-local, multicast or unspecified address, which is never allowed"
    if not allow_private and not ip.is_global:
        return "is a loopback or private address (ALLOW_PRIVATE_ADDRESSES is off)"
    return None


def check_url(url: str, field: str, *, allow_private: bool | None = None) -> None:
    """Refuse a URL that can't be a vendor's API or a shop: static checks and literal addresses.

    Raises ConfigurationError that names `field` and never repeats the URL, which may hold a password.
    `allow_private` None = the setting of this process. Names are checked when they are connected to.
    """
    if any(character.isspace() or ord(character) < 32 or character == "\\" for character in url):
        raise ConfigurationError(field, "must not contain spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        _port_is_valid(parts)
    except ValueError:
        raise ConfigurationError(field, "is not a URL: give it as https://host/path") from None
    _check_parts(parts, field)
    if allow_private is None:
        allow_private = private_allowed()
    _check_host((parts.hostname or "").rstrip("."), field, allow_private)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port in one form, to tell whether credentials would leave for another host."""
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").rstrip("."),
        parts.port or (443 if parts.scheme == "https" else 80),
    )


def without_secrets(url: str) -> str:
    """A URL for an error text: without userinfo, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is not a URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def _plain(ip: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one: `::ffff:127.0.0.1` is loopback too."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _port_is_valid(parts: SplitResult) -> None:
    if parts.port == 0:  # reading .port raises ValueError above 65535 and for text
        raise ValueError("port 0")


def _check_parts(parts: SplitResult, field: str) -> None:
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(field, "must begin with https:// or http://")
    if not parts.hostname:
        raise ConfigurationError(field, "has no host: give it as https://host/path")
    if "@" in parts.netloc:
        raise ConfigurationError(field, "must not contain a user name or password")
    if parts.query or parts.fragment:
        raise ConfigurationError(field, "must not contain a query (?) or a fragment (#)")


def _check_host(host: str, field: str, allow_private: bool) -> None:
    if not allow_private and (host == "localhost" or host.endswith(".localhost")):
        raise ConfigurationError(field, "leads to this machine itself (ALLOW_PRIVATE_ADDRESSES is off)")
    why = refusal(literal, allow_private=allow_private) if (literal := _literal(host)) else None
    if why:
        raise ConfigurationError(field, f"the host {why}")


def _literal(host: str) -> str | None:
    """The address that a host spells out, also in forms such as 2130706433 or 0x7f.1 that resolvers take."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None
