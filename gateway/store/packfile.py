"""Packs of the history in files of their own, beside the databases of the days.

SQLite copies each octet twice through the system's cache, into its log and then into the file. What comes in masses is appended
here instead, past the cache, and a row says where it stands: the file, the first octet and the length. Files have random names,
so that what a row says never means another file; a day that is over needs none. What a crash left half-written no row names.
"""

import os
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from gateway.store.disk import sync_folder
from gateway.store.embedded.blockfile import BlockFile, Blocks

SUFFIX = ".packs"
DAYS = timedelta(days=7)
"""So long before a day others are still added to, in the files they have."""


def files_of(folder: Path, day: date) -> list[Path]:
    """Files with packs of a day."""
    return sorted(folder.glob(f"{day.isoformat()}.*{SUFFIX}"))


def drop(folder: Path, day: date) -> None:
    """Delete the files of a day of which no row names a pack any more."""
    for path in files_of(folder, day):
        path.unlink(missing_ok=True)


class PackFiles:
    """See the module. `add` and `keep` are for one thread, `text` for one, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble = ""
        """Why a pack could not be read; SQLite says only that it could not."""
        self._blocks = Blocks()
        self._files: dict[date, tuple[Path, int]] = {}
        """The file of a day, and how far rows name what is in it."""
        self._added: dict[date, tuple[Path, int]] = {}

    def add(self, day: date, packs: Sequence[bytes]) -> list[str]:
        """Store packs; gives where each stands, as `text` takes it. What is not kept is written over. Raises OSError."""
        self._added = {}
        path, at, file = self._file(day)
        try:
            octets = self._blocks.filled(b"", b"".join(packs))
            file.write(octets, at)
            file.sync()
        finally:
            file.close()
        self._added = {day: (path, at + len(octets))}
        places = []
        for pack in packs:
            places.append(f"{path.name}:{at}+{len(pack)}")
            at += len(pack)
        return places

    def keep(self) -> None:
        """The rows are stored that name what was added last."""
        self._files.update(self._added)

    def _file(self, day: date) -> tuple[Path, int, BlockFile]:
        """Opened each time: the day may have been put in order by another process meanwhile."""
        path, end = self._files.get(day, (None, 0))
        if path is not None and path.exists():
            return path, end, BlockFile(path, new=False)
        path = self.folder / f"{day.isoformat()}.{os.urandom(4).hex()}{SUFFIX}"
        file = BlockFile(path)
        sync_folder(self.folder)
        self._files = {**{one: known for one, known in self._files.items() if one > day - DAYS}, day: (path, 0)}
        return path, 0, file

    def text(self, value: str) -> str:
        """A pack as JSON: `value`, or what stands where it says. Raises OSError or ValueError; `trouble` says why then."""
        if value.startswith("["):
            return value
        name, _, place = value.rpartition(":")
        at, _, length = place.partition("+")
        try:
            with (self.folder / name).open("rb", buffering=0) as file:  # not kept open: its day may be put in order
                file.seek(int(at))
                octets = file.read(int(length))
        except OSError as error:
            self.trouble = f"{self.folder / name}: {error.strerror}"
            raise
        if len(octets) < int(length):
            self.trouble = f"{self.folder / name}: it is cut short"
            raise ValueError(self.trouble)
        return octets.decode()
