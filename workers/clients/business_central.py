"""The client of Business Central, API v2.0: reads stock, and never writes.

Never a PATCH of an item: one of `inventory` posts a journal line. Never `Data-Access-Intent`: a replica that
lags looks new. Facts are from shared/reference/business_central.md.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from models.company import DEFAULT_API_URL, DEFAULT_TOKEN_URL
from workers import limits
from workers.clients import business_central_check
from workers.clients import business_central_rows as rows
from workers.clients.answers import Answer
from workers.clients.business_central_chains import PAGE_ROWS, chain_query, encode, fewest_calls, iter_chains
from workers.clients.business_central_rows import BcCompany, BcEntries, BcEntry, BcItem, BcPage
from workers.clients.business_central_tokens import TokenSource, TokenTransport
from workers.clients.http import Gate, Transport
from workers.clients.shop import CheckResult
from workers.errors import AuthenticationRefused, Refused, RemoteError, Unavailable
from workers.sku import full_key

__all__ = [
    "BcCompany",
    "BcEntries",
    "BcEntry",
    "BcItem",
    "BcPage",
    "BusinessCentral",
    "CompanyConnection",
    "fewest_calls",
]

READ_SECONDS = 110.0  # BC sums the ledger for each of a page's 20,000 rows before the first byte comes
CALL_SECONDS = 120.0
TOKEN_SECONDS = 15.0
LISTS = {"Prefer": f"odata.maxpagesize={PAGE_ROWS}"}


@dataclass(frozen=True, slots=True)
class CompanyConnection:
    """Where a company is and how to enter. api_url and token_url empty = Microsoft's own."""

    id: int
    tenant_id: str
    environment: str
    company_id: str
    client_id: str
    client_secret: str = field(repr=False)
    api_url: str = ""
    token_url: str = ""

    @property
    def api_base(self) -> str:
        """All that stands before `/companies(...)`."""
        return (self.api_url or DEFAULT_API_URL.format(**self._names)).rstrip("/")

    @property
    def token_endpoint(self) -> str:
        """Where tokens are fetched."""
        return self.token_url or DEFAULT_TOKEN_URL.format(**self._names)

    @property
    def _names(self) -> dict[str, str]:
        return {"tenant_id": quote(self.tenant_id, safe=""), "environment": quote(self.environment, safe="")}


class BusinessCentralTransport(Transport):
    """Calls to the API, with BC's errors in words."""

    def explain(self, answer: Answer) -> tuple[str | None, str] | None:
        error = answer.json()["error"]
        return error.get("code"), str(error.get("message", "")).partition("CorrelationId:")[0]

    def error_for(self, answer: Answer) -> RemoteError:
        """A deadlock shows as 409 or 400, and reading again is safe."""
        error = super().error_for(answer)
        if isinstance(error, Refused) and not answer.writes and "deadlock" in str(error).lower():
            return Unavailable(str(error), status=error.status, code=error.code)
        return error


