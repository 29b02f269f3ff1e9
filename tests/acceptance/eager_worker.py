"""What dramatiq loads instead of workers.main, so that a test of seconds is like a day: every webhook asks BC itself.

Workers take what BC said less than a minute ago; the events of a real product are further apart.
"""

from __future__ import annotations

from datetime import timedelta

from workers.main import ACTORS, BROKER, TICK
from workers.webhooks import products

__all__ = ["ACTORS", "BROKER", "TICK"]

products.FRESH_STOCK = timedelta(0)
