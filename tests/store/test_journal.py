"""The journal in files of its own: a page that was appended is there, whatever happens later, and nothing else is."""

import errno
import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from story import BOOT, START_UTC, Story, page_of

from gateway.store.base import Finish
from gateway.store.embedded import backup as backups
from gateway.store.embedded.backup import backup, restore
from gateway.store.embedded.blockfile import BLOCK
from gateway.store.embedded.journal import FILE_S, FOLDER, Journal, needed_in, read_pages
from gateway.store.embedded.journal_file import START_SIZE, entries_of, files_of, head_of, hold_files, start_of
from gateway.store.embedded.store import open_store
from gateway.store.embedded.vault import FILE, EmbeddedVault
from gateway.store.vault import VaultError, Write
from routing.records import MessageState


def page(number: int, size: int = 10) -> bytes:
    return page_of(b"%d " % number * size)


def filled(folder: Path, *numbers: int, file_size: int = 1 << 20) -> Journal:
    """A journal with these pages."""
    journal = Journal(folder, file_size=file_size)
    for number in numbers:
        journal.append(number, page(number), numbers[0])
    return journal


def numbers_in(folder: Path) -> list[int]:
    """Pages a start reads; each is whole."""
    found = list(read_pages(folder, needed_in(folder)))
    assert all(body == page(number) for number, body in found)
    return [number for number, _ in found]


def end_of(path: Path) -> int:
    """Where the last page of a file ends; zeros follow."""
    last = entries_of(path)[-1]
    return last.at + last.length


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / FOLDER


def test_an_empty_directory_has_no_pages(folder: Path) -> None:
    assert (bool(Journal(folder)), numbers_in(folder)) == (False, [])
    assert not folder.exists(), "reading makes nothing"


def test_pages_are_read_in_order_from_all_files_and_all_starts(folder: Path) -> None:
    filled(folder, 1, 2, 3).close()
    journal = filled(folder, *range(4, 12), file_size=100)
    assert len(files_of(folder)) > 3
    journal.append(12, bytearray(page(12)), 1)
    assert numbers_in(folder) == list(range(1, 13))


def test_only_what_is_needed_is_read_and_files_without_it_are_let_go(folder: Path) -> None:
    journal = filled(folder, *range(1, 9), file_size=100)
    journal.append(9, page(9), 6)
    before = len(files_of(folder))
    assert numbers_in(folder) == [6, 7, 8, 9]
    journal.forget(6)
    assert len(files_of(folder)) < before
    assert numbers_in(folder) == [6, 7, 8, 9]
    journal.forget(99)
    assert files_of(folder), "the newest stays"


def test_what_is_taken_back_has_not_happened_and_its_number_is_used_again(folder: Path) -> None:
    journal = filled(folder, 1, 2, 3)
    journal.append(4, page_of(b"taken back"), 1)
    journal.take_back()
    assert numbers_in(folder) == [1, 2, 3]
    journal.append(4, page(4), 1)
    assert numbers_in(folder) == [1, 2, 3, 4]


def fails(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_what_cannot_be_cut_off_counts_until_its_number_is_used_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(folder, 1, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fails)
        patch.setattr(os, "fdatasync", fails)
        with pytest.raises(OSError, match="Input/output"):
            journal.append(4, page_of(b"maybe on disk"), 1)
    journal.append(4, page(4), 1)
    journal.append(5, page(5), 1)
    assert numbers_in(folder) == [1, 2, 3, 4, 5]
    assert [first for first, _ in files_of(folder)] == [1, 4], "a file that could not be synced is written to no more"


@pytest.mark.parametrize("step", [BLOCK, 7], ids=["blocks", "octets"])
def test_a_write_that_stops_half_way_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, pieces, at: whole(file, [pieces[0][:step]], at))
    journal = Journal(folder)
    for number in (1, 2):
        journal.append(number, page(number, 5_000), 1)
    assert [body for _, body in read_pages(folder, 1)] == [page(1, 5_000), page(2, 5_000)]


def test_wherever_a_crash_cuts_the_file_off_all_whole_pages_before_are_read(folder: Path) -> None:
    filled(folder, 1, 2, 3).close()
    ((_, path),) = files_of(folder)
    octets = path.read_bytes()
    ends = [one.at + one.length for one in entries_of(path)]
    for size in range(len(octets) + 1):
        path.write_bytes(octets[:size])
        assert numbers_in(folder) == [1, 2, 3][: sum(end <= size for end in ends)]


