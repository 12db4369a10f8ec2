"""Latencies as counts between edges, all counts in one integer: histograms are merged by adding integers.

Field 0 counts messages that began (came due, were written), the others deliveries by how long they took. Edges are log-linear:
each octave below ten seconds has twelve, so a percentile is within 5 % (or 5 ms) of the true one; ten seconds is an edge
itself, and up to it counts are exact. Beyond ten seconds edges are few.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from struct import Struct

from routing.sla import WITHIN_S

OCTAVES, STEPS = 7, 12
FIELD_BITS = 32
"""Enough for 4 billion messages in a window."""
ARRIVAL_S = 300.0
"""A message should have arrived after so long."""
_LATE_S = (12.5, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0, ARRIVAL_S, 600.0, 1_800.0, 3_600.0)


def _edges() -> tuple[float, ...]:
    lows = [WITHIN_S / 2 ** (OCTAVES - octave) for octave in range(OCTAVES)]
    first = [lows[0] * step / STEPS for step in range(1, STEPS + 1)]
    return (*first, *(low * (1 + step / STEPS) for low in lows for step in range(1, STEPS + 1)), *_LATE_S)


EDGES_S = _edges()
"""Upper edges, included; what took longer than the last is counted after it."""
BEGAN = 1
DELIVERED = tuple(1 << (FIELD_BITS * (place + 1)) for place in range(len(EDGES_S) + 1))
"""By place: what one delivery adds."""
FIELD_MASK = (1 << FIELD_BITS) - 1
_MIDDLES_S = (EDGES_S[0] / 2, *((low + high) / 2 for low, high in pairwise(EDGES_S)), EDGES_S[-1])
_FIELDS = len(DELIVERED) + 1
_OCTETS = _FIELDS * FIELD_BITS // 8
_unpack = Struct(f"<{_FIELDS}I").unpack


def place_of(seconds: float) -> int:
    """Where a latency is counted."""
    return bisect_left(EDGES_S, seconds)


_WITHIN, _ARRIVAL = place_of(WITHIN_S) + 1, place_of(ARRIVAL_S) + 1


class Histogram:
    """A sum of packed counts, taken apart."""

    def __init__(self, packed: int) -> None:
        self.began, *self.counts = _unpack(packed.to_bytes(_OCTETS, "little"))

    @property
    def delivered(self) -> int:
        """However long it took."""
        return sum(self.counts)

    @property
    def within(self) -> int:
        """Delivered within ten seconds."""
        return sum(self.counts[:_WITHIN])

    @property
    def arrived(self) -> int:
        """Delivered within five minutes."""
        return sum(self.counts[:_ARRIVAL])

    def percentiles(self, *of: float) -> list[float | None]:
        """What such shares of the deliveries took at most, in seconds: the middle between two edges. None without any."""
        below = list(accumulate(self.counts))
        if not below[-1]:
            return [None] * len(of)
        return [round(_MIDDLES_S[bisect_left(below, share * below[-1])], 3) for share in of]


def up_to(counts: Sequence[int], edges_s: Sequence[float]) -> list[int]:
    """How many of `counts` (by place) took at most so long, for each of `edges_s`, which must be edges of ours."""
    below = list(accumulate(counts))
    return [below[place_of(edge)] for edge in edges_s]
