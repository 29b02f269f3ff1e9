"""One HTTP transport for all vendors: kept-alive sessions, deadlines, and every failure as a typed error."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import urljoin

import requests
import urllib3
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from workers import metrics
from workers.clients import addresses
from workers.clients.answers import Answer, one_line, status_error
from workers.clients.connection import Exchange, GuardedAdapter, underway
from workers.clients.failures import CAUGHT, failure
from workers.errors import BadAnswer, ConnectionFailed, RemoteError

__all__ = ["Answer", "Gate", "Transport"]

MAX_BODY = (
    64 * 1024 * 1024
)  # bytes, decompressed; the largest honest page (20,000 BC items) takes about 5 MiB
MAX_ERROR_BODY = 64 * 1024  # bytes of an error's body: enough for its code
CHUNK = 65_536  # bytes
LEAST_SECRET = 8  # characters; shorter header values are words, not secrets

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Gate(Protocol):
    """A rate limit in front of every call. workers/limits.py has one per vendor."""

    def enter(self, route: str, writes: bool) -> AbstractContextManager[object]:
        """Held while one call is under way. Raises MustWait."""

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Told of each answer, inside `enter`."""


@dataclass(frozen=True, slots=True)
class _Call:
    request: requests.PreparedRequest
    route: str
    what: str  # for error texts: vendor, method and route
    seconds: float
    writes: bool
    expect: Collection[int] | None  # None: every status


class Transport:
    """The calls to one base URL with one set of credentials. Vendors override `explain` and `error_for`.

    headers: sent with every request; what looks like a credential in them is kept out of error texts.
    secrets: more that error texts must not repeat.
    deadline: seconds for one call in all, from the connection to the last byte.
    allow_private: None = the setting ALLOW_PRIVATE_ADDRESSES.
    """

    def __init__(
        self,
        vendor: str,
        *,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        gate: Gate | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        deadline: float = 60.0,
        secrets: Collection[str] = (),
        allow_private: bool | None = None,
    ) -> None:
        self.vendor = vendor
        self.calls: Counter[str] = Counter()
        self._base = base_url.rstrip("/")
        self._gate = gate
        self._connect, self._read, self._deadline = connect_timeout, read_timeout, deadline
        self._allow_private = addresses.private_allowed() if allow_private is None else allow_private
        self._secrets = {*secrets, *_credentials(headers)}
        self._lock = threading.Lock()  # Counter's += is no single step
        self._adapter = GuardedAdapter()
        self._session = _session(self._adapter, headers, auth)

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        route: str,
        params: Params | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        writes: bool = False,
        expect: Collection[int] = (200,),
        raise_for_status: bool = True,
    ) -> Answer:
        """Send one request and read its answer whole.

        route: a short label such as `catalog/products`, for counts and error texts.
        writes: the vendor's data may change by it, so a missing answer leaves the outcome unknown.
        expect: the statuses that are no error; raise_for_status False hands every status back.
        Raises MustWait (the gate) and the RemoteErrors of workers/errors.py.
        """
        what = f"{self.vendor} {method} {route}"
        self._secrets.update(_credentials(headers))
        url = self._url(path_or_url, what)
        request = requests.Request(method, url, dict(headers or {}), data=data, params=params, json=json)
        prepared = self._prepare(request, what)
        wanted = expect if raise_for_status else None
        call = _Call(prepared, route, what, deadline or self._deadline, writes, wanted)
        answer = self._send(call)
        if raise_for_status and answer.status not in expect:
            raise self.error_for(answer)
        return answer

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        """The vendor's own error code and a short message out of an error's body, where it has them."""
        return None

    def error_for(self, answer: Answer) -> RemoteError:
        """The error for a status that was not expected. A vendor may turn it into another one."""
        try:
            explained = self.explain(answer)
        except (RemoteError, ValueError, TypeError, LookupError, AttributeError):
            explained = None  # an error body of another shape: the status has to do
        if explained is not None:
            code, message = explained
            explained = (self.tidy(str(code)) if code else None, self.tidy(str(message)))
        location = answer.headers.get("Location")
        if location is not None:
            location = self.tidy(addresses.without_secrets(_join(answer.url, location)))
        return status_error(answer, explained, location)

    def tidy(self, text: str) -> str:
        """A vendor's text in one line, without the secrets that this transport knows."""
        known = tuple(self._secrets)  # another thread may just be adding its token
        return one_line(text, [secret for secret in known if len(secret) >= LEAST_SECRET])

    def _url(self, path_or_url: str, what: str) -> str:
        """The full URL. An absolute one must be of the base's origin: credentials go to no other host."""
        if "://" not in path_or_url.partition("?")[0]:
            return f"{self._base}/{path_or_url.lstrip('/')}" if path_or_url else self._base
        try:
            same = addresses.origin(path_or_url) == addresses.origin(self._base)
        except ValueError:
            same = False
        if not same:
            where = self.tidy(addresses.without_secrets(path_or_url))
            raise BadAnswer(
                f"{what}: not followed to another host: {where}", code="other_origin", permanent=True
            )
        return path_or_url

    def _prepare(self, request: requests.Request, what: str) -> requests.PreparedRequest:
        try:
            return self._session.prepare_request(request)
        except (requests.RequestException, UnicodeError):
            text = f"{what}: the address or a header is not valid"
            raise ConnectionFailed(text, code="address", permanent=True) from None

    def _send(self, call: _Call) -> Answer:
        try:
            return self._once(call)
        except _StaleConnectionError as stale:
            if call.writes or call.request.method != "GET":
                raise stale.error from None  # it may have been applied: never sent again from here
        self._adapter.poolmanager.clear()  # its neighbours in the pool are as old
        try:
            return self._once(call)
        except _StaleConnectionError as stale:
            raise stale.error from None

    def _once(self, call: _Call) -> Answer:
        with self._gate.enter(call.route, call.writes) if self._gate else nullcontext():
            exchange = Exchange(call.seconds, self._connect, self._read, self._allow_private)
            began, status = time.monotonic(), "none"
            try:
                with underway(exchange):
                    answer = self._exchange(call)
                status = str(answer.status)
            except CAUGHT as error:
                failed = failure(error, exchange, call.what, writes=call.writes)
                if failed.code == "reset" and exchange.reused and not exchange.answered:
                    raise _StaleConnectionError(failed) from None
                raise failed from None
            finally:
                if exchange.sent:
                    with self._lock:
                        self.calls[call.route] += 1
                    metrics.vendor_calls.labels(self.vendor, call.route, status).inc()
                    metrics.vendor_call_seconds.labels(self.vendor, call.route).observe(
                        time.monotonic() - began
                    )
            if self._gate:
                self._gate.learn(answer.status, answer.headers)
            return answer

    def _exchange(self, call: _Call) -> Answer:
        timeout = (self._connect, self._read)
        with self._session.send(
            call.request, stream=True, timeout=timeout, allow_redirects=False
        ) as response:
            wanted = call.expect is None or response.status_code in call.expect
            body = b"".join(_whole(response, call) if wanted else _what_there_is(response))
            headers = CaseInsensitiveDict(response.headers)
            return Answer(response.status_code, headers, body, call.request.url or "", call.what, call.writes)


