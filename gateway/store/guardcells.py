"""Cells of guards by key, each packed into one piece of octets.

They are held by the hundred thousand, for twenty seconds and more. As a dictionary a cell is ten objects, which the garbage
collector looks at, and which leave holes in memory when they go. What has grown large stays a dictionary: to pack it anew
for each message would cost more.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

Times: TypeAlias = tuple[float, ...]
Entries: TypeAlias = dict[str, Times]
LARGE = 24
"""Times in a cell that is not packed."""
_PACKER = msgspec.msgpack.Encoder()
_UNPACKER = msgspec.msgpack.Decoder(Entries)
_EMPTY = _PACKER.encode({})


class GuardCells:
    """See the module. What is changed must be put back: of a large cell a change is seen before, of a packed one never."""

    def __init__(self) -> None:
        self._cells: dict[str, bytes | Entries] = {}

    def __len__(self) -> int:
        return len(self._cells)

    def __contains__(self, key: object) -> bool:
        return key in self._cells

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def keys(self) -> Iterable[str]:
        """Of all cells, the empty ones too."""
        return self._cells.keys()

    def get(self, key: str) -> Entries | None:
        """The entries of a cell; None when it is not held."""
        cell = self._cells.get(key)
        if cell is None:
            return None
        return _UNPACKER.decode(cell) if isinstance(cell, bytes) else cell

    def __getitem__(self, key: str) -> Entries:
        entries = self.get(key)
        if entries is None:
            raise KeyError(key)
        return entries

    def __setitem__(self, key: str, entries: Entries) -> None:
        count = 0
        for times in entries.values():
            count += len(times)
        self._cells[key] = entries if count > LARGE else _PACKER.encode(entries)

    def in_a_page(self, key: str) -> msgspec.Raw | Entries:
        """A cell as a page of the journal has it."""
        cell = self._cells[key]
        return msgspec.Raw(cell) if isinstance(cell, bytes) else cell

    def is_empty(self, key: str) -> bool:
        """Whether nothing is held of it, or only that there is nothing."""
        cell = self._cells.get(key)
        return not cell or cell == _EMPTY

    def drop(self, key: str) -> None:
        """Hold it no longer, if it is."""
        self._cells.pop(key, None)
