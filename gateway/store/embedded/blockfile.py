"""A file that is written in whole blocks, past the system's cache where that can be done.

What is synced at once and read after a crash alone only costs in the cache: each octet is copied, into pages that were never
used before. Memory and offsets have to be whole blocks then. Where the file system does not have it (some in memory), writes
go the usual way.
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path

from gateway.store.vault import Octets

BLOCK = 4_096
_DIRECT = getattr(os, "O_DIRECT", 0)
_NEW = os.O_CREAT | os.O_TRUNC


def padded(size: int) -> int:
    """So many octets, up to the end of a block."""
    return -(-size // BLOCK) * BLOCK


class Blocks:
    """Memory that starts where a page does, used again and again."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, BLOCK)

    def filled(self, first: bytes, second: Octets) -> memoryview:
        """Both, with zeros up to the end of a block."""
        end = len(first) + len(second)
        if padded(end) > len(self._memory):
            self._memory = mmap.mmap(-1, 2 * padded(end))
        memory = self._memory
        memory[: len(first)] = first
        memory[len(first) : end] = second
        memory[end : padded(end)] = bytes(padded(end) - end)
        return memoryview(memory)[: padded(end)]


class BlockFile:
    """See the module. Everything raises OSError. `new`: it is made, and emptied if it is there."""

    def __init__(self, path: Path, *, new: bool = True) -> None:
        self._direct = bool(_DIRECT)
        how = os.O_WRONLY | (_NEW if new else 0)
        try:
            self._file = os.open(path, how | _DIRECT, 0o600)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            self._direct = False
            self._file = os.open(path, how, 0o600)

    def write(self, octets: memoryview, at: int) -> None:
        """All of `octets`, whole blocks, from octet `at` on, which begins one."""
        done = 0
        while done < len(octets):
            try:
                done += os.pwritev(self._file, (octets[done:],), at + done)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._use_cache()  # its blocks are larger, or a write ended within one

    def _use_cache(self) -> None:
        fcntl.fcntl(self._file, fcntl.F_SETFL, fcntl.fcntl(self._file, fcntl.F_GETFL) & ~_DIRECT)
        self._direct = False

    def sync(self) -> None:
        """What was written is on disk when this returns."""
        os.fdatasync(self._file)

    def cut(self, size: int) -> None:
        """Nothing is left beyond `size`."""
        os.ftruncate(self._file, size)
        os.fdatasync(self._file)

    def close(self) -> None:
        """Write to it no more."""
        os.close(self._file)
