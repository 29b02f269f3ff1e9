"""How sentences of ours count."""

from __future__ import annotations


def numbered(number: int, one: str, many: str) -> str:
    """`1 job`, `2 jobs`; what follows the noun may come along: `1 job hangs`, `2 jobs hang`."""
    return f"{number:,} {one if number == 1 else many}"