@pytest.mark.parametrize("zeros", [1, 20, 40])
def test_octets_that_had_not_reached_the_disk_are_passed_over(folder: Path, zeros: int) -> None:
    """The size of a file may be there before them."""
    filled(folder, 1, 2, 3).close()
    ((_, path),) = files_of(folder)
    octets = path.read_bytes()
    end = end_of(path)
    path.write_bytes(octets[: end - zeros] + bytes(len(octets) - end + zeros))
    assert numbers_in(folder) == [1, 2]


def test_after_a_crash_a_new_file_goes_on_where_the_confirmed_pages_end(folder: Path) -> None:
    filled(folder, 1, 2, 3).close()
    ((_, path),) = files_of(folder)
    path.write_bytes(path.read_bytes()[: end_of(path) - 1])
    journal = Journal(folder)
    assert numbers_in(folder) == [1, 2]
    journal.append(3, page(3), 1)
    assert numbers_in(folder) == [1, 2, 3]


def test_a_head_that_is_damaged_is_told_when_there_are_pages_behind_it(folder: Path) -> None:
    filled(folder, 1, 2, 3).close()
    ((_, path),) = files_of(folder)
    octets = bytearray(path.read_bytes())
    octets[entries_of(path)[1].at - 6] ^= 1
    path.write_bytes(octets)
    with pytest.raises(VaultError, match=r"the journal is damaged at octet \d+; restore a backup"):
        numbers_in(folder)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_file_that_is_missing_is_told(folder: Path, gone: int) -> None:
    filled(folder, *range(1, 9), file_size=100)
    files = files_of(folder)
    files[gone][1].unlink()
    with pytest.raises(VaultError, match=f"page {files[gone][0]} of the journal is missing; restore a backup"):
        numbers_in(folder)


def test_what_a_message_says_is_never_taken_for_a_page(folder: Path) -> None:
    """Who knows how files look cannot keep a gateway from starting after a crash."""
    text = b"".join(head_of(number, 1, 4, salt) + page(1) for number in range(3, 9) for salt in (b"", bytes(8)))
    journal = filled(folder, 1)
    journal.append(2, page_of(text), 1)
    ((_, path),) = files_of(folder)
    path.write_bytes(path.read_bytes()[: end_of(path) - 1])
    assert numbers_in(folder) == [1]


def test_a_file_that_is_something_else_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "0000000000000001.pages").write_bytes(b"#!/bin/sh\n" * 10)
    with pytest.raises(VaultError, match="move the file away"):
        numbers_in(folder)
    (folder / "0000000000000001.pages").write_bytes(start_of(bytes(8))[: START_SIZE - 1])
    assert numbers_in(folder) == [], "begun, and nothing was confirmed"


def test_files_that_are_held_stay_whole_when_they_are_let_go(folder: Path, tmp_path: Path) -> None:
    journal = filled(folder, *range(1, 9), file_size=100)
    held = tmp_path / "held"
    held.mkdir()
    hold_files(folder, held)
    journal.append(9, page(9), 9)
    journal.forget(9)
    hold_files(folder, held)
    assert numbers_in(held) == [9]
    assert files_of(held)[0][0] == 1


def test_a_file_is_followed_by_another_one_when_it_is_old(folder: Path) -> None:
    """Else the texts of a quiet month would stay until there are enough of them."""
    now = 0.0
    journal = Journal(folder, clock=lambda: now)
    for number in range(1, 5):
        journal.append(number, page(number), number)
        now += FILE_S / 2
    assert [first for first, _ in files_of(folder)] == [1, 3]
    journal.forget(4)
    assert numbers_in(folder) == [4]
    assert [first for first, _ in files_of(folder)] == [3]


