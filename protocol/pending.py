"""A request that waits for its answer."""

from typing import Any

import msgspec


class Pending(msgspec.Struct, gc=False):
    """A request without answer. `end` is the stream offset just behind its last octet, `at` when it was queued (seconds)."""

    command_id: int
    token: Any
    at: float
    end: int