class _StaleConnectionError(Exception):
    """A kept-alive connection was closed before any byte of the answer."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__(str(error))
        self.error = error


def _session(
    adapter: GuardedAdapter, headers: Mapping[str, str] | None, auth: AuthBase | None
) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc and no proxy of whoever started us
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(
        DefaultCookiePolicy(allowed_domains=[])
    )  # a shop's session is not ours to join
    session.auth = auth
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
    session.headers.update({"User-Agent": "inventory-sync", **(headers or {})})
    return session


def _credentials(headers: Mapping[str, str] | None) -> Iterator[str]:
    for name, value in (headers or {}).items():
        if any(word in name.lower() for word in ("auth", "token", "key", "secret")):
            yield value
            yield value.rpartition(" ")[2]  # without `Bearer`


def _join(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def _whole(response: requests.Response, call: _Call) -> Iterator[bytes]:
    size = 0
    for chunk in response.raw.stream(CHUNK, decode_content=True):
        size += len(chunk)
        if size > MAX_BODY:
            text = f"{call.what}: the answer is larger than {MAX_BODY >> 20} MiB"
            raise BadAnswer(text, code="too_large", outcome_unknown=call.writes)
        yield chunk


def _what_there_is(response: requests.Response) -> Iterator[bytes]:
    """An error's body as far as it comes: its status counts, whatever became of the rest."""
    size = 0
    try:
        for chunk in response.raw.stream(CHUNK, decode_content=True):
            size += len(chunk)
            yield chunk
            if size > MAX_ERROR_BODY:
                return
    except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException):
        return