@pytest.mark.parametrize("where", ["open", "write"])
def test_where_the_cache_cannot_be_passed_by_it_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A file system that refuses it says so when a file is opened, or when something is written to it."""
    real = {"open": os.open, "write": os.pwritev}
    direct = os.O_DIRECT

    def opens(path: Path, flags: int, mode: int = 0o777) -> int:
        if where == "open" and flags & direct:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real["open"](path, flags, mode)

    def writes(file: int, pieces: tuple[memoryview], at: int) -> int:
        if where == "write" and fcntl.fcntl(file, fcntl.F_GETFL) & direct:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real["write"](file, pieces, at)

    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(os, "pwritev", writes)
    filled(folder, 1, 2, 3).close()
    assert numbers_in(folder) == [1, 2, 3]


def test_files_of_the_first_version_had_no_blocks(folder: Path) -> None:
    salt = bytes(range(8))
    folder.mkdir()
    entries = [(head_of(number, 1, len(page(number)), salt), page(number)) for number in (1, 2, 3)]
    (folder / "0000000000000001.pages").write_bytes(start_of(salt) + b"".join(head + body for head, body in entries))
    assert numbers_in(folder) == [1, 2, 3]


def test_what_cannot_be_deleted_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(folder, *range(1, 9), file_size=100)
    journal.append(9, page(9), 9)
    files = files_of(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fails)
        journal.forget(9)
    assert files_of(folder) == files
    assert numbers_in(folder) == [9]
    journal.forget(9)
    assert len(files_of(folder)) < len(files)


@pytest.mark.parametrize("size", [0, 10, 24, 100])
def test_a_file_of_which_only_the_size_was_stored_is_passed_over(folder: Path, size: int) -> None:
    filled(folder, 1, 2, 3).close()
    (folder / "0000000000000004.pages").write_bytes(bytes(size))
    assert numbers_in(folder) == [1, 2, 3]
    Journal(folder).append(4, page(4), 1)
    assert numbers_in(folder) == [1, 2, 3, 4]


def test_a_full_disk_leaves_no_file_that_keeps_it_from_starting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page that fails closes its file, the second one fails in a file of its own."""
    journal = filled(folder, 1, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", fails)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                journal.append(4, page(4), 1)
            assert numbers_in(folder) == [1, 2, 3]
    journal.append(4, page(4), 1)
    assert numbers_in(folder) == [1, 2, 3, 4]


# -- together with rows


def test_a_start_reads_what_is_needed_and_no_more_however_often_it_is_made(tmp_path: Path) -> None:
    with closing(EmbeddedVault(tmp_path)) as vault:
        for number in range(1, 9):
            vault.write(Write(number, page(number), keep_from=number))
    for last in (8, 10, 12):
        with closing(EmbeddedVault(tmp_path)) as vault:
            assert [number for number, _ in vault.pages()] == [last - 1, last]
            for number in (last + 1, last + 2):
                vault.write(Write(number, page(number), keep_from=number))
        assert [first for first, _ in files_of(tmp_path / FOLDER)] == [last + 1]


def test_a_dead_letter_is_there_after_a_crash_before_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC, fold_after_s=9e9)) as store, monkeypatch.context() as patch:
        story = Story(store)
        message = story.accepted()
        store.settle([Finish(message.id, MessageState.REJECTED, "x")], story.utc)
        patch.setattr(EmbeddedVault, "_write_rows", crash)
        with pytest.raises(CrashError):
            story.wait(80 * 3600.0)
    with closing(open_store(tmp_path, BOOT, story.utc)) as store:
        assert store.notices("shop", 9) == []
        store.commit(story.utc)
        assert store.vault.count("dead") == 1  # type: ignore[attr-defined]
        assert store.book.dead_letters == 1


