"""Message ids: 63 bits that grow with time, made before anything is stored, unique over nodes.

    41 bits  milliseconds since 2024-01-01      8 bits  node
     6 bits  shard of the recipient             8 bits  counter

The shard can be read off the id, so a store that is split by recipient finds a message by its id alone.
"""

from collections.abc import Callable
from zlib import crc32

EPOCH_MS = 1_704_067_200_000
SHARDS = 64
COUNT_MAX = 255


def shard_of(destination: str) -> int:
    """The shard of a recipient."""
    return crc32(destination.encode()) % SHARDS


class IdMaker:
    """256 ids a millisecond and node; under a burst the clock part runs ahead of the clock, never back.

    The counter goes on from one millisecond to the next: begun at 0 each time, ids of a quiet hour would be alike in the bits
    that dictionaries look at first, and looking one up would take four tries instead of two.
    """

    def __init__(self, node: int, utc: Callable[[], float]) -> None:
        self._node = node << 14
        self._utc = utc
        self._ms = 0
        self._count = COUNT_MAX

    def start_after(self, newest: int) -> None:
        """Ids of before a restart are not made again, even if the clock was set back meanwhile."""
        self._ms, self._count = newest >> 22, COUNT_MAX

    def make(self, destination: str) -> int:
        """A new id for a message to `destination`."""
        ms = int(self._utc() * 1000) - EPOCH_MS
        if self._count == COUNT_MAX:
            self._ms, self._count = max(ms, self._ms + 1), 0
        else:
            self._ms, self._count = max(ms, self._ms), self._count + 1
        return self._ms << 22 | self._node | shard_of(destination) << 8 | self._count


def shard_of_id(message_id: int) -> int:
    """The shard written into an id."""
    return message_id >> 8 & (SHARDS - 1)


def short_alias(message_id: int) -> str:
    """Eight hexadecimal digits for SMPP 3.3 peers, unique among the ids of about four hours on one node."""
    return f"{(message_id >> 22 & 0xFFFFFF) << 8 | message_id & 0xFF:08x}"


def first_id_of(utc: float) -> int:
    """The least id a message that came at `utc` (seconds since 1970) can have."""
    return max(0, int(utc * 1000) - EPOCH_MS) << 22
