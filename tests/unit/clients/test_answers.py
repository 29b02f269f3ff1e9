"""What an answer asks to wait, and how a vendor's text is made fit for a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from models.database import db
from workers.clients.answers import LONGEST_WAIT, Answer, one_line, wait_asked
from workers.errors import BadAnswer


def asked(status: int = 429, **headers: str) -> float | None:
    return wait_asked(
        CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}), status
    )


def test_nothing_said_is_nothing_known() -> None:
    assert asked() is None


@pytest.fixture
def no_postgresql() -> None:
    """A pool that leads nowhere, whatever a test before has pointed it at; those after it point it anew."""
    if db.database:
        db.close_all()
    db.init("none", host="127.0.0.1", port=1)


def test_seconds_and_dates_are_understood(no_postgresql: None) -> None:
    assert asked(retry_after="7") == 7
    assert asked(retry_after="0.5") == 0.5
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert asked(retry_after=later, date=format_datetime(now, usegmt=True)) == 90, "by the sender's own clock"
    assert asked(retry_after=later) is None, "without PostgreSQL there is no clock to go by"


def test_the_longer_of_several_counts() -> None:
    assert asked(retry_after="3", x_retry_after="5") == 5
    assert asked(x_retry_after="1", x_rate_limit_time_reset_ms="29500") == 29.5


def test_the_end_of_bigcommerces_window_counts_on_a_429_only() -> None:
    assert asked(500, x_rate_limit_time_reset_ms="29500") is None
    assert asked(503, retry_after="4", x_rate_limit_time_reset_ms="29500") == 4


def test_a_wait_of_days_is_cut_to_an_hour() -> None:
    assert asked(retry_after="9999999") == LONGEST_WAIT


@pytest.mark.parametrize("value", ["", "soon", "-5", "nan", "inf", "1e999", "Thu, 99 Foo 2026", "\xff"])
def test_a_broken_header_is_nothing_known(value: str) -> None:
    assert asked(retry_after=value) is None


@given(st.text(), st.text())
def test_no_header_breaks_the_reading(value: str, date: str) -> None:
    wait = asked(retry_after=value, date=date, x_rate_limit_time_reset_ms=value)
    assert wait is None or 0 <= wait <= LONGEST_WAIT


@given(st.text())
def test_a_text_for_a_log_is_one_short_printable_line(text: str) -> None:
    line = one_line(text, ["secret-of-the-shop"])
    assert line.isprintable()
    assert len(line) <= 300


def test_secrets_are_kept_out() -> None:
    text = "key ck_0123456789abcdef0123 and Bearer abc.def-ghi== and eyJhbGciOiJIUzI1NiJ9.e30.x of s3cr3t-1"
    assert one_line(text, ["s3cr3t-1"]) == "key *** and Bearer *** and *** of ***"


def answer(body: bytes) -> Answer:
    return Answer(200, {}, body, "https://shop.example/?key=1")


def test_decimals_stay_exact() -> None:
    assert answer(b"[0.1, 1.10, 5]").json(decimals=True) == [Decimal("0.1"), Decimal("1.10"), 5]


@pytest.mark.parametrize("body", [b"[1e99999999999999999999]", b"[Infinity]", b"9" * 5000, b"", b"\x00"])
def test_numbers_that_break_readers_are_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        answer(body).json(decimals=True)


def test_an_answer_does_not_show_its_url_or_body() -> None:
    assert "key=1" not in repr(answer(b"s3cr3t"))
    assert "s3cr3t" not in repr(answer(b"s3cr3t"))
