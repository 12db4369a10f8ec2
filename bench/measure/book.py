"""The generator's own ledger: a row for every submit, in columns, because a million rows must cost little to write and read.

Times are on the system's monotonic clock, seconds; 0 means it has not happened. Parts of a long message are rows of their own.
"""

from array import array
from pathlib import Path

import msgspec

UNANSWERED, ACCEPTED = -1, 0
NONE, DELIVERED, FAILED = 0, 1, 2
"""What the receipt said."""
_COLUMNS = {
    "to": "Q",
    "part": "B",
    "parts": "B",
    "class_": "B",
    "intended": "d",
    "sent": "d",
    "answered": "d",
    "status": "q",
    "receipt": "d",
    "outcome": "B",
}


class Book:
    """Columns of equal length. A row is named by its index."""

    def __init__(self) -> None:
        self.to = array("Q")
        """Recipient's digits as a number."""
        self.part = array("B")
        self.parts = array("B")
        self.class_ = array("B")
        self.intended = array("d")
        self.sent = array("d")
        self.answered = array("d")
        self.status = array("q")
        """command_status or HTTP code as answered, `ACCEPTED` for both kinds of success, or `UNANSWERED`."""
        self.receipt = array("d")
        self.outcome = array("B")

    def __len__(self) -> int:
        return len(self.to)

    def add(self, to: int, part: int, parts: int, class_: int, intended: float, sent: float) -> int:
        """A row for a submit that is being sent."""
        self.to.append(to)
        self.part.append(part)
        self.parts.append(parts)
        self.class_.append(class_)
        self.intended.append(intended)
        self.sent.append(sent)
        self.answered.append(0.0)
        self.status.append(UNANSWERED)
        self.receipt.append(0.0)
        self.outcome.append(NONE)
        return len(self.to) - 1

    def write(self, path: Path) -> None:
        """All rows to a file of this machine's byte order: it is read back at once and deleted."""
        with path.open("wb") as file:
            file.write(msgspec.json.encode(len(self)) + b"\n")
            for name in _COLUMNS:
                getattr(self, name).tofile(file)

    @classmethod
    def read(cls, path: Path) -> "Book":
        """What `write` wrote."""
        found = cls()
        with path.open("rb") as file:
            rows = msgspec.json.decode(file.readline(), type=int)
            for name in _COLUMNS:
                getattr(found, name).fromfile(file, rows)
        return found
