"""The guard book alone: asking changes nothing, times stay in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.base import Admission
from gateway.store.book import Book
from gateway.store.changes import Changes
from gateway.store.guards import ENTRIES_MAX, FOREVER, UNIQUES_MAX, GuardBook, cell_key, each, useful
from gateway.store.missing import of_attempts
from routing.guards import Cell, Guard, Mark, Member, Spend, Unique, Window
from routing.records import Attempt, AttemptKey, Message

UTC = 1_000.0
CELL = Cell("1", (Member("t", ""), Unique("k", UTC + 9), Window("w", 2, 60.0)))


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
    CELL,
    Cell("1", (Member("s", ""), Window("w", 1, 200.0)), UTC + 5),
]


@pytest.mark.parametrize("guard", ASKED, ids=repr)
@pytest.mark.parametrize("before", [False, True], ids=["fresh", "used"])
def test_asking_whether_it_would_pass_changes_nothing(book: GuardBook, guard: Guard, before: bool) -> None:
    if before:
        book.members("s", add=["1"])
        book.fund("p", 7)
        book.check((Unique("k", UTC - 1), Window("w", 1, 60.0), CELL), UTC - 100)
    held, sums = dict(book.held), dict(book.sums)
    book.changes.take()
    answers = [book.would_pass((guard,), UTC) for _ in range(3)]
    assert (dict(book.held), book.sums) == (held, sums)
    assert not book.changes
    assert answers[0] == answers[1] == answers[2]
    assert [one for one, _ in answers[0]] == each((guard,))
    refused = next((one for one, passes in answers[0] if not passes), None)
    assert book.check((guard,), UTC) == refused, "and it is what admitting would say"


def test_times_stay_in_order_with_those_that_come_later(book: GuardBook) -> None:
    for at in (0.0, UTC + 500, 0.0, UTC + 300):
        assert book.check((Window("w", 9, 60.0, at),), UTC) is None
    ((times,),) = (entries.values() for entries in dict(book.held).values())
    assert times == (-60.0, UTC, UTC, UTC + 300, UTC + 500)
    assert useful(times, UTC + 559)
    assert not useful(times, UTC + 561)


# -- cells


def test_a_cell_takes_all_of_its_guards_or_none(book: GuardBook) -> None:
    assert book.check((CELL,), UTC) is None
    before = dict(book.held)
    for late in (Window("x", 1, 60.0), Unique("other", UTC + 9)):
        cell = Cell("1", (Window("y", 5, 60.0), late, Unique("k", UTC + 9)))
        assert book.check((cell,), UTC) == Unique("k", UTC + 9)
        assert dict(book.held) == before
    assert book.check((Cell("1", (Unique("new", UTC + 9),)), Window("full", 0, 60.0)), UTC) == Window("full", 0, 60.0)
    assert dict(book.held) == before, "and what came before it in the admission"


def test_what_a_cell_took_is_given_back_whole(book: GuardBook) -> None:
    book.check((Cell("1", (Window("w", 9, 60.0),)),), UTC - 5)
    before = dict(book.held)
    due = Cell("1", (Unique("k", UTC + 9), Window("w", 9, 60.0), Member("s", "")), at_utc=UTC + 300)
    assert book.check((due,), UTC) is None
    assert book.held["c1"]["w"] == (-60.0, UTC - 5, UTC + 300)
    book.release((due,), UTC)
    assert dict(book.held) == before


def test_a_guard_that_does_not_return_stays_taken_though_its_cell_does(book: GuardBook) -> None:
    cell = Cell("1", (Unique("k", UTC + 9, returns=False), Window("w", 1, 60.0)))
    assert book.check((cell,), UTC) is None
    book.release((cell,), UTC)
    assert book.check((cell,), UTC) == cell.guards[0]
    assert book.check((Cell("1", (cell.guards[1],)),), UTC) is None


def test_members_are_asked_about_by_the_cell_and_listed_by_their_set(book: GuardBook) -> None:
    inside, alone = Cell("1", (Member("s", ""),)), Member("s", "1")
    assert book.members("s", add=["1", "2"]) == 2
    assert book.members("s", add=["1"]) == 2
    assert book.check((inside,), UTC) == inside.guards[0]
    assert book.check((alone,), UTC) == alone
    assert book.still((inside,)) == inside.guards[0]
    assert book.members_here("s") == {"1": True, "2": True}
    assert book.members("s", remove=["1", "3"]) == 1
    assert book.members_here("s") == {"1": False, "2": True}
    assert book.check((inside, alone), UTC) is None


def test_a_cell_that_holds_lists_alone_is_asked_for_only_when_somebody_is_on_one() -> None:
    book = GuardBook(Changes(), complete=False)
    lists, counts = Cell("1", (Member("s", ""),)), Cell("1", (Member("s", ""), Window("w", 1, 60.0)))
    assert book.missing((lists,)) == []
    assert book.missing((counts,)) == ["c1"]
    assert book.missing((counts,), members_only=True) == []
    book.bring({"c2": {}})
    book.members("s", add=["2"])
    assert book.missing((lists, counts)) == ["c1", "c1"]
    assert book.missing((counts,), members_only=True) == ["c1"]
    book.bring({"c1": {"ms": [FOREVER]}})
    assert book.missing((lists, counts)) == []
    assert book.check((counts,), UTC) == counts.guards[0]


def test_a_recipient_of_thousands_of_texts_costs_no_more_than_one_of_a_few(book: GuardBook) -> None:
    for at in range(5_000):
        assert book.check((Cell("1", (Unique(f"k{at}", UTC + 9_000 + at), Window("w", 9_999, 10.0))),), UTC + at) is None
    assert len(book.held["c1"]) <= UNIQUES_MAX + ENTRIES_MAX
    assert book.check((Cell("1", (Unique("k4999", UTC + 99_999),)),), UTC + 5_000) is not None, "the latest are known"
    assert len(book.held["c1"]["w"]) <= 12


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["a", "b"]), st.booleans()), max_size=60))
def test_no_order_of_admissions_and_returns_lets_more_pass_than_the_limit(steps: list[tuple[int, str, bool]]) -> None:
    book = GuardBook(Changes())
    taken: dict[str, list[Cell]] = {"a": [], "b": []}
    for limit, number, back in steps:
        cell = Cell(number, (Window("w", 3, 60.0), Window(f"w{limit}", limit, 60.0)))
        if back and taken[number]:
            book.release((taken[number].pop(),), UTC)
        elif book.check((cell,), UTC) is None:
            taken[number].append(cell)
    for number, cells in taken.items():
        assert len(cells) <= 3
        assert len((book.held.get(f"c{number}") or {}).get("w", [0.0])) == len(cells) + 1 or not cells


@pytest.mark.parametrize("mark", [Mark("m", 60.0), None])
def test_a_cell_that_will_be_marked_is_brought_before_its_message_leaves(mark: Mark | None) -> None:
    """Else the mark would be all that is known of the recipient."""
    book = Book(alone=False)
    cell = Cell("1", (Window("w", 1, 60.0),), mark=mark)
    one = Message(1, "shop", destination="1", expires_utc=UTC + 60)
    assert book.admit([Admission(one, (cell,))], UTC) == [None]
    book.guards.forget([cell_key("1")])
    wanted = of_attempts(book, [Attempt(AttemptKey(1, 1, 1), 1, "a", 0, 0)])
    assert (wanted is not None and wanted.guards) == (mark is not None and [cell_key("1")])
