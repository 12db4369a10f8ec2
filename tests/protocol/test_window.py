"""The window against a plain model of it: every request is answered, told overdue or handed back, and none twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.commands import Command
from protocol.errors import WindowFullError
from protocol.window import SEQUENCE_MAX, Window

SUBMIT = int(Command.SUBMIT_SM)
steps = st.lists(st.sampled_from(("send", "send", "answer", "overdue", "alive", "own")), max_size=60)


@given(steps, st.integers(1, 5), st.sampled_from((1, 7, SEQUENCE_MAX - 3)), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_every_request_ends_once_and_slots_add_up(story: list[str], size: int, first: int, random: object) -> None:
    window = Window(size, first=first)
    open_now: dict[int, int] = {}
    held: set[int] = set()
    ended: list[int] = []
    for now, step in enumerate(story):
        sequence = window.take_sequence()
        assert 1 <= sequence <= SEQUENCE_MAX
        assert sequence not in open_now
        if step == "send":
            try:
                window.open(SUBMIT, [(sequence, now, now)], float(now))
                open_now[sequence] = now
            except WindowFullError:
                assert len(open_now) + len(held) == size
        elif step == "answer" and open_now:
            sequence = min(open_now)
            assert window.answer(sequence, Command.DATA_SM) is None
            answered = window.answer(sequence, SUBMIT)
            assert answered is not None
            assert (answered[0].token, answered[1]) == (open_now[sequence], False)
            assert window.answer(sequence, SUBMIT) is None
            ended.append(open_now.pop(sequence))
        elif step == "overdue":
            late = [pending.token for pending in window.overdue(float(now), 5.0)]
            assert late == [token for token in open_now.values() if token + 5 <= now]
            held |= set(late)
            open_now = {number: token for number, token in open_now.items() if token not in held}
        elif step == "alive":
            window.release_overdue(now)
            ended += held
            held.clear()
        elif step == "own":
            window.open_own(sequence, Command.ENQUIRE_LINK, "own", float(now), now)
            assert window.answer(sequence, Command.ENQUIRE_LINK) is not None
        assert window.free == size - len(open_now) - len(held)
        assert window.has_overdue is bool(held)
        assert window.oldest() == (min(open_now.values()) if open_now else None)
    unsent, unknown = window.give_back(10)
    assert sorted(unsent + unknown) == sorted(open_now.values())
    assert all(token > 10 for token in unsent)
    assert len(ended) == len(set(ended))


def test_late_answers_are_remembered_for_a_while_and_in_bounded_number() -> None:
    window = Window(100, late_s=60.0, late_max=3)
    for sequence in range(1, 6):
        window.open(SUBMIT, [(sequence, sequence, sequence)], float(sequence))
    assert len(window.overdue(100.0, 10.0)) == 5
    window.release_overdue(5)
    assert window.answer(1, SUBMIT) is None
    window.forget_late(62.9)
    assert window.answer(3, SUBMIT) is not None
    window.forget_late(64.0)
    assert window.answer(4, SUBMIT) is None
    answered = window.answer(5, SUBMIT)
    assert answered is not None
    assert answered[1] is True


def test_a_request_is_overdue_exactly_at_its_deadline_whatever_floats_round_to() -> None:
    """A clock that stops at the deadline would otherwise call again and again: 0.3 + 2.0 - 0.3 is less than 2.0."""
    window = Window(1)
    window.open(SUBMIT, [(1, "token", 1)], 0.3)
    assert len(window.overdue(0.3 + 2.0, 2.0)) == 1


def test_numbers_that_still_wait_are_skipped_when_they_come_round_again() -> None:
    window = Window(10, first=SEQUENCE_MAX)
    for sequence, at in ((1, 0.0), (SEQUENCE_MAX, 50.0)):
        window.open(SUBMIT, [(sequence, sequence, 0)], at)
    window.open_own(2, Command.ENQUIRE_LINK, "own", 0.0, 0)
    assert [pending.token for pending in window.overdue(50.0, 10.0)] == [1]
    assert window.take_sequence() == 3


def test_a_number_used_again_is_answered_for_the_new_request() -> None:
    window = Window(10)
    window.open(SUBMIT, [(1, "old", 1)], 0.0)
    window.overdue(10.0, 10.0)
    window.release_overdue(1)
    window.open(SUBMIT, [(1, "new", 2)], 20.0)
    answered = window.answer(1, SUBMIT)
    assert answered is not None
    assert (answered[0].token, answered[1]) == ("new", False)
    assert window.answer(1, SUBMIT) is None
