"""A file of entries that are on disk when `append` returns. It is there only while it holds some.

An entry is a head (length, checksum of the body, checksum of these two; 4 octets each) and a body; the first one says who wrote
the file. What a crash left half-written at the end was never confirmed to anybody and is cut off; anything else that does not
fit is damage, which is told and never skipped.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from zlib import crc32

import msgspec

from gateway.store.disk import sync_folder
from gateway.store.vault import NotWrittenError, VaultError

VERSION = 1
_HEAD = struct.Struct(">II")
_SUM = struct.Struct(">I")
HEAD_SIZE = _HEAD.size + _SUM.size


class Header(msgspec.Struct):
    """The first entry."""

    version: int
    owner: str


class SpillFile:
    """See the module. `owner` is the one in the file when there is a file. Raises VaultError when it is damaged."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner
        self.size = 0
        self._start = 0
        self._file: FileIO | None = None
        if path.exists():
            self._recover()

    def __bool__(self) -> bool:
        return self.size > 0

    def append(self, body: bytes) -> None:
        """Raises NotWrittenError, and the file is as it was."""
        entry = _entry(body)
        try:
            if self._file is None:
                self._create(entry)
            else:
                self._file.seek(self.size)
                self._put(entry)
        except OSError as error:
            self._undo()
            raise NotWrittenError(f"{self.path}: {error.strerror}") from error
        self.size += len(entry)

    def entries(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Bodies from octet `start` on, each with where it ends. Nothing may be appended meanwhile."""
        at = max(start, self._start)
        while self._file is not None and at < self.size:
            found = self._at(at)
            if found is None:
                raise self._damage(at)
            at = found[0]
            yield found

    def clear(self) -> None:
        """Everything in it has been taken care of. Should it stay behind after all, its writes are repeated, without effect."""
        if self._file is None:
            return
        self.size = 0
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            self.path.unlink()
            sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """The file stays as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _create(self, entry: bytes) -> None:
        header = _entry(msgspec.msgpack.encode(Header(VERSION, self.owner)))
        self._file = _open(self.path, os.O_CREAT | os.O_TRUNC)
        self._put(header + entry)
        sync_folder(self.path.parent)
        self.size = self._start = len(header)

    def _put(self, octets: bytes) -> None:
        assert self._file is not None
        rest = memoryview(octets)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def _undo(self) -> None:
        """After a failed append. Octets it may have left are cut off or written over; no length tells of them."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.truncate(self.size)
        if not self.size:
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()

    # -- what an earlier run left

    def _recover(self) -> None:
        try:
            self._file = _open(self.path, 0)
            whole = self._file.seek(0, os.SEEK_END)
            first = self._at(0)
            if first is not None:
                self._read_header(first[1])
                self._start = first[0]
            while self.size < whole and (found := self._at(self.size)) is not None:
                self.size = found[0]
            if self.size < whole:
                self._cut_off(whole)
        except OSError as error:
            self.close()
            raise VaultError(f"{self.path}: {error.strerror}") from None
        except VaultError:
            self.close()
            raise
        if self.size <= self._start:
            self.clear()

    def _read_header(self, body: bytes) -> None:
        try:
            header = msgspec.msgpack.decode(body, type=Header)
        except msgspec.MsgspecError:
            raise VaultError(f"{self.path}: not a file of Tensec; move it away") from None
        if header.version > VERSION:
            raise VaultError(
                f"{self.path}: written by a newer Tensec; start that one, or move the file away and lose its writes"
            )
        self.owner = header.owner

    def _cut_off(self, whole: int) -> None:
        """The end does not fit: either a crash left it so, or there is more behind it."""
        assert self._file is not None
        self._file.seek(self.size)
        head = self._file.read(HEAD_SIZE)
        length = _length(head)
        # The size of a file may reach the disk before its octets do: zeros behind a broken head were never written.
        more = any(self._file.read()) if length is None else self.size + HEAD_SIZE + length < whole
        if more:
            raise self._damage(self.size)
        self._file.truncate(self.size)
        os.fsync(self._file.fileno())

    def _at(self, at: int) -> tuple[int, bytes] | None:
        """The entry there and its end; None when it does not fit."""
        assert self._file is not None
        self._file.seek(at)
        head = self._file.read(HEAD_SIZE)
        length = _length(head)
        if length is None:
            return None
        body = self._file.read(length)
        if len(body) < length or crc32(body) != _HEAD.unpack(head[: _HEAD.size])[1]:
            return None
        return at + HEAD_SIZE + length, body

    def _damage(self, at: int) -> VaultError:
        return VaultError(
            f"{self.path}: damaged at octet {at}. It holds writes that never reached the server: restore the file, or move it "
            "away to go on without them"
        )


def _entry(body: bytes) -> bytes:
    head = _HEAD.pack(len(body), crc32(body))
    return head + _SUM.pack(crc32(head)) + body


def _length(head: bytes) -> int | None:
    if len(head) < HEAD_SIZE or _SUM.unpack(head[_HEAD.size :])[0] != crc32(head[: _HEAD.size]):
        return None
    return int(_HEAD.unpack(head[: _HEAD.size])[0])


def _open(path: Path, flags: int) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | flags, 0o600), "r+")
