"""A backup has the files that the history's packs stand in, whatever happens to them meanwhile."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from story import BOOT, START_UTC, Story

from gateway.store.base import Admission
from gateway.store.embedded import backup as backups
from gateway.store.embedded.backup import backup, restore
from gateway.store.embedded.store import open_store
from gateway.store.history import History, rows_by_day
from gateway.store.record import Record
from gateway.store.sealing import seal
from gateway.store.vault import VaultError
from routing.records import Content, Message


def test_a_backup_has_the_packs_of_the_history(tmp_path: Path) -> None:
    """Many that ended at once stand in a file beside the day; and so they do where it is restored."""
    data = tmp_path / "data"
    data.mkdir()
    with closing(open_store(data, BOOT, START_UTC)) as store:
        story = Story(store)
        messages = [story.message(content=Content(b"a long text " * 40)) for _ in range(120)]
        store.admit([Admission(one) for one in messages], story.utc)
        attempts = [story.attempt(one) for one in messages]
        store.begin(attempts, story.now, story.utc)
        story.settle(*(story.answer(one.key, f"x{one.key.message_id}") for one in attempts))
        story.settle(*(story.receipt(f"x{one.id}") for one in messages))
        names = backup(data, tmp_path / "file")
        assert [Path(one).suffix for one in names] == [".db", ".db", ".packs"]
    (tmp_path / "back").mkdir()
    assert restore(tmp_path / "file", tmp_path / "back") == names
    with closing(open_store(tmp_path / "back", BOOT, START_UTC)) as store:
        assert len(store.history.find([one.id for one in messages])) == 120
    with pytest.raises(VaultError, match="exists; move"):
        restore(tmp_path / "file", tmp_path / "back")


def test_a_backup_is_whole_when_a_day_is_put_in_order_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    open_store(data, BOOT, START_UTC).close()
    day = datetime.fromtimestamp(START_UTC, UTC).date()
    records = [Record(Message(at, "shop", content=Content(b"long " * 99), final_utc=START_UTC)) for at in range(1, 200)]
    with closing(History(data)) as history:
        history.add(rows_by_day(map(seal, records)))
        copied = backups._copy_day

        def then_put_in_order(source: Path, target: Path, held: Path) -> None:
            copied(source, target, held)
            history.close_days(day + timedelta(days=2))

        monkeypatch.setattr(backups, "_copy_day", then_put_in_order)
        backup(data, tmp_path / "file")
    (tmp_path / "back").mkdir()
    restore(tmp_path / "file", tmp_path / "back")
    with closing(History(tmp_path / "back")) as history:
        assert len(history.find(range(1, 200))) == 199


def test_a_file_with_two_names_is_in_the_backup_as_it_is(tmp_path: Path) -> None:
    """What is held has two; an archive would store the second one as a link, which is nothing to restore."""
    data = tmp_path / "data"
    data.mkdir()
    open_store(data, BOOT, START_UTC).close()
    records = [Record(Message(at, "shop", content=Content(b"long " * 99), final_utc=START_UTC)) for at in range(1, 200)]
    with closing(History(data)) as history:
        history.add(rows_by_day(map(seal, records)))
        (packs,) = history.folder.glob("*.packs")
        (history.folder / packs.name.replace(".packs", "2.packs")).hardlink_to(packs)
    names = backup(data, tmp_path / "file")
    (tmp_path / "back").mkdir()
    assert restore(tmp_path / "file", tmp_path / "back") == names
    with closing(History(tmp_path / "back")) as history:
        assert len(history.find(range(1, 200))) == 199
