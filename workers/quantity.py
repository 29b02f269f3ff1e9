"""What a shop should show for what Business Central holds."""

from __future__ import annotations

import math
from decimal import Decimal

WANTED_SQL = "greatest(floor({quantity} - {safety_stock}), 0)::bigint"
"""The same rule for many rows at once; a test holds the two together."""


def wanted(bc_quantity: Decimal, safety_stock: int) -> int:
    """floor(BC quantity - safety stock), never below 0: a fraction can't be sold, a debt neither."""
    return max(math.floor(bc_quantity - safety_stock), 0)
