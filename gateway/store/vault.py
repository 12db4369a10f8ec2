"""Where a durable store keeps its data: a journal of pages, and a few maps of text. Embedded and Redis both are such a vault.

A write is atomic: its page, the rows it puts and removes, and the pages it lets go. When `write` returns, it is on disk. Rows
are JSON; keys sort as text. A vault knows nothing of messages.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias
from zlib import crc32

import msgspec

KEYED = {
    "message": "records by id (the only map whose keys are numbers)",
    "guard": "guard times by spelled key",
    "sum": "purses, sizes of member sets",
    "notice": "notices by account and id",
    "dead": "notices nobody took in time",
    "parked": "receipts that wait for their message, by number",
    "rollup": "counts by period",
    "document": "keys, webhooks and other small documents, by kind and name",
    "request": "answers to requests, by their keys",
}
"""Maps with values."""
SORTED = {
    "find": "other keys of messages, each with an id at its end",
    "due": "when time changes what is not in memory",
    "queue": "queued messages by class rank and id",
}
"""Sets of keys, read in order."""
SEPARATOR = "\x1f"
LAST = "\x7f"
"""After every key that starts with what stands before it: keys are printable text."""


Octets: TypeAlias = bytes | bytearray | memoryview
SUM_SIZE = 4
"""Octets of the checksum that a page begins with."""


def sum_of(page: Octets) -> bytes:
    """What a page must begin with."""
    with memoryview(page) as whole, whole[SUM_SIZE:] as body:
        return crc32(body).to_bytes(SUM_SIZE, "big")


def is_whole(page: Octets) -> bool:
    """Whether a page is what was written."""
    return page[:SUM_SIZE] == sum_of(page)


class Write(msgspec.Struct):
    """Number `number` of an unbroken sequence. `puts` are (map, JSON object of rows), `adds` (set, JSON array of keys),
    `removes` (map or set, JSON array of keys). Pages before `keep_from` are no longer needed.

    The page may be memory that holds the next one as soon as this one is on disk.
    """

    number: int
    page: Octets
    puts: list[tuple[str, bytes]] = []
    adds: list[tuple[str, bytes]] = []
    removes: list[tuple[str, bytes]] = []
    keep_from: int = 0


class VaultError(Exception):
    """The data cannot be used; the text says what is wrong, with which file or server, and what to do."""


class NotWrittenError(Exception):
    """The write has certainly not happened: disk full, or the server refused it. It may be made again, or another one."""


class UnreachableError(Exception):
    """Whether the write has happened is not known. The same write must be made again until it is; repeating it is harmless."""


class Vault(Protocol):
    """Blocking; `write` is called from one thread, reads from another, each with a connection of its own."""

    @property
    def where(self) -> str:
        """The file or the server, as messages name it."""

    def write(self, write: Write) -> None:
        """Raises NotWrittenError, UnreachableError."""

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """The journal, in order."""

    def get(self, name: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Rows by key; those that are not there are left out."""

    def under(self, name: str, prefixes: Sequence[str]) -> list[str]:
        """Keys of a set that continue one of `prefixes` after a separator."""

    def scan(self, name: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        """Rows with after < key < before, in order; of a set with empty values."""

    def count(self, name: str, after: str, before: str) -> int:
        """How many rows that is."""

    def keys(self, name: str) -> Iterator[list[str]]:
        """All keys of a map with values, some at a time, in any order; maybe some of those that come or go meanwhile."""

    def close(self) -> None:
        """Let go of files and connections."""
