"""The ten seconds, counted: shares of all that ended, by class and channel."""

from routing.sla import SlaBook


def delivered(book: SlaBook, class_: str, channel: str, since_due: float, since_written: float | None) -> None:
    tally = book.of(class_, channel)
    tally.final += 1
    tally.deliver(since_due, since_written)


def test_ten_seconds_are_within_and_what_was_not_delivered_is_not() -> None:
    book = SlaBook()
    for since_due, since_written in ((10.0, 1.0), (10.01, 10.0), (60.0, None)):
        delivered(book, "verification", "a", since_due, since_written)
    tally = book.tallies["verification", "a"]
    tally.final += 1
    assert (tally.final, tally.delivered, tally.within, tally.channel_within) == (4, 3, 1, 2)
    assert tally.share_within() == 0.25


def test_a_channel_is_the_sum_over_classes() -> None:
    book = SlaBook()
    delivered(book, "verification", "a", 1.0, 1.0)
    delivered(book, "marketing", "a", 20.0, 2.0)
    delivered(book, "marketing", "b", 1.0, 1.0)
    assert len(book.tallies) == 3
    total = book.of_channel("a")
    assert (total.final, total.delivered, total.within, total.channel_within) == (2, 2, 1, 2)


def test_nothing_ended_is_no_share() -> None:
    assert SlaBook().of_channel("a").share_within() is None
