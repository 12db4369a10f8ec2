"""The pages of the journal, in files that are only appended to: a page is on disk when `append` returns.

SQLite would write each page twice, into its log and then into the file, and read it between. A page waits here for some twenty
seconds, until all that it says has ended or has rows; then its file is deleted. A start begins a new file, and so does what
comes after an append that failed; what the newer file says of a number counts. How files look: `journal_file.py`.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.store.embedded.journal_file import SALT_SIZE, entries_of, files_of, head_of, path_of, start_of
from gateway.store.vault import Octets, VaultError

FOLDER = "journal"
FILE_SIZE = 16 << 20
"""A file that has grown to this is followed by another one: they are let go one by one."""


class Journal:
    """See the module. `append`, `take_back` and `forget` are for one thread; `pages` is for before the first of them."""

    def __init__(self, folder: Path, *, file_size: int = FILE_SIZE) -> None:
        self.folder = folder
        self._file_size = file_size
        self._firsts = [first for first, _ in files_of(folder)]
        """Numbers by which the files are named; the last one is appended to."""
        self._file: int | None = None
        self._salt = b""
        self._size = self._before = 0

    @property
    def first(self) -> int:
        """No page before this one is here; 0: none is."""
        return self._firsts[0] if self._firsts else 0

    def append(self, number: int, page: Octets, needed: int) -> None:
        """Store a page; `needed`: the first one that a start must read. Raises OSError, and the page is not there."""
        try:
            is_new = self._file is None or self._size >= self._file_size
            if is_new:
                self._begin(number)
            self._before = self._size
            self._put(head_of(number, needed, len(page), self._salt), page)
            if is_new:
                _sync_folder(self.folder)
        except OSError:
            self.take_back()
            raise

    def take_back(self) -> None:
        """The page that was appended last has not happened."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._before)
            self.close()  # nobody knows what is on disk of a file that could not be synced

    def forget(self, needed: int) -> None:
        """Delete the files all of whose pages came before page `needed`."""
        while len(self._firsts) > 1 and self._firsts[1] <= needed:
            with contextlib.suppress(OSError):
                path_of(self.folder, self._firsts[0]).unlink()
            del self._firsts[0]

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """What a start must read, in order. Raises VaultError when something is damaged or missing."""
        return read_pages(self.folder)

    def close(self) -> None:
        """The next page begins a new file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self, number: int) -> None:
        self.close()
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            _sync_folder(self.folder.parent)
        self._file = os.open(path_of(self.folder, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if number not in self._firsts:
            self._firsts.append(number)
        self._salt = os.urandom(SALT_SIZE)
        self._size = os.pwrite(self._file, start_of(self._salt), 0)

    def _put(self, head: bytes, page: Octets) -> None:
        # No memoryview of the page: the traceback of an error would keep it, and then the page could not be made anew.
        assert self._file is not None
        whole, done = len(head) + len(page), 0
        while done < whole:
            rest = (head, page) if not done else ((head + page)[done:],)
            done += os.pwritev(self._file, rest, self._size + done)
        os.fdatasync(self._file)
        self._size += whole


def read_pages(folder: Path) -> Iterator[tuple[int, bytes]]:
    """What a start must read of the journal in `folder`, in order. Raises VaultError when something is damaged or missing."""
    files = [(path, entries) for _, path in files_of(folder) if (entries := entries_of(path))]
    if not files:
        return
    last = files[-1][1][-1]
    ends = [entries[0].number for _, entries in files[1:]] + [last.number + 1]
    expected = max(last.needed, 1)
    for (path, entries), end in zip(files, ends, strict=True):
        with path.open("rb") as file:
            for one in entries:
                if not last.needed <= one.number < end:
                    continue  # needed no longer, or taken back and written anew
                if one.number != expected:
                    raise VaultError(f"{folder}: page {expected} of the journal is missing; restore a backup")
                expected += 1
                file.seek(one.at)
                yield one.number, file.read(one.length)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
