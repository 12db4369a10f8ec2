"""What the vault certainly does not hold is not asked for; what it may hold always is."""

from contextlib import closing
from pathlib import Path

from story import BOOT, START_UTC, Story

from gateway.store import keyfilter
from gateway.store.base import Admission
from gateway.store.embedded.store import open_store
from gateway.store.keyfilter import KeyFilter
from gateway.store.missing import for_admission
from gateway.store.vault import Write
from routing.guards import Cell, Unique

KEYS = 20_000


def test_it_never_says_no_of_what_was_added(monkeypatch):
    """Through several layers, the last of them full."""
    monkeypatch.setattr(keyfilter, "FIRST_BITS", 1 << 12)
    monkeypatch.setattr(keyfilter, "MOST_BITS", 1 << 18)
    keys = [f"c86138{number:08d}" for number in range(KEYS)]
    found = KeyFilter()
    found.learnt()
    assert not any(map(found.may_hold, keys))
    found.add(keys[: KEYS // 2])
    found.add(keys[KEYS // 2 :])
    assert all(map(found.may_hold, keys))
    assert len(found._layers) > 3


def test_of_what_was_not_added_it_knows_nearly_all():
    found = KeyFilter()
    found.learnt()
    found.add(f"c86138{number:08d}" for number in range(keyfilter.FIRST_BITS // keyfilter.BITS_OF_KEY))
    wrong = sum(found.may_hold(f"c86139{number:08d}") for number in range(KEYS))
    assert wrong < KEYS / 100


def test_what_is_added_again_takes_no_room(monkeypatch):
    monkeypatch.setattr(keyfilter, "FIRST_BITS", 1 << 12)
    found = KeyFilter()
    for _ in range(50):
        found.add(f"c86138{number:08d}" for number in range(100))
    assert len(found._layers) == 1


def test_with_too_many_it_gives_up_and_says_no_of_none(monkeypatch):
    monkeypatch.setattr(keyfilter, "FIRST_BITS", 1 << 12)
    monkeypatch.setattr(keyfilter, "MOST_BITS", 1 << 12)
    found = KeyFilter()
    found.learnt()
    found.add(f"c86138{number:08d}" for number in range(850))
    assert not found.is_full
    assert not found.may_hold("c")
    found.add(f"c86139{number:08d}" for number in range(850))
    found.learnt()
    found.add(["more"])
    assert (found.is_full, found.is_whole, found._layers) == (True, False, [])
    assert found.may_hold("c")


def test_before_all_keys_are_known_everything_may_be_there():
    found = KeyFilter()
    found.add(["a"])
    assert found.may_hold("b")


def once(key: str) -> Cell:
    return Cell(key, (Unique("once", START_UTC + 9_000),))


def test_who_is_new_is_not_asked_for_and_who_left_memory_is(tmp_path: Path) -> None:
    limits = {"fold_after_s": 0.0, "guards_max": 0}
    with closing(open_store(tmp_path, BOOT, START_UTC, **limits)) as store:
        story = Story(store)
        assert for_admission(store.book, [Admission(story.message(), (once("8613800000000"),))]) is None
        assert story.admit(story.message(), once("8613800000000")) is None
        assert "c8613800000000" not in store.book.guards.held
        wanted = for_admission(store.book, [Admission(story.message(), (once("8613800000000"),))])
        assert wanted is not None
        assert wanted.guards == ["c8613800000000"]
        assert story.admit(story.message(), once("8613800000000")) is not None, "it is brought, and refuses"
    with closing(open_store(tmp_path, BOOT, START_UTC, **limits)) as store:
        story = Story(store)
        story._ids = 9
        assert story.admit(story.message(), once("8613800000000")) is not None, "known again after a start"
        assert for_admission(store.book, [Admission(story.message(), (once("8613900000000"),))]) is None


def test_keys_come_whatever_their_number(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        Story(store).accepted()
        rows = b"{" + b",".join(b'"c%d":{}' % number for number in range(2_500)) + b"}"
        store.vault.write(Write(store.keeper.number + 1, b"1234", puts=[("guard", rows)]))
        pieces = list(store.vault.keys("guard"))
    assert len(pieces) == 3
    assert sorted(key for keys in pieces for key in keys) == sorted(f"c{number}" for number in range(2_500))
