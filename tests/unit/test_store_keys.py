"""A store has one key, however its address is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import ConfigurationError
from workers.stores import bigcommerce_key, woocommerce_key

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATH = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
PORT = st.integers(1, 65535).filter(lambda port: port not in (80, 443))


@given(HOST, PATH)
def test_scheme_case_default_port_and_outer_slashes_do_not_matter(host: str, path: str) -> None:
    key = woocommerce_key(f"https://{host}{path}")

    assert key == f"woocommerce:{host}{path}"
    for same in (
        f"http://{host}{path}",
        f"HTTPS://{host.upper()}{path}",
        f"https://{host}:443{path}/",
        f"http://{host}:80{path}",
        f"https://{host}.{path}",
        f"https://{host}{path}//",
    ):
        assert woocommerce_key(same) == key


@given(HOST, PORT)
def test_another_port_is_another_shop(host: str, port: int) -> None:
    assert woocommerce_key(f"https://{host}:{port}") == f"woocommerce:{host}:{port}"
    assert woocommerce_key(f"http://{host}:{port}/") == f"woocommerce:{host}:{port}"


@given(st.text())
def test_any_text_gives_a_key_or_a_fault_that_names_the_field(text: str) -> None:
    try:
        assert woocommerce_key(text).startswith("woocommerce:")
    except ConfigurationError as error:
        assert error.field == "url"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example/", "http://xn--bcher-kva.example"),
        ("https://[::1]:443/", "http://[::1]"),
        ("https://shop.example/a/../b", "https://shop.example/b"),
        ("https://shop.example/%7eme", "https://shop.example/~me"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert woocommerce_key(one) == woocommerce_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://shop.example", "https://www.shop.example"),
        ("https://shop.example/a", "https://shop.example/b"),
        ("https://shop.example/A", "https://shop.example/a"),
    ],
)
def test_different_shops_have_different_keys(one: str, other: str) -> None:
    assert woocommerce_key(one) != woocommerce_key(other)


@pytest.mark.parametrize("url", ["", "https://", "https:///path", "https://shop.example:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        woocommerce_key(url)


def test_a_store_hash_has_one_key_in_any_case() -> None:
    assert bigcommerce_key("AbC1") == bigcommerce_key("abc1") == "bigcommerce:abc1"
