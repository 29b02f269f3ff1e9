"""The scheduler: periodiq's clock ticks every minute in UTC; what is due is decided in PostgreSQL.

periodiq alone skips 2:00 where the clock springs forward, dies with Redis and ignores SIGTERM as PID 1: here
its tick only hurries a check that the dispatcher makes as well (workers/occasions.py).
"""

from __future__ import annotations

import os
import queue
import signal
import time
from types import FrameType
from typing import Any

import dramatiq
import structlog
from periodiq import PeriodiqMiddleware, Scheduler, cron

from models.database import configure
from workers import liveness, metrics, occasions
from workers.broker import broker
from workers.jobs import SYNC
from workers.log import configure as configure_logging
from workers.presence import SCHEDULER, Presence

log = structlog.get_logger()

TICK_TOO_OLD_SECONDS = 50  # the next tick is due then


class PatientScheduler(Scheduler):
    """periodiq's loop, which outlives Redis: a tick that can't be sent is not missed by anyone."""

    def __init__(self, actors: list[Any]) -> None:
        super().__init__(actors)
        # Signal handlers put into it, and may interrupt a `get`: only this kind of queue allows that.
        self.alarm_q: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def schedule(self) -> None:
        """Send what is due, and set the alarm for the next minute: one turn of the loop."""
        liveness.touch()
        super().schedule()

    def send_actors(self, actors: list[Any], now: Any) -> None:
        try:
            super().send_actors(actors, now)
        except Exception as error:  # whatever Redis does, the loop goes on
            log.warning("tick not sent", action="tick", error=str(error))

    def stop(self) -> None:
        """End `loop` at once, from a signal handler."""
        self.alarm_q.put_nowait(False)


def declare_tick(made: dramatiq.Broker) -> dramatiq.Actor[[], None]:
    """The periodic actor: workers run it, the scheduler sends it."""
    made.add_middleware(PeriodiqMiddleware(skip_delay=TICK_TOO_OLD_SECONDS))
    return dramatiq.Actor(
        _tick,
        broker=made,
        actor_name="tick",
        queue_name=SYNC,
        priority=0,
        options={"periodic": cron("* * * * *")},
    )


def _tick() -> None:
    """Begin what is due."""
    occasions.check()


def main() -> None:
    """Run until SIGTERM or SIGINT, also as PID 1."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    configure_logging("scheduler")
    configure()
    scheduler = PatientScheduler(actors=[declare_tick(broker(worker=False))])

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        scheduler.stop()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    # periodiq sets this handler after its first alarm: on a stalled machine that one would end us, or be lost on PID 1.
    signal.signal(signal.SIGALRM, scheduler.signal_handler)
    log.info("scheduler started", action="start")
    metrics.serve()
    presence = Presence(SCHEDULER)
    presence.begin()
    scheduler.schedule()
    scheduler.loop()
    presence.leave()
    log.info("scheduler stopped", action="stop")


if __name__ == "__main__":
    main()
