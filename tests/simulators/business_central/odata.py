"""The part of OData that BC takes: `$filter`, `$select`, `$top`, `$count`, paging; and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote_plus

NUMBER_UNITS = 20
CODE_FIELDS = ("number", "itemNumber")  # Code[20]: a longer value is a filter error, not an empty answer
UNRELIABLE = ("inventory",)  # a FlowField: filters and orders on it can't be relied on

_TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<mark>[(),])|(?P<word>[^\s(),']+))")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


class ODataError(Exception):
    """BC refuses the query. `violation` names what a client could have known."""

    def __init__(self, status: int, code: str, message: str, violation: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.violation = status, code, message, violation


@dataclass
class Clause:
    """`field op value or field op value ...`, on one field."""

    field: str
    alternatives: list[tuple[str, Any]]

    def keys(self) -> set[Any] | None:
        """The values asked for, where all alternatives are `eq`."""
        return {v for _, v in self.alternatives} if all(op == "eq" for op, _ in self.alternatives) else None

    def predicate(self, read: Callable[[Any], Any]) -> Callable[[Any], bool]:
        keys = self.keys()
        if keys is not None:
            return lambda row: read(row) in keys
        return lambda row: any(_OPERATORS[op](read(row), value) for op, value in self.alternatives)


@dataclass
class Query:
    """A parsed query string; `clauses` are joined by `and`."""

    select: tuple[str, ...] = ()
    clauses: list[Clause] = field(default_factory=list)
    count: bool = False
    top: int | None = None
    skip: int = 0
    skiptoken: str | None = None
    descending: bool = False
    kept: list[str] = field(default_factory=list)  # raw options that a nextLink repeats


def parse_query(raw: str, fields: Collection[str], order_field: str) -> Query:
    """Parses a raw query string. An unescaped `&` inside a value ends that value, as on the real server."""
    query = Query()
    for part in filter(None, raw.split("&")):
        name, _, value = (unquote_plus(piece) for piece in part.partition("="))
        if name == "$filter":
            query.clauses = parse_filter(value, fields)
        elif name == "$select":
            query.select = tuple(_known(piece.strip(), fields) for piece in value.split(","))
        elif name == "$count":
            query.count = value == "true"
        elif name == "$top":
            query.top = _whole(name, value)
            continue
        elif name == "$skip":
            query.skip = _whole(name, value)
        elif name == "$skiptoken":
            query.skiptoken = value
            continue
        elif name == "aid":
            continue
        elif name == "$orderby":
            query.descending = _order(value, order_field)
        elif name.startswith("$") and name != "$schemaversion":
            raise ODataError(
                501, "BadRequest_MethodNotImplemented", f"The option {name} is not simulated.", "option"
            )
        query.kept.append(part)
    return query


def _whole(name: str, value: str) -> int:
    if not value.isdecimal():
        raise ODataError(400, "BadRequest", f"{name} must be a whole number.", "bad_option")
    return int(value)


def _order(value: str, order_field: str) -> bool:
    name, _, direction = value.strip().partition(" ")
    if name != order_field:
        raise ODataError(400, "BadRequest", f"Ordering by {name} is not simulated.", "unreliable_orderby")
    return direction.strip() == "desc"


def _known(name: str, fields: Collection[str]) -> str:
    if name not in fields:
        raise ODataError(400, "BadRequest", f"Could not find a property named '{name}'.", "unknown_field")
    return name


def parse_filter(text: str, fields: Collection[str]) -> list[Clause]:
    """A `$filter` as clauses joined by `and`; raises ODataError for what BC does not take."""
    tokens = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ODataError(
                400, "BadRequest", f"Syntax error at position {position} in the filter.", "bad_filter"
            )
        tokens.append(match.group(match.lastgroup or 0))
        position = match.end()
    parser = _Parser(tokens, fields)
    clauses = parser.either()
    if parser.position != len(tokens):
        raise ODataError(400, "BadRequest", "The filter does not end where it should.", "bad_filter")
    return clauses


class _Parser:
    """Recursive descent over `or`, `and`, brackets and comparisons."""

    def __init__(self, tokens: list[str], fields: Collection[str]) -> None:
        self.tokens, self.fields, self.position = tokens, fields, 0

    def _next(self) -> str:
        if self.position >= len(self.tokens):
            raise ODataError(400, "BadRequest", "The filter ends too early.", "bad_filter")
        self.position += 1
        return self.tokens[self.position - 1]

    def _takes(self, word: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position] == word:
            self.position += 1
            return True
        return False

    def either(self) -> list[Clause]:
        operands = [self.both()]
        while self._takes("or"):
            operands.append(self.both())
        if len(operands) == 1:
            return operands[0]
        names = {clause.field for operand in operands for clause in operand}
        if len(names) > 1 or any(len(operand) != 1 for operand in operands):
            raise ODataError(
                501,
                "BadRequest_MethodNotImplemented",
                "OR across fields is not supported.",
                "or_across_fields",
            )
        return [Clause(names.pop(), [a for operand in operands for a in operand[0].alternatives])]

    def both(self) -> list[Clause]:
        clauses = self.one()
        while self._takes("and"):
            clauses = clauses + self.one()
        return clauses

    def one(self) -> list[Clause]:
        if self._takes("("):
            clauses = self.either()
            if not self._takes(")"):
                raise ODataError(400, "BadRequest", "A bracket is not closed.", "bad_filter")
            return clauses
        name, operator = self._next(), self._next()
        if operator == "in":
            raise ODataError(501, "BadRequest_MethodNotImplemented", "'in' is not supported.", "in_operator")
        if operator not in _OPERATORS:
            raise ODataError(
                501, "BadRequest_MethodNotImplemented", f"'{name}' is not supported.", "bad_filter"
            )
        _known(name, self.fields)
        if name in UNRELIABLE:
            raise ODataError(
                501, "BadRequest_MethodNotImplemented", f"No filter on '{name}'.", "unreliable_filter"
            )
        return [Clause(name, [(operator, _literal(name, self._next()))])]


def _literal(name: str, token: str) -> Any:
    if token.startswith("'"):
        value = token[1:-1].replace("''", "'")
        if name in CODE_FIELDS and len(value.encode("utf-16-le")) > 2 * NUMBER_UNITS:
            raise ODataError(
                400,
                "Application_FilterErrorException",
                f"The string has {len(value)} characters, but at most 20 are allowed.",
                "filter_value_too_long",
            )
        return value
    if token in ("true", "false"):
        return token == "true"
    try:
        return Decimal(token)
    except InvalidOperation:
        return token  # a GUID or a time, which OData writes without quotes
