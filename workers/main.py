"""What `dramatiq workers.main` loads: the broker and the two actors of a worker process."""

from __future__ import annotations

import dramatiq

from models.database import configure
from workers import metrics
from workers.broker import actor_name, broker, send_through
from workers.execute import execute
from workers.jobs import QUEUES
from workers.log import configure as configure_logging
from workers.presence import WorkersArePresent
from workers.schedule import declare_tick


class _ServesMetrics(dramatiq.Middleware):
    """/metrics of the process that does the work; dramatiq's own first process only starts it."""

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        metrics.serve()


configure_logging("worker")
configure()
BROKER = broker(worker=True)
BROKER.add_middleware(WorkersArePresent())
BROKER.add_middleware(_ServesMetrics())
send_through(BROKER)


def _work_on(job_id: int) -> None:
    """Do the job that a hint names, if it is still to be done."""
    execute(job_id)


ACTORS = [
    dramatiq.Actor(
        _work_on, broker=BROKER, actor_name=actor_name(queue), queue_name=queue, priority=0, options={}
    )
    for queue in QUEUES
]
TICK = declare_tick(BROKER)
