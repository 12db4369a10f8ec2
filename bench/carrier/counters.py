"""The sums a carrier reports on the way and when it ends."""

from collections import Counter
from typing import Any

import msgspec


class Counters(msgspec.Struct):
    """accepted + refused + swallowed = submits; throttled is a part of refused."""

    connections: int = 0
    binds: int = 0
    binds_refused: int = 0
    unbinds: int = 0
    drops: int = 0
    silences: int = 0
    submits: int = 0
    accepted: int = 0
    throttled: int = 0
    swallowed: int = 0
    responses: int = 0
    responses_lost: int = 0
    """Decided, but the line was gone before the answer was written."""
    receipts_sent: int = 0
    """deliver_sm written, repetitions included."""
    receipts_acknowledged: int = 0
    receipts_refused: int = 0
    receipts_repeated: int = 0
    receipts_unacknowledged: int = 0
    """On the wire without an answer: now, or at the end."""
    receipts_waiting: int = 0
    """For want of a receiving bind or a free window slot: now (MO included), or at the end."""
    receipts_lost: int = 0
    receipts_dropped: int = 0
    mo_sent: int = 0
    mo_acknowledged: int = 0
    queries: int = 0
    cancels: int = 0
    max_outstanding: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    violations: Counter[str] = msgspec.field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """For one JSON line."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
