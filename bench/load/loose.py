"""Messages and receipts that did not find each other in one source process: a target may give a receipt to any of them.

While a run drains only the ids matter; at its end the files beside the books hold everything, and what is still alone then
belongs to no message of the run.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.load.orders import Loose
from bench.load.traffic import Traffic


def loose(traffic: Traffic) -> Loose:
    """The ids of one source process."""
    return Loose([one.decode("latin-1") for one in traffic.open_ids()], [one.decode("latin-1") for one in traffic.early])


def still_open(processes: Iterable[Loose]) -> int:
    """Messages whose receipt came to nobody."""
    waiting: set[str] = set()
    there: set[str] = set()
    for one in processes:
        waiting.update(one.open)
        there.update(one.strays)
    return len(waiting - there)


class _Ids(msgspec.Struct):
    open: dict[bytes, int]
    early: dict[bytes, tuple[float, int]]
    ended: set[bytes] = set()


def write_ids(traffic: Traffic, book: Path) -> None:
    """Beside the book of a source process, for `bench.measure.ledgers` and `alone`."""
    ids = _Ids(traffic.open_ids(), traffic.early, traffic.ended_ids())
    book.with_suffix(".ids").write_bytes(msgspec.msgpack.encode(ids))


class Alone(NamedTuple):
    """Receipts that no message waited for."""

    repeated: int
    strange: int


def alone(books: Sequence[Path]) -> Alone:
    """Of all source processes together: repetitions of another one's receipts, and receipts of no message of the run."""
    found = [msgspec.msgpack.decode(path.with_suffix(".ids").read_bytes(), type=_Ids) for path in books]
    waiting = {one for ids in found for one in ids.open}
    ended = {one for ids in found for one in ids.ended}
    strays = [one for ids in found for one in ids.early]
    strange = set(strays) - waiting - ended
    # Each stray is a repetition, unless it is the one that found its message or the first that belongs to nobody.
    return Alone(len(strays) - len(waiting.intersection(strays)) - len(strange), len(strange))
