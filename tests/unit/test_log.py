"""Log lines: readable or JSON, with their context, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from models.crypto import Secret
from workers import log


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("LOG_FORMAT", "json")
    written = io.StringIO()
    log.configure("worker", stream=written)
    yield written
    structlog.contextvars.clear_contextvars()
    log.configure("test")


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_its_facts_its_context_and_its_role(stream: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1", run_id=5)

    structlog.get_logger("workers.x").info("pushed", action="push", items=3)

    (line,) = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "pushed", "action": "push", "items": 3, "request_id": "r1", "run_id": 5,
        "level": "info", "logger": "workers.x", "role": "worker",
    }  # fmt: skip


def test_the_standard_library_goes_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("dramatiq").warning("no %s", "luck")

    (line,) = _lines(stream)
    assert (line["event"], line["level"], line["role"]) == ("no luck", "warning", "worker")


def test_libraries_do_not_chatter_at_debug_since_they_log_urls_and_parameters(stream: io.StringIO) -> None:
    for name in ("urllib3.connectionpool", "oauthlib.oauth1", "peewee"):
        logging.getLogger(name).debug("GET /?consumer_key=ck_1")
    logging.getLogger("workers.x").debug("ours")

    assert [line["event"] for line in _lines(stream)] == ["ours"]


def test_secrets_are_hidden_by_the_name_of_their_key_and_by_their_look(stream: io.StringIO) -> None:
    structlog.get_logger("workers.x").info(
        "asked with Authorization: Bearer abcdefghijkl",
        client_secret="hunter2",
        nested={
            "Password": "hunter2",
            "list": [{"access_token": "hunter2"}, "https://u:hunter2@example.com/x"],
        },
        held=Secret("hunter2"),
        url="https://shop.example/?consumer_secret=hunter2&page=2",
        ours="ist_0123456789abcdefghij",
        token_id=7,
        token_url="https://login.example/token",
        empty_secret=None,
    )

    (line,) = _lines(stream)
    text = json.dumps(line)
    assert "hunter2" not in text
    assert "abcdefghijkl" not in text
    assert "ist_0123456789abcdefghij" not in text
    assert (line["token_id"], line["token_url"]) == (7, "https://login.example/token")
    assert line["url"].endswith("&page=2")
    assert line["empty_secret"] is None


def test_a_traceback_is_searched_too(stream: io.StringIO) -> None:
    try:
        raise ValueError("postgresql://user:hunter2@host/db")
    except ValueError:
        structlog.get_logger("workers.x").exception("failed")

    (line,) = _lines(stream)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_a_level_that_is_set_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    written = io.StringIO()
    log.configure("worker", stream=written)
    structlog.get_logger("workers.x").info("not this")
    logging.getLogger("other").info("nor this")
    structlog.get_logger("workers.x").warning("this")
    log.configure("test")

    assert "this" in written.getvalue()
    assert "not this" not in written.getvalue()
    assert "nor this" not in written.getvalue()


def test_a_terminal_gets_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "console")
    written = io.StringIO()
    log.configure("worker", stream=written)
    structlog.get_logger("workers.x").warning("hello", action="greet")
    log.configure("test")

    assert "hello" in written.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(written.getvalue())
