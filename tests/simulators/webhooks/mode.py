"""Trouble on the way to a receiver: lost, doubled, late and overtaken webhooks. Seeded."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .parcels import Fate

REORDER_SECONDS = 0.5  # how long at most a parcel is held so that later ones overtake it


@dataclass
class Mode:
    """Shares are from 0 to 1, drawn in the order of the events; `delay_seconds` holds every parcel back."""

    duplicate_share: float = 0.0
    reorder_share: float = 0.0
    drop_share: float = 0.0
    delay_seconds: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("duplicate_share", "reorder_share", "drop_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1")
        if self.delay_seconds < 0:
            raise ValueError("delay_seconds must not be negative")
        self._random = random.Random(self.seed)

    def draw(self) -> Fate:
        """The fate of the next event; not thread-safe."""
        # Each share takes its number even where it is 0, so that one share does not move another's draws.
        drop, duplicate, reorder, hold = (self._random.random() for _ in range(4))
        held = self.delay_seconds
        if reorder < self.reorder_share:
            held += REORDER_SECONDS * (0.2 + 0.8 * hold)
        return Fate(drop < self.drop_share, duplicate < self.duplicate_share, held)
