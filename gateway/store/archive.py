"""What has ended for good and is stored as ended: it goes to the history, the first first."""

from collections import deque
from collections.abc import Iterable, Sequence

from gateway.store.book import Book
from gateway.store.ended import Ended

ARCHIVE_MAX = 2_000
ARCHIVE_RECORDS = 250
"""Messages that go in one go, and those of them that are not sealed: these are encoded while the core's thread is held."""


class Archive:
    """See the module."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._waiting: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, numbers: Iterable[int]) -> None:
        """They have ended; one that changes once more is here once more."""
        self._waiting += numbers

    def take(self) -> list[Ended]:
        """Some of them, for the history."""
        taken: dict[int, Ended] = {}
        records = 0
        while self._waiting and len(taken) < ARCHIVE_MAX and records < ARCHIVE_RECORDS:
            number = self._waiting.popleft()
            records += number in self._book.records
            ended = self._book.last_word(number)
            if ended is not None:
                taken[number] = ended
        return list(taken.values())

    def put_back(self, several: Sequence[Ended]) -> None:
        """The history could not take them; later, as they are then."""
        self._waiting.extendleft(one.id for one in reversed(several))
