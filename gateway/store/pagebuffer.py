"""Memory that one page after the other is put together in: what was used a moment ago need not be fetched from the system and
cleared again. It only grows.
"""

from gateway.store.vault import SUM_SIZE, sum_of

FIRST_SIZE = 1 << 16


class PageBuffer:
    """See the module: `begin`, `put` in order, `end`."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(FIRST_SIZE))
        self._at = 0

    def begin(self) -> None:
        """A new page; what `end` gave last is over."""
        self._at = SUM_SIZE

    def put(self, octets: bytes | memoryview) -> None:
        """Goes behind what is there."""
        end = self._at + len(octets)
        if end > len(self._memory):
            larger = memoryview(bytearray(2 * end))
            larger[: self._at] = self._memory[: self._at]
            self._memory = larger
        self._memory[self._at : end] = octets
        self._at = end

    def end(self) -> memoryview:
        """The page, with its checksum in front."""
        page = self._memory[: self._at]
        page[:SUM_SIZE] = sum_of(page)
        return page