def test_a_store_whose_database_is_missing_is_refused(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        Story(store).accepted()
    (tmp_path / FILE).unlink()
    with pytest.raises(VaultError, match=r"store\.db: it is missing, and its journal/ is there; restore a backup"):
        open_store(tmp_path, BOOT, START_UTC)


def test_a_damaged_page_of_an_older_version_is_told(tmp_path: Path) -> None:
    EmbeddedVault(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.executemany("INSERT INTO page VALUES (?, ?)", [(5, page(5)), (6, page(6)[:-1])])
    with pytest.raises(VaultError, match="page 6 of the journal is damaged: its checksum does not fit; restore a backup"):
        EmbeddedVault(tmp_path)


def test_rows_that_cannot_be_written_take_their_page_back(tmp_path: Path) -> None:
    with closing(EmbeddedVault(tmp_path)) as vault:
        vault.write(Write(1, page(1)))
        with pytest.raises(Exception, match="malformed JSON"):
            vault.write(Write(2, page(2), puts=[("sum", b"no JSON")]))
        assert [number for number, _ in vault.pages()] == [1]


def test_pages_of_an_older_version_are_moved_once_however_often_that_is_begun(tmp_path: Path) -> None:
    EmbeddedVault(tmp_path).close()
    for _ in range(2):
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.executemany("INSERT INTO page VALUES (?, ?)", [(number, page(number)) for number in range(5, 9)])
        with closing(EmbeddedVault(tmp_path)) as vault:
            assert list(vault.pages()) == [(number, page(number)) for number in range(5, 9)]
        with closing(sqlite3.connect(tmp_path / FILE)) as connection:
            assert connection.execute("SELECT count(*) FROM page").fetchone() == (0,)


def test_a_backup_has_the_pages_and_can_be_used_at_once(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    with closing(open_store(data, BOOT, START_UTC, finals_max=0)) as store:
        story = Story(store)
        accepted = [story.accepted(id=number).id for number in range(1, 9)]
        store.settle([Finish(one, MessageState.REJECTED, "x") for one in accepted[:4]], story.utc)
        story.accepted(id=9)
        assert backup(data, tmp_path / "file")[0] == FILE
        assert len(store.history.days()) == 1, "of which there is a copy, too"
        assert sorted(one.name for one in data.iterdir()) == ["history", FOLDER, FILE, f"{FILE}-shm", f"{FILE}-wal"]
        before = store.ledger()
    restore(tmp_path / "file", other)
    with closing(open_store(other, BOOT, START_UTC)) as store:
        assert [one.id for one in store.find(accepted) if one is not None] == accepted
        assert store.ledger() == before
    (other / FILE).unlink()
    shutil.rmtree(other / "history")
    with pytest.raises(VaultError, match="journal/ and history/ away first"):
        restore(tmp_path / "file", other)


@pytest.mark.parametrize("file_size", [100, 1 << 20])
def test_a_backup_is_whole_when_the_journal_goes_on_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_size: int
) -> None:
    """What was in pages gets rows, which are not in the copy any more, and the pages may go."""
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    with closing(open_store(data, BOOT, START_UTC, fold_after_s=3)) as store:
        store.vault._journal._file_size = file_size  # type: ignore[attr-defined]
        story = Story(store)
        accepted = [story.accepted(id=number).id for number in range(1, 9)]
        let_go = []

        def then_it_goes_on(journal: Path, held: Path) -> None:
            hold_files(journal, held)
            before = files_of(journal)
            for _ in range(3):
                story.utc += 1
                accepted.append(story.accepted(id=len(accepted) + 1).id)
            let_go.append(len(set(before) - set(files_of(journal))))

        with monkeypatch.context() as patch:
            patch.setattr(backups, "hold_files", then_it_goes_on)
            backup(data, tmp_path / "file")
        assert len(accepted) == 14
        assert any(let_go) is (file_size == 100)
    restore(tmp_path / "file", other)
    with closing(open_store(other, BOOT, START_UTC)) as store:
        found = [one.id for one in store.find(accepted) if one is not None]
        assert found[:11] == accepted[:11], "those before the copy was settled; later ones, or not"
        assert store.ledger().accepted == len(found)


class CrashError(Exception):
    """The process ends here."""


def crash(*_: object) -> None:
    raise CrashError


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_between_a_page_and_its_rows_loses_nothing_that_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = Random(seed)
    limits: dict[str, float] = {"fold_after_s": 2, "stay_s": 0, "clean_max": 0, "finals_max": 2, "notices_max": 0}
    accepted: set[int] = set()
    rejected: set[int] = set()
    utc, crashes, tries = START_UTC, 0, 0
    for _ in range(25):
        with closing(open_store(tmp_path, BOOT, utc, **limits)) as store, monkeypatch.context() as patch:
            story = Story(store)
            story.utc = utc
            story.check()
            found = {one.id: one.state for one in store.find(range(1, tries + 1)) if one is not None}
            ended = {one for one, state in found.items() if state is MessageState.REJECTED}
            assert accepted <= found.keys()
            assert rejected <= ended
            assert sorted(one.id for one in store.notices("shop", 1_000)) == sorted(ended), "each is told of once"
            for step in range(chance.randint(3, 9)):
                if step == 3:
                    patch.setattr(EmbeddedVault, "_write_rows", crash)
                story.utc = utc = utc + 1
                try:
                    queued = sorted(accepted - rejected - ended)
                    if queued and chance.random() < 0.5:
                        one = chance.choice(queued)
                        store.settle([Finish(one, MessageState.REJECTED, "x")], utc)
                        rejected.add(one)
                    else:
                        tries += 1
                        accepted.add(story.accepted(id=tries).id)
                except CrashError:
                    crashes += 1
                    break
    assert crashes > 10
    assert len(rejected) > 10
