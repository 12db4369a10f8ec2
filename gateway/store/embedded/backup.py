"""A backup in one file, made while the core runs, and the way back.

The file is a tar archive: the store with the journal in a table, then the days of the history with the files their packs stand
in, each database a consistent copy by SQLite's own means. The store comes first: what is archived between the two copies stands
in both, which recovery settles; the other way round it would stand in none. Pages are read when what is copied of the store is
settled. Files that are let go meanwhile, of the journal and of days that are over, are held by second names.
"""

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import IO, cast

from gateway.store.disk import hold
from gateway.store.embedded.journal import FOLDER as JOURNAL
from gateway.store.embedded.journal import needed_in, read_pages
from gateway.store.embedded.journal_file import hold_files
from gateway.store.embedded.schema import HISTORY, STORE, connect
from gateway.store.embedded.vault import FILE
from gateway.store.history import FOLDER
from gateway.store.packfile import SUFFIX as PACKS
from gateway.store.packfile import files_of
from gateway.store.vault import VaultError


def backup(data_dir: Path, file: Path) -> list[str]:
    """Write `file`; gives the names of what is in it. Raises VaultError; then `file` is as it was."""
    if not (data_dir / FILE).exists():
        raise VaultError(f"{data_dir}: there is no {FILE}; is this the data_dir of an embedded store?")
    names = []
    partial = file.with_name(file.name + ".partial")
    try:
        with (
            tempfile.TemporaryDirectory(dir=file.parent, prefix=".tensec-backup-") as folder,
            # Files that have two names are held, not repeated.
            tarfile.open(partial, "w", dereference=True) as tar,
        ):
            copy = Path(folder) / "copy.db"
            for path in (data_dir / FILE, *sorted((data_dir / FOLDER).glob("*.db"))):
                with _held_by(path.parent) as held:
                    (_copy_store if path.name == FILE else _copy_day)(path, copy, held)
                    names.append(str(path.relative_to(data_dir)))
                    tar.add(copy, names[-1])
                    copy.unlink()
                    for packs in sorted(held.glob(f"*{PACKS}")):
                        names.append(f"{FOLDER}/{packs.name}")
                        tar.add(packs, names[-1])
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise VaultError(f"{file}: {error}; is there space, and may we write there?") from None
    return names


@contextlib.contextmanager
def _held_by(place: Path) -> Iterator[Path]:
    """A folder there for second names of files that may be let go meanwhile."""
    try:
        held = tempfile.TemporaryDirectory(dir=place, prefix=".tensec-backup-")
    except OSError as error:
        raise VaultError(f"{place}: {error.strerror}; a backup must write there, too") from None
    with held as folder:
        yield Path(folder)


def _copy_day(source: Path, target: Path, held: Path) -> None:
    """Of a day of the history; with second names for the files of its packs, which are deleted when it is over."""
    day = date.fromisoformat(source.stem)
    with closing(_reader(source)) as reader, closing(sqlite3.connect(target)) as writer:
        hold(files_of(source.parent, day), held)
        reader.backup(writer)
        hold(files_of(source.parent, day), held)  # one may have been begun


def _copy_store(source: Path, target: Path, held: Path) -> None:
    """With the pages that belong to what is copied, and maybe some later ones."""
    journal = source.parent / JOURNAL
    with closing(_reader(source)) as reader, closing(sqlite3.connect(target)) as writer:
        hold_files(journal, held)
        needed = needed_in(held)  # as it is now: a later write may let go what only later rows say
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from now on it sees the store as it is
        hold_files(journal, held)
        reader.backup(writer)
        with writer:
            writer.executemany("INSERT INTO page(number, body) VALUES (?, ?)", read_pages(held, needed))


def _reader(source: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def restore(file: Path, data_dir: Path) -> list[str]:
    """Unpack a backup into an empty place; gives the names of what was in it. Raises VaultError."""
    # A write-ahead log that was left behind would be played over what is restored.
    left = sorted([*data_dir.glob(f"{FILE}*"), *(data_dir / FOLDER).glob("*.*"), *(data_dir / JOURNAL).glob("*")])
    if left:
        raise VaultError(f"{left[0]} exists; move {FILE}*, {JOURNAL}/ and {FOLDER}/ away first")
    try:
        with tarfile.open(file) as tar:
            names = tar.getnames()
            strangers = [
                one.name for one in tar if not one.isfile() or (one.name != FILE and Path(one.name).parent != Path(FOLDER))
            ]
            if strangers or FILE not in names:
                raise VaultError(f"{file}: not a backup of Tensec")
            # Not by extractall: its filter that keeps files inside a folder is missing before CPython 3.11.4.
            (data_dir / FOLDER).mkdir(parents=True, exist_ok=True)
            for name in names:
                with (data_dir / name).open("xb") as target:
                    shutil.copyfileobj(cast(IO[bytes], tar.extractfile(name)), target)
    except (OSError, tarfile.TarError) as error:
        raise VaultError(f"{file}: {error}") from None
    for name in names:
        if not name.endswith(PACKS):
            connect(data_dir / name, STORE if name == FILE else HISTORY).close()  # says so now if it cannot be used
    return names
