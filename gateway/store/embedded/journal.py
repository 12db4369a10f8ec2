"""The pages of the journal, in files that are only appended to: a page is on disk when `append` returns.

SQLite would write each page twice, into its log and then into the file, and read it between. A page waits here until all that
it says has ended or has rows, some twenty seconds as a rule; a file is deleted when later ones hold all that is needed. A
start begins a new file, and so does what comes after an append that failed; what the newer file says of a number counts. How
files look: `journal_file.py`.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.store.disk import sync_folder
from gateway.store.embedded.blockfile import BlockFile, Blocks
from gateway.store.embedded.journal_file import SALT_SIZE, entries_of, files_of, head_of, path_of, start_of
from gateway.store.vault import Octets, VaultError

FOLDER = "journal"
FILE_SIZE, FILE_S = 16 << 20, 60.0
"""A file of this size, or this old, is followed by another one: they go one by one, and texts are not to stay for long."""


class Journal:
    """See the module. `append`, `take_back` and `forget` are for one thread; reading is for before the first of them."""

    def __init__(
        self, folder: Path, *, synced: bool = True, file_size: int = FILE_SIZE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self._synced = synced
        self._file_size = file_size
        self._clock = clock
        self._firsts = [first for first, _ in files_of(folder)]
        """Numbers by which the files are named; the last one is appended to."""
        self._file: BlockFile | None = None
        self._blocks = Blocks()
        self._salt = b""
        self._size = self._before = 0
        self._until = 0.0

    def __bool__(self) -> bool:
        """Whether there are files."""
        return bool(self._firsts)

    def append(self, number: int, page: Octets, needed: int) -> None:
        """Store a page; `needed`: the first one that a start must read. Raises OSError, and the page is not there."""
        try:
            is_new = self._file is None or self._size >= self._file_size or self._clock() >= self._until
            start = self._begin(number) if is_new else b""
            self._before = self._size
            self._put(start + head_of(number, needed, len(page), self._salt), page)
            if is_new:
                sync_folder(self.folder)
        except OSError:
            self.take_back()
            raise

    def take_back(self) -> None:
        """The page that was appended last has not happened."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.cut(self._before)
            self.close()  # nobody knows what is on disk of a file that could not be synced

    def forget(self, needed: int) -> None:
        """Delete the files all of whose pages came before page `needed`. What cannot be deleted is tried again later."""
        with contextlib.suppress(OSError):
            while len(self._firsts) > 1 and self._firsts[1] <= needed:
                path_of(self.folder, self._firsts[0]).unlink(missing_ok=True)
                del self._firsts[0]

    def close(self) -> None:
        """The next page begins a new file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, number: int) -> bytes:
        """Gives what the file begins with."""
        self.close()
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            sync_folder(self.folder.parent)
        self._size = 0
        self._file = BlockFile(path_of(self.folder, number))
        if number not in self._firsts:
            self._firsts.append(number)
        self._until = self._clock() + FILE_S
        self._salt = os.urandom(SALT_SIZE)
        return start_of(self._salt)

    def _put(self, head: bytes, page: Octets) -> None:
        assert self._file is not None
        octets = self._blocks.filled(head, page)
        self._file.write(octets, self._size)
        if self._synced:
            self._file.sync()
        self._size += len(octets)


def needed_in(folder: Path) -> int:
    """The first page that a start must read; 0: there are none. Raises VaultError when something is damaged."""
    for _, path in reversed(files_of(folder)):
        if entries := entries_of(path):
            return max(entries[-1].needed, 1)
    return 0


def read_pages(folder: Path, needed: int) -> Iterator[tuple[int, bytes]]:
    """Pages from `needed` on, in order. Raises VaultError when something is damaged or missing."""
    files = [(path, entries) for _, path in files_of(folder) if (entries := entries_of(path))]
    expected = needed
    for at, (path, entries) in enumerate(files, 1):
        end = files[at][1][0].number if at < len(files) else entries[-1].number + 1
        with path.open("rb") as file:
            for one in entries:
                if not needed <= one.number < end:
                    continue  # needed no longer, or taken back and written anew
                if one.number != expected:
                    raise VaultError(f"{folder}: page {expected} of the journal is missing; restore a backup")
                expected += 1
                file.seek(one.at)
                yield one.number, file.read(one.length)
