"""Which keys a vault may hold, without asking it: a Bloom filter that grows.

Most recipients are new to a gateway. To learn from the vault that it has nothing of them cost a read for each batch, and the
batch waited for it.
"""

from collections.abc import Iterable

BITS_OF_KEY = 32
"""Of which a key sets two: one key in 256 that is not there seems to be, when a layer is full."""
FIRST_BITS, MOST_BITS = 1 << 21, 1 << 27
"""Of the first layer (65,536 keys, 256 kB), and of the largest ones (4 million, 16 MB); each is four times the one before."""
LAYERS_MAX = 7
"""18 million keys in 69 MB. With more it gives up until the next start, and the vault is asked for each again."""
_SECOND = 29
"""Where the second place begins in a hash, of which a layer takes 27 bits at the most."""


class KeyFilter:
    """See the module. Until all keys that were there at the start have been learnt, and when there are too many for it, it says
    no of none.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.is_full = False
        self._layers: list[bytearray] = []
        self._room = 0

    def learnt(self) -> None:
        """All that were there have been added."""
        self.is_whole = not self.is_full

    def add(self, keys: Iterable[str]) -> None:
        """The vault may hold these from now on."""
        for key in keys:
            if self._has(key):
                continue
            if not self._room and not self._grow():
                return
            bits = self._layers[-1]
            mask, found = len(bits) * 8 - 1, hash(key)
            for place in (found & mask, found >> _SECOND & mask):
                bits[place >> 3] |= 1 << (place & 7)
            self._room -= 1

    def may_hold(self, key: str) -> bool:
        """False: the vault certainly has nothing under this key, unless it was written since and is held in memory."""
        return not self.is_whole or self._has(key)

    def _has(self, key: str) -> bool:
        found = hash(key)
        for bits in self._layers:
            mask = len(bits) * 8 - 1
            first, second = found & mask, found >> _SECOND & mask
            if bits[first >> 3] >> (first & 7) & 1 and bits[second >> 3] >> (second & 7) & 1:
                return True
        return False

    def _grow(self) -> bool:
        if len(self._layers) == LAYERS_MAX:
            self.is_full, self.is_whole = True, False
            self._layers.clear()
        if self.is_full:
            return False
        bits = min(len(self._layers[-1]) * 8 * 4, MOST_BITS) if self._layers else FIRST_BITS
        self._layers.append(bytearray(bits // 8))
        self._room = bits // BITS_OF_KEY
        return True
