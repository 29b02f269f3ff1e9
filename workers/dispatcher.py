"""The dispatcher: finds work that no hint reached, gives back what dead workers held, moves what stalled.

Any number may run: rows are taken with SKIP LOCKED. It is the reason why nothing that matters lives in Redis.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import structlog

from models.database import DatabaseUnavailable, configure
from workers import figures, liveness, metrics, occasions, rescue
from workers.alerts.check import check as check_alerts
from workers.broker import connect_sender
from workers.hints import hint_due
from workers.jobs import QUEUES
from workers.ledger_metrics import LedgerCollector
from workers.log import configure as configure_logging
from workers.presence import DISPATCHER, Presence
from workers.webhooks import catch_up, rounds

log = structlog.get_logger()

TURN_SECONDS = 0.5
HINTS_A_TURN = 200
HEAL_SECONDS = 15.0
AWAY_SECONDS = 2.0  # PostgreSQL is away: ask again after this


def turn(*, heal: bool) -> int:
    """One look at the ledger; gives how many jobs were given back, moved, begun or hinted.

    heal: also look for what stalled, for what the schedule and dead receivers owe, for webhooks that are due,
    for what a person should be told of, and count what pages show.
    """
    found = rescue.release_stuck()
    if found:
        log.warning("jobs given back", action="release", jobs=found)
    if heal:
        found += rescue.heal()
        found += len(occasions.check())
        found += catch_up.settle_of_the_dead()
        found += rounds.begin()
        found += check_alerts()
        figures.keep()
    return found + sum(hint_due(queue, HINTS_A_TURN, again=True) for queue in QUEUES)


def run(stop: threading.Event, presence: Presence) -> None:
    """Look until told to stop; outlives PostgreSQL and Redis."""
    healed = time.monotonic()
    while not stop.is_set():
        liveness.touch()
        presence.moved()
        heal = time.monotonic() - healed > HEAL_SECONDS
        pause = TURN_SECONDS
        try:
            turn(heal=heal)
        except DatabaseUnavailable as error:
            log.warning("PostgreSQL is away", action="dispatch", error=str(error).strip())
            pause = AWAY_SECONDS
        except Exception:  # one bad row must not stop the one process that heals
            log.exception("a turn failed", action="dispatch")
            pause = AWAY_SECONDS
        if heal:
            healed = time.monotonic()
        stop.wait(pause)


def main() -> None:
    """Run until SIGTERM or SIGINT, also as PID 1."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    configure_logging("dispatcher")
    configure()
    connect_sender()
    log.info("dispatcher started", action="start")
    metrics.collect_also(LedgerCollector())
    metrics.serve()
    presence = Presence(DISPATCHER)
    presence.begin()
    run(stop, presence)
    presence.leave()
    log.info("dispatcher stopped", action="stop")


if __name__ == "__main__":
    main()
