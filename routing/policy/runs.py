"""Runs: codes of one account to numbers that follow each other, in whatever order they come. Nobody's customers do.

Numbers belong to one run when each is at most GAP from the next. They are remembered in memory alone: a start finds
none.
"""

from collections import OrderedDict

GAP = 4
"""So far may numbers of a run be apart: whoever leaves out a few is seen."""
NUMBERS_MAX = 100_000
"""So many numbers are remembered of an account; beyond them the oldest are forgotten, before their period is over."""


class Runs:
    """Numbers one account asked to send codes to within `period_s`; none is sent to a run of more than `limit`.

    Those that are refused count too, or every long run would be many short ones with gaps between.

    A message costs a look at its neighbours, and where there are some at most `limit` steps along them.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._last: OrderedDict[int, float] = OrderedDict()
        """By number when it was asked for last, in this order. A plain dict seeks its first key behind all that have left."""

    def take(self, number: str, utc: float) -> bool:
        """Whether a code may go to this number, which counts from now on."""
        fits, digits = self.fits(number, utc), int(number)
        self._last[digits] = utc
        self._last.move_to_end(digits)
        if len(self._last) > NUMBERS_MAX:
            self._last.popitem(last=False)
        return fits

    def fits(self, number: str, utc: float) -> bool:
        """Whether it may; nothing counts."""
        last, over = self._last, utc - self.period_s
        while last and last[first := next(iter(last))] <= over:
            del last[first]
        digits, count = int(number), 1
        for step in (1, -1):
            at = digits
            while (at := self._next(at, step)) and count <= self.limit:
                count += 1
        return count <= self.limit

    def _next(self, at: int, step: int) -> int:
        """The next number of the run in one direction; 0: there is none."""
        for beside in range(at + step, at + step * (GAP + 1), step):
            if beside in self._last:
                return beside
        return 0
