"""Many senders of deliveries at once, each delivery sent once, whatever becomes of it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.05  # where nobody listens: a vendor would not hammer either


@dataclass(frozen=True)
class Sent:
    """A delivery. key: what our log knows it by."""

    path: str
    headers: dict[str, str]
    body: bytes
    product_id: int
    key: str


@dataclass(frozen=True)
class Answered:
    """What became of it. status None: no answer came. Times are seconds since 1970."""

    delivery: Sent
    status: int | None
    sent_at: float
    answered_at: float


def send_all(
    port: int,
    deliveries: Iterable[Sent],
    *,
    connections: int,
    on_answer: Callable[[int], None] = lambda _: None,
) -> list[Answered]:
    """Send at full speed over kept-alive connections; `on_answer` hears how many have been answered."""
    queue: SimpleQueue[Sent] = SimpleQueue()
    for delivery in deliveries:
        queue.put(delivery)
    answers: list[Answered] = []
    lock = threading.Lock()

    def sender() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        while True:
            try:
                delivery = queue.get_nowait()
            except Empty:
                connection.close()
                return
            answered = _send(connection, delivery)
            with lock:
                answers.append(answered)
                number = len(answers)
            on_answer(number)

    threads = [threading.Thread(target=sender) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _send(connection: http.client.HTTPConnection, delivery: Sent) -> Answered:
    sent_at = time.time()
    status: int | None = None
    try:
        connection.request("POST", delivery.path, delivery.body, delivery.headers)
        response = connection.getresponse()
        response.read()
        status = response.status
    except (OSError, http.client.HTTPException):
        connection.close()
        time.sleep(PAUSE_SECONDS)
    return Answered(delivery, status, sent_at, time.time())
