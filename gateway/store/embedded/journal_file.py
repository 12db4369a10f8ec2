"""How a file of the journal looks: what it is and a salt, then entries, each a head and a page, and zeros up to the end of a
block (`blockfile.py`; the first version had none). It is named by its first page.

A head says which page it is, the first page that a start still needed when it was written, and the length, with a checksum of
these and the salt, so that nothing that is said in a message can look like one.

What a crash left half-written at the end was never confirmed to anybody, and is passed over. Damage before that is told: there
are heads behind it.
"""

import struct
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from gateway.store.disk import hold
from gateway.store.embedded.blockfile import padded
from gateway.store.vault import VaultError, is_whole

_KIND = b"tensec journal 1"
SALT_SIZE = 8
START_SIZE = len(_KIND) + SALT_SIZE
_MARK = b"page"
_HEAD = struct.Struct(">4sQQI")
_SUM = struct.Struct(">I")
HEAD_SIZE = _HEAD.size + _SUM.size


class Entry(NamedTuple):
    """A page of a file, from octet `at` on."""

    number: int
    needed: int
    at: int
    length: int


def start_of(salt: bytes) -> bytes:
    """What a file begins with."""
    return _KIND + salt


def head_of(number: int, needed: int, length: int, salt: bytes) -> bytes:
    """What stands before a page."""
    head = _HEAD.pack(_MARK, number, needed, length)
    return head + _SUM.pack(crc32(salt + head))


def path_of(folder: Path, first: int) -> Path:
    """The file whose first page is `first`."""
    return folder / f"{first:016d}.pages"


def files_of(folder: Path) -> list[tuple[int, Path]]:
    """Numbers of first pages, and the files, in order."""
    return sorted((int(one.stem), one) for one in folder.glob("*.pages") if one.stem.isdigit())


def hold_files(folder: Path, held: Path) -> None:
    """Give the files second names in `held`, so that they stay when they are let go. Raises OSError."""
    hold((path for _, path in files_of(folder)), held)


def entries_of(path: Path) -> list[Entry]:
    """The entries of a file, without one that is not whole at the end. Raises VaultError when it is damaged before that."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise VaultError(f"{path}: {error.strerror}") from None
    if len(octets) < START_SIZE or not octets.strip(b"\0"):
        return []  # begun, and nothing of it was ever confirmed: the size of a file may reach the disk before its octets do
    if octets[: len(_KIND)] != _KIND:
        raise VaultError(
            f"{path}: not a journal of this Tensec; start a newer one, or move the file away and lose its messages"
        )
    salt = octets[len(_KIND) : START_SIZE]
    entries: list[Entry] = []
    at = START_SIZE
    while (one := _next(octets, at, salt)) is not None and one.at + one.length <= len(octets):
        entries.append(one)
        at = one.at + one.length
    if _has_heads(octets, at + 1 if one is None else one.at, salt):
        raise VaultError(f"{path}: the journal is damaged at octet {at}; restore a backup")
    if entries and not is_whole(octets[entries[-1].at : at]):
        entries.pop()  # whole in length only: its octets had not all reached the disk
    return entries


def _next(octets: bytes, at: int, salt: bytes) -> Entry | None:
    return _entry(octets, at, salt) or _entry(octets, padded(at), salt)


def _entry(octets: bytes, at: int, salt: bytes) -> Entry | None:
    """What the head at octet `at` says; None when there is none."""
    head, mark = octets[at : at + _HEAD.size], octets[at + _HEAD.size : at + HEAD_SIZE]
    if len(mark) < _SUM.size or _SUM.unpack(mark)[0] != crc32(salt + head):
        return None
    _, number, needed, length = _HEAD.unpack(head)
    return Entry(number, needed, at + HEAD_SIZE, length)


def _has_heads(octets: bytes, at: int, salt: bytes) -> bool:
    while (at := octets.find(_MARK, at)) >= 0:
        if _entry(octets, at, salt) is not None:
            return True
        at += 1
    return False
