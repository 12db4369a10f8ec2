"""Requests in flight: sequence numbers, who waits for which answer, and what became of them when the link died.

A slot is taken before the octets of its request are handed out, so that no answer can come too early. A request that went
unanswered keeps its slot until the peer proves it is alive (`release_overdue`): a peer that drops answers would otherwise
be fed without limit. What left the window may still be answered late; `late_max` of those are remembered. The session's own
requests (bind, unbind, enquire_link) share the numbers and nothing else: they take no slot and have timers of their own.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from protocol.errors import WindowFullError
from protocol.pending import Pending

SEQUENCE_MAX = 0x7FFFFFFF


class Window:
    """`size` bounds requests in flight; `late_s` and `late_max` bound the memory for late answers."""

    def __init__(self, size: int, *, first: int = 1, late_s: float = 600.0, late_max: int = 10_000) -> None:
        self.size = size
        self.late_s = late_s
        self.late_max = late_max
        self._next = first
        self._waiting: dict[int, Pending] = {}
        self._overdue: dict[int, Pending] = {}
        self._late: OrderedDict[int, Pending] = OrderedDict()
        self._own: dict[int, Pending] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._overdue)

    @property
    def free(self) -> int:
        """How many more requests may go out now."""
        return max(0, self.size - len(self._waiting) - len(self._overdue))

    def take_sequence(self) -> int:
        """The next number; it wraps to 1 and skips numbers that still wait for an answer (5.0 section 4.7.24)."""
        return self.take_sequences(1)[0]

    def take_sequences(self, count: int) -> list[int]:
        """So many of them."""
        waiting, overdue, own, sequence = self._waiting, self._overdue, self._own, self._next
        taken: list[int] = []
        while len(taken) < count:
            if not (sequence in waiting or sequence in overdue or sequence in own):
                taken.append(sequence)
            sequence = sequence + 1 if sequence < SEQUENCE_MAX else 1
        self._next = sequence
        return taken

    def open(self, command_id: int, requests: Sequence[tuple[int, Any, int]], at: float) -> None:
        """Wait for the answers to requests: sequence, token and `end` of each. Raises WindowFullError."""
        waiting = self._waiting
        if len(waiting) + len(self._overdue) + len(requests) > self.size:
            raise WindowFullError(f"of {self.size} slots {self.free} are free, not {len(requests)}")
        for sequence, token, end in requests:
            waiting[sequence] = Pending(command_id, token, at, end)
        if self._late:
            for sequence, _, _ in requests:
                self._late.pop(sequence, None)

    def open_own(self, sequence: int, command_id: int, token: Any, at: float, end: int) -> None:
        """Wait for the answer to a request of the session's own, outside the window."""
        self._late.pop(sequence, None)
        self._own[sequence] = Pending(command_id, token, at, end)

    def answer(self, sequence: int, command_id: int | None) -> tuple[Pending, bool] | None:
        """(the request, whether its answer is late), or None for a number or type nobody waits for.

        `command_id` is the request's, None for a generic_nack, which may answer any of them (section 4.3).
        """
        if sequence in self._waiting:
            pending = _take(self._waiting, sequence, command_id)
            return None if pending is None else (pending, False)
        for held, late in ((self._overdue, True), (self._own, False), (self._late, True)):
            if sequence in held:
                pending = _take(held, sequence, command_id)
                return None if pending is None else (pending, late)
        return None

    def overdue(self, now: float, timeout_s: float) -> list[Pending]:
        """Requests whose answer has just become overdue. Each is told once; it keeps its slot."""
        expired = []
        for sequence, pending in self._waiting.items():
            if now < pending.at + timeout_s:
                break  # insertion order is age
            expired.append(sequence)
        found = []
        for sequence in expired:
            pending = self._waiting.pop(sequence)
            self._overdue[sequence] = pending
            found.append(pending)
        return found

    @property
    def has_overdue(self) -> bool:
        """Whether slots are held by requests that went unanswered."""
        return bool(self._overdue)

    def release_overdue(self, end: int) -> None:
        """The peer has dealt with our stream up to offset `end`: give the slots of overdue requests before it back, and
        remember them for late answers.
        """
        for sequence in [s for s, pending in self._overdue.items() if pending.end <= end]:
            self._late[sequence] = self._overdue.pop(sequence)
        while len(self._late) > self.late_max:
            self._late.popitem(last=False)

    def forget_late(self, now: float) -> None:
        """Drop what is too old to be answered any more."""
        while self._late:
            sequence, pending = next(iter(self._late.items()))
            if now < pending.at + self.late_s:
                break
            del self._late[sequence]

    def oldest(self) -> float | None:
        """When the longest waiting request was queued; None when none waits."""
        for pending in self._waiting.values():
            return pending.at
        return None

    def give_back(self, written: int) -> tuple[list[Any], list[Any]]:
        """The link is gone after `written` octets of our stream: (tokens provably not sent, tokens with unknown outcome).

        Overdue requests were reported unanswered before and are not told again.
        """
        unsent = [p.token for p in self._waiting.values() if p.end > written and p.token is not None]
        unknown = [p.token for p in self._waiting.values() if p.end <= written and p.token is not None]
        self._waiting.clear()
        self._overdue.clear()
        self._late.clear()
        self._own.clear()
        return unsent, unknown


def _take(held: dict[int, Pending], sequence: int, command_id: int | None) -> Pending | None:
    """The one with this number, if it is of this kind."""
    pending = held[sequence]
    if command_id is not None and pending.command_id != command_id:
        return None
    del held[sequence]
    return pending
