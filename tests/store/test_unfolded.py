"""The journal is cut shorter a little at a time: one write that let ten thousand pages go held up everybody for 0.4 s."""

from gateway.store.unfolded import TRIM_MAX, TRIM_SHARE, Backlog


def test_many_pages_go_with_many_writes_and_none_that_is_needed():
    backlog = Backlog()
    backlog.messages.note(1, 10_000)
    number, kept, steps = 10_000, 0, []
    while backlog.must_trim(number):
        number += 1
        steps.append(backlog.trim(number) - kept)
        kept = backlog.kept_from
    assert max(steps) <= 10_000 // TRIM_SHARE
    assert min(steps) >= TRIM_MAX
    assert kept <= 10_000
    assert backlog.trim(number) == 10_000, "the last few go at once"
    assert not backlog.must_trim(number)


def test_a_few_pages_go_at_once():
    backlog = Backlog()
    backlog.rollups.note(("minute",), 5)
    assert backlog.trim(9) == 5
    backlog.rollups.drop(("minute",))
    assert backlog.trim(9) == 9


def test_after_a_recovery_what_is_needed_counts():
    backlog = Backlog()
    backlog.kept_from = 1_000_000
    backlog.messages.note(1, 990_000)
    assert backlog.trim(1_000_001) == 990_000
