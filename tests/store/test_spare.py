"""Guards leave memory when there are too many, and what cannot leave yet costs nothing."""

from pathlib import Path

from story import BOOT, START_UTC, Story

from gateway.store.changes import Changes
from gateway.store.embedded.store import open_store
from gateway.store.guards import GuardBook
from gateway.store.spare import SLACK, Spare
from gateway.store.unfolded import Unfolded
from routing.guards import Unique


def five() -> GuardBook:
    """Guards under five keys."""
    book = GuardBook(Changes())
    book.bring({key: {} for key in "abcde"})
    return book


class Asked(Unfolded):  # type: ignore[type-arg]
    """Counts how often it is asked for a key."""

    times = 0

    def __contains__(self, key: object) -> bool:
        self.times += 1
        return super().__contains__(key)


def test_what_has_no_row_yet_is_not_gone_through_with_every_write(tmp_path: Path) -> None:
    store = open_store(tmp_path, BOOT, START_UTC, fold_after_s=1_000, guards_max=10)
    asked = store.keeper._backlog.guards = Asked()
    story = Story(store)
    for number in range(100):
        story.admit(story.message(), Unique(f"key{number}", START_UTC + 500))
    assert len(store.book.guards.held) == 100, "none has a row"
    assert asked.times <= 100, "each was read before it was taken, and is asked about once"
    story.utc += 1_001
    store.commit(story.utc)
    story.admit(story.message(), Unique("one more", START_UTC + 5_000))
    assert len(store.book.guards.held) == 10, "all but the newest have left: they have rows, or are over"
    store.close()


def test_what_has_changed_since_it_got_its_row_stays() -> None:
    book = five()
    spare = Spare()
    unfolded: Unfolded[str] = Unfolded()
    spare.add(book.held)
    unfolded.note("a", 1)
    book.changes.guards.add("b")
    book.forget(["c"])
    assert spare.take(book, unfolded, 0) == ["d", "e"]
    assert spare.take(book, unfolded, 0) == [], "until they get rows again"
    spare.add(["b"])
    book.changes.guards.clear()
    assert spare.take(book, unfolded, 0) == ["b"]


def test_keys_that_get_rows_again_and_again_do_not_pile_up() -> None:
    book = five()
    spare = Spare()
    unfolded: Unfolded[str] = Unfolded()
    for _ in range(SLACK):
        spare.add(book.held)
        assert spare.take(book, unfolded, 100) == []
    assert len(spare) <= 2 * len(book.held) + SLACK + len(book.held)
