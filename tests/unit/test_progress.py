"""How far a sync is, in a share and in words."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from api.commands.progress import seconds_of, watch
from workers.full_sync import steps
from workers.full_sync.outlook import SPANS, share_done, words


def run(**figures: Any) -> dict[str, Any]:
    """A run's figures."""
    common: dict[str, Any] = {
        "status": "running",
        "step": "list",
        "pages_done": 0,
        "pages_total": None,
        "items_done": 0,
        "items_total": None,
        "to_push": 0,
        "pushed": 0,
        "failed": {},
    }
    return {**common, **figures}


ALONG_THE_WAY = [
    run(status="queued", step="start"),
    run(step="start"),
    run(),
    run(pages_done=3, pages_total=10),
    run(pages_done=12, pages_total=10),
    run(step="confirm"),
    run(step="stock"),
    run(step="compare"),
    run(step="push", to_push=100),
    run(step="push", to_push=100, pushed=40, failed={"refused": 2}),
    run(step="finish"),
    run(status="completed", step="finish"),
]


def test_the_bar_never_goes_back_and_ends_full() -> None:
    shares = [share_done(figures) for figures in ALONG_THE_WAY]

    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_every_step_has_its_place_on_the_bar() -> None:
    before = (steps.START, steps.LIST, steps.CONFIRM, steps.STOCK, steps.COMPARE, steps.RELEASE)

    assert tuple(SPANS) == (*before, steps.PUSH, steps.FINISH)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (run(status="queued"), "waiting to start"),
        (run(items_done=1200, items_total=5000), "listing, 1,200 of 5,000 products"),
        (run(items_done=7), "listing, 7 products"),
        (run(step="push", to_push=5000, pushed=1200, failed={"refused": 3}), "pushing, 1,203 of 5,000 SKUs"),
        (run(step="compare"), "comparing"),
        (run(status="held"), "held"),
    ],
)
def test_each_state_has_its_words(figures: dict[str, Any], said: str) -> None:
    assert words(figures) == said


def test_a_pipe_gets_plain_lines_only_where_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.commands.progress.POLL_SECONDS", 0)
    states = iter([run(step="start"), run(step="start"), run(), run(items_done=3), run(status="completed")])
    output = io.StringIO()

    ended = watch(Console(file=output), lambda: {"Outlet": next(states)})

    assert output.getvalue().splitlines() == [
        "Outlet: looking at the shop",
        "Outlet: listing, 0 products",
        "Outlet: completed",
    ]
    assert ended["Outlet"]["status"] == "completed"


def test_a_terminal_gets_a_bar_for_each_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.commands.progress.POLL_SECONDS", 0)
    states = iter([run(), run(status="completed")])
    output = io.StringIO()

    def fetch() -> dict[str, dict[str, Any]]:
        figures = next(states)
        return {"Outlet": figures, "Main street": figures}

    watch(Console(file=output, force_terminal=True, width=100), fetch)

    assert "Outlet" in output.getvalue()
    assert "Main street" in output.getvalue()
    assert "100%" in output.getvalue()


def test_a_run_takes_from_its_start_to_its_end() -> None:
    times = {"started_at": "2026-11-23T02:00:00.000Z", "finished_at": "2026-11-23T02:01:30.500Z"}

    assert seconds_of(times) == 90.5
    assert seconds_of({**times, "finished_at": None}) is None