class BusinessCentral:
    """One company's items. Raises the errors of workers/errors.py, MustWait at the fleet's limit.

    calls: HTTP requests sent, by route; the token's are counted as `token`.
    gate: None = the limit of this app registration, shared by the fleet.
    """

    def __init__(
        self, company: CompanyConnection, *, gate: Gate | None = None, allow_private: bool | None = None
    ) -> None:
        self.company = company
        endpoint = company.token_endpoint
        self._transport = BusinessCentralTransport(
            "Business Central",
            base_url=company.api_base,
            headers={"Accept-Language": "en-US"},  # pins the error texts
            gate=gate or limits.business_central_gate(endpoint, company.client_id),
            read_timeout=READ_SECONDS,
            deadline=CALL_SECONDS,
            secrets=[company.client_secret],
            allow_private=allow_private,
        )
        self._token_transport = TokenTransport(
            "Microsoft's token endpoint",
            base_url=endpoint,
            deadline=TOKEN_SECONDS,
            secrets=[company.client_secret],
            allow_private=allow_private,
        )
        self._tokens = TokenSource(self._token_transport, endpoint, company.client_id, company.client_secret)

    @property
    def calls(self) -> Counter[str]:
        """Requests sent so far, by route."""
        return self._transport.calls + self._token_transport.calls

    def count_items(self) -> int:
        """How many items the company has, of all types."""
        answer = self._get(self._path("items/$count"), "items/$count")
        try:
            return int(answer.body.decode("utf-8-sig"))  # OData's plain text may begin with a BOM
        except ValueError:
            raise answer.bad("the count of items is not a number", "unexpected_shape") from None

    def scan(self, next_link: str | None = None) -> BcPage:
        """A page of all items, 20,000 at most; the first, or the one that a page's next_link leads to.

        A link is followed verbatim. Raises BadAnswer where a page leads to itself.
        """
        query = f"$select={rows.ITEM_FIELDS}&$count=true"
        page = rows.items_page(answer := self._get(next_link or self._path(f"items?{query}"), "items"))
        if page.next_link is not None and page.next_link == next_link:
            raise answer.bad("the next page is the same page again", "repeated_page")
        return page

    def chains(self, numbers: Sequence[str]) -> list[list[str]]:
        """The numbers in groups that one call can ask for. Raises ValueError on what is no BC number."""
        return list(iter_chains(numbers))

    def read_chain(self, numbers: Sequence[str]) -> list[BcItem]:
        """The items of one chain, read now. A number that is not in the answer is unknown, never 0.

        Raises BadAnswer where other items come back than were asked for: a filter that BC ignored.
        """
        asked = {full_key(number) for number in numbers}
        found: dict[str, BcItem] = {}
        seen: set[str] = set()
        link: str | None = self._path(f"items?{chain_query(numbers)}")
        while link is not None:
            answer = self._get(link, "items")
            page = rows.items_page(answer)
            for item in page.items:
                if item.number in found:
                    raise answer.bad("the same item number on two pages", "duplicate_key")
                if full_key(item.number) not in asked:
                    raise answer.bad("items came back that were not asked for", "unasked_key")
                found[item.number] = item
            seen.add(link)
            link = page.next_link
            if link in seen:
                raise answer.bad("a page that was read already came again", "repeated_page")
        return list(found.values())

    def ledger_entries_after(self, entry_number: int, next_link: str | None = None) -> BcEntries:
        """A page of the item ledger past an entry: whose stock moved. Follow next_link for the rest.

        Entries commit out of order: ask from the watermark minus an overlap, and remember what was seen.
        """
        wanted = encode(f"entryNumber gt {entry_number}")
        query = f"$select={rows.ENTRY_FIELDS}&$filter={wanted}&$orderby=entryNumber"
        link = next_link or self._path(f"itemLedgerEntries?{query}")
        page = rows.entries_page(answer := self._get(link, "itemLedgerEntries"))
        if page.next_link is not None and page.next_link == next_link:
            raise answer.bad("the next page is the same page again", "repeated_page")
        return page

    def newest_ledger_entry(self) -> int:
        """The highest entry number, 0 where the ledger is empty: where a new watermark begins."""
        query = f"$select={rows.ENTRY_FIELDS}&$orderby={encode('entryNumber desc')}&$top=1"
        page = rows.entries_page(self._get(self._path(f"itemLedgerEntries?{query}"), "itemLedgerEntries"))
        return page.entries[0].entry_number if page.entries else 0

    def companies(self) -> list[BcCompany]:
        """The companies of the environment that this app may see."""
        return rows.companies(self._get("companies?$select=id,name", "companies"))

    def fetch_token(self) -> None:
        """Ask for a new token, to see whether the credentials work now."""
        self._tokens.fetch()

    def check(self) -> list[CheckResult]:
        """Try the token, the company and its items: one line each, the last one says what is wrong."""
        return business_central_check.check(self, self.company.company_id)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()
        self._token_transport.close()

    @functools.cached_property
    def _company_path(self) -> str:
        return f"companies({quote(self.company.company_id, safe='')})"

    def _path(self, rest: str) -> str:
        return f"{self._company_path}/{rest}"

    def _get(self, path: str, route: str) -> Answer:
        """GET with a token; once more with a new one where BC refuses the first (expired early, revoked)."""
        token = self._tokens.get()
        try:
            return self._once(path, route, token)
        except AuthenticationRefused:
            self._tokens.drop(token)
            return self._once(path, route, self._tokens.get())

    def _once(self, path: str, route: str, token: str) -> Answer:
        return self._transport.request(
            "GET", path, route=route, headers={**LISTS, "Authorization": f"Bearer {token}"}
        )
