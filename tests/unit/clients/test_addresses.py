"""Where a URL that an admin typed may lead."""

from __future__ import annotations

import pytest

from workers.clients.addresses import check_url, origin, refusal, without_secrets
from workers.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "http://shop.example:8080/blog/",
        "https://api.businesscentral.dynamics.com/v2.0/t/Production/api/v2.0",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
        "https://münchen.example/",
        "https://[64:ff9b::808:808]/",
    ],
)
def test_public_addresses_are_taken(url: str) -> None:
    check_url(url, "url", allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:hunter2@shop.example",
        "https://@shop.example",
        "https://shop.example/#hunter2",
        "https://shop.example/?key=hunter2",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://shop.example:abc/",
        "https://[::1",
        "https://shop.example/a b",
        "https://shop.example\\@evil.example",
        "https://shop.example\n",
        " https://shop.example",
    ],
)
def test_what_is_no_web_address_is_refused_with_the_field_and_without_the_value(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_url(url, "api_url", allow_private=True)
    assert caught.value.field == "api_url"
    assert "hunter2" not in str(caught.value)


PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "100.64.0.1",
    "[::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[2002:7f00:1::]",
    "[64:ff9b::a00:1]",
    "localhost",
    "LOCALHOST.",
    "db.localhost",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
]
NEVER = [
    "169.254.169.254",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "224.0.0.1",
    "[ff02::1]",
    "0.0.0.0",
    "[::]",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "255.255.255.255",
    "2852039166",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_need_the_setting(host: str) -> None:
    with pytest.raises(ConfigurationError, match="ALLOW_PRIVATE_ADDRESSES"):
        check_url(f"https://{host}/", "url", allow_private=False)
    check_url(f"https://{host}/", "url", allow_private=True)


@pytest.mark.parametrize("host", NEVER)
def test_link_local_and_multicast_addresses_are_never_taken(host: str) -> None:
    for allowed in (True, False):
        with pytest.raises(ConfigurationError, match="never"):
            check_url(f"http://{host}/latest/meta-data", "url", allow_private=allowed)


def test_what_is_connected_to_must_be_an_address() -> None:
    assert refusal("shop.example", allow_private=True) is not None
    assert refusal("8.8.8.8", allow_private=False) is None
    assert refusal("fe80::1%eth0", allow_private=True) is not None


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("HTTPS://Shop.Example./a") == origin("https://shop.example:443/b")
    assert origin("http://shop.example") != origin("https://shop.example")
    assert origin("https://shop.example:8443") != origin("https://shop.example")


def test_an_error_text_shows_no_userinfo_query_or_fragment() -> None:
    assert without_secrets("https://u:p@shop.example:81/a?key=1#t") == "https://shop.example:81/a"
    assert without_secrets("/login?next=1") == "/login"
    assert without_secrets("https://[x") == "an address that is not a URL"
