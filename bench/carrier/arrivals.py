"""When which submit arrived, and what became of it: the lean ledger for load runs, twenty-four octets per submit.

A file is a header and records of the same size, little-endian, in the order in which the carrier decided:

    header   magic (8 octets), version (uint32), record size (uint32), when the file was begun (float64)
    record   destination (uint64), received (float64), fate, part, parts (uint8 each), one octet of zero, reference (uint16),
             two octets of zero

Times are `time.monotonic()`, on Linux one clock for all processes of a machine: a load client there can subtract them from its
own. `received` is when the read that brought the submit returned. A destination is its digits as a number, a leading plus
dropped; 0 when it is none or needs more than 64 bits. `part` of `parts` counts from 1; a message in one piece is 1 of 1.
Parts with different references are of different copies: no phone puts them together. A message in one piece has 0.

The file is written in the carrier's sweep, four times a second: kill -9 loses what came after the last one. A carrier that is
started again with the same file begins it anew, so give each start a file of its own to keep what came before.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

MAGIC, VERSION = b"ARRIVALS", 1
ACCEPTED, REFUSED, SWALLOWED = 0, 1, 2

_RECORD = struct.Struct("<QdBBBxH2x")
RECORD_SIZE = _RECORD.size
_HEADER = struct.Struct("<8sIId")
_TOO_LARGE = 1 << 64

Record: TypeAlias = tuple[int, float, int, int, int, int]
"""(destination, received, fate, part, parts, reference)"""


def destination_number(destination: str) -> int:
    """A destination as records hold it."""
    if not destination.isdecimal():
        destination = destination.removeprefix("+")
        if not destination.isdecimal():
            return 0
    if not destination.isascii():
        return 0
    number = int(destination)
    return number if number < _TOO_LARGE else 0


class Arrivals:
    """Writes a file, from its beginning."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._buffer = bytearray(_HEADER.pack(MAGIC, VERSION, _RECORD.size, time.monotonic()))
        self.flush()

    def add(self, destination: str, received: float, fate: int, part: int = 1, parts: int = 1, reference: int = 0) -> None:
        """One submit was decided."""
        self._buffer += _RECORD.pack(destination_number(destination), received, fate, part, parts, reference)

    def flush(self) -> None:
        """Hand the buffer to the system."""
        self._file.write(self._buffer)
        self._file.flush()
        self._buffer.clear()

    def close(self) -> None:
        """Write the rest, and end."""
        self.flush()
        self._file.close()


class Arrived(NamedTuple):
    """What one look at a file found."""

    octets: bytes
    """Whole records."""
    end: int
    """The offset for the next look."""
    began: float
    """When the file was begun: another number than at the last look means that the carrier was started again."""

    def __len__(self) -> int:
        return len(self.octets) // _RECORD.size

    def __iter__(self) -> Iterator[Record]:  # type: ignore[override]  # a look is its records, its fields have names
        return _RECORD.iter_unpack(self.octets)


def read_arrivals(path: Path, offset: int = 0) -> Arrived:
    """The records from `offset` on (0, or the `end` of an earlier look), while the file grows or after its end.

    A record that is not complete yet is left for the next look. Raises ValueError for a file that holds something else, and for
    one that has become shorter than `offset`.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size and MAGIC.startswith(head[: len(MAGIC)]) and not offset:
            return Arrived(b"", 0, 0.0)  # about to be begun
        began = _began(path, head)
        start = max(offset, _HEADER.size)
        if start % _RECORD.size:
            raise ValueError(f"{path}: no record begins at offset {offset}")
        if file.seek(0, 2) < start:
            raise ValueError(f"{path} is shorter than offset {offset}: the carrier was started again")
        file.seek(start)
        octets = file.read()
    whole = len(octets) - len(octets) % _RECORD.size
    return Arrived(octets[:whole], start + whole, began)


def _began(path: Path, head: bytes) -> float:
    if len(head) < _HEADER.size or not head.startswith(MAGIC):
        raise ValueError(f"{path} is no file of arrivals")
    _, version, size, began = _HEADER.unpack(head)
    if (version, size) != (VERSION, _RECORD.size):
        raise ValueError(
            f"{path} holds version {version} of arrivals with records of {size} octets, this reads version {VERSION}"
        )
    return float(began)
