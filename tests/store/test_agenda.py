"""What time brings: in order, once, at its time and not before; what is crossed out leaves nothing behind."""

from gateway.store.agenda import FRESH_MAX, Agenda, Due


def taken(agenda: Agenda, utc: float) -> list[tuple[Due, int]]:
    found = []
    while (one := agenda.take(utc)) is not None:
        found.append(one)
    return found


def test_it_comes_in_order_and_once() -> None:
    agenda = Agenda()
    for at, number in ((12.5, 1), (10.25, 2), (10.75, 3), (10.0, 4)):
        agenda.add(at, Due.EXPIRE, number)
    assert agenda.first() == 10.0
    assert not agenda.has_come(9.9)
    assert taken(agenda, 10.5) == [(Due.EXPIRE, 4), (Due.EXPIRE, 2)]
    assert agenda.first() == 10.75
    assert taken(agenda, 20.0) == [(Due.EXPIRE, 3), (Due.EXPIRE, 1)]
    assert agenda.first() is None
    assert len(agenda) == 0


def test_what_is_crossed_out_does_not_come() -> None:
    agenda = Agenda()
    agenda.add(10.5, Due.EXPIRE, 1)
    agenda.add(10.5, Due.NOTICE, 1)
    agenda.drop(10.5, Due.EXPIRE, 1)
    agenda.drop(10.5, Due.EXPIRE, 7)
    agenda.drop(99.0, Due.EXPIRE, 1)
    assert taken(agenda, 11.0) == [(Due.NOTICE, 1)]


def test_a_second_that_was_emptied_can_be_noted_again() -> None:
    agenda = Agenda()
    for number in range(3):
        agenda.add(10.5, Due.EXPIRE, number)
        agenda.drop(10.5, Due.EXPIRE, number)
        assert agenda.first() is None
        agenda.add(10.5, Due.EXPIRE, number)
        agenda.drop(10.5, Due.EXPIRE, number)
    agenda.add(10.5, Due.EXPIRE, 5)
    assert taken(agenda, 10.5) == [(Due.EXPIRE, 5)]
    assert not agenda.has_come(100.0)


def test_what_comes_while_others_are_taken_comes_too() -> None:
    agenda = Agenda()
    agenda.add(10.0, Due.EXPIRE, 1)
    agenda.add(10.1, Due.EXPIRE, 2)
    assert agenda.take(11.0) == (Due.EXPIRE, 1)
    agenda.add(10.05, Due.RELEASE, 3)
    assert sorted(taken(agenda, 11.0)) == [(Due.RELEASE, 3), (Due.EXPIRE, 2)]


def test_old_seconds_keep_what_is_left_in_them() -> None:
    agenda = Agenda()
    for second in range(2 * FRESH_MAX):
        agenda.add(second, Due.EXPIRE, second)
        agenda.add(second, Due.CLOSE, second)
        agenda.drop(second, Due.CLOSE, second)
    assert len(agenda) == 2 * FRESH_MAX
    assert taken(agenda, 1e9) == [(Due.EXPIRE, second) for second in range(2 * FRESH_MAX)]
