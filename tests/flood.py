"""Many senders of deliveries at once, each delivery sent once, whatever becomes of it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.05  # where nobody listens: a vendor would not hammer either
AGAIN_SECONDS = 1.0  # until a vendor that sends again does so; a real one waits for a minute
GIVE_UP_SECONDS = 120.0


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


class Vendors:
    """Senders that take one delivery after the other, in their own time; at the end of a block all are answered.

    answers: what became of each; of one that is sent again, the last answer.
    """

    def __init__(self, port: int, *, connections: int) -> None:
        self._port = port
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="vendor")
        self._sent: list[Future[Answered]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    @property
    def answers(self) -> list[Answered]:
        """In the order sent; waits for them."""
        return [sent.result() for sent in self._sent]

    def send(self, delivery: Sent, *, again: bool) -> None:
        """Send it now. again: until it is taken, as BigCommerce does; WooCommerce sends once."""
        self._sent.append(self._pool.submit(self._deliver, delivery, again))

    def _deliver(self, delivery: Sent, again: bool) -> Answered:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
            answered = _send(connection, delivery)
            connection.close()
            if answered.status == 200 or not again or time.monotonic() > deadline:
                return answered
            time.sleep(AGAIN_SECONDS)
