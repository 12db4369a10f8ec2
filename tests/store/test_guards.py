"""The guard book alone: asking changes nothing, times stay in order."""

import pytest

from gateway.store.changes import Changes
from gateway.store.guards import GuardBook, useful
from routing.guards import Guard, Mark, Member, Spend, Unique, Window

UTC = 1_000.0


@pytest.fixture
def book() -> GuardBook:
    return GuardBook(Changes())


ASKED: list[Guard] = [
    Unique("k", UTC + 9),
    Window("w", 1, 60.0),
    Window("w", 1, 60.0, UTC + 500),
    Member("s", "1"),
    Member("s", "1", must_be=True),
    Spend("p", 5),
    Mark("k", 9.0),
]


@pytest.mark.parametrize("guard", ASKED, ids=repr)
@pytest.mark.parametrize("before", [False, True], ids=["fresh", "used"])
def test_asking_whether_it_would_pass_changes_nothing(book: GuardBook, guard: Guard, before: bool) -> None:
    if before:
        book.members("s", add=["1"])
        book.fund("p", 7)
        book.check((Unique("k", UTC - 1), Window("w", 1, 60.0)), UTC - 100)
    held, sums = {key: list(times) for key, times in book.held.items()}, dict(book.sums)
    book.changes.take()
    answers = [book.would_pass(guard, UTC) for _ in range(3)]
    assert (book.held, book.sums) == (held, sums)
    assert not book.changes
    assert set(answers) == {book.check((guard,), UTC) is None}, "and it is what admitting would say"


def test_times_stay_in_order_with_those_that_come_later(book: GuardBook) -> None:
    for at in (0.0, UTC + 500, 0.0, UTC + 300):
        assert book.check((Window("w", 9, 60.0, at),), UTC) is None
    (key,) = book.held
    assert book.held[key] == [UTC, UTC, UTC + 300, UTC + 500]
    assert useful(key, book.held[key], UTC + 559)
    assert not useful(key, book.held[key], UTC + 561)
