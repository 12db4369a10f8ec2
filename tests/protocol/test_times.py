"""SMPP times: written ones read back, and any string is read or refused."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from protocol import times
from protocol.errors import ContentError

offsets = st.integers(-48, 48).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
moments = st.builds(
    lambda seconds, zone: datetime(1939, 1, 1, tzinfo=zone) + timedelta(seconds=seconds), st.floats(0, 3.12e9), offsets
)
smpp_strings = st.from_regex(r"[0-9]{15}[-+R]", fullmatch=True) | st.text(max_size=20)


@given(moments)
def test_an_absolute_time_is_the_same_moment_to_a_tenth_of_a_second(moment: datetime) -> None:
    written = times.absolute(moment)
    parsed = times.parse_time(written)
    assert isinstance(parsed, datetime)
    assert timedelta(0) <= moment - parsed < timedelta(seconds=0.1)
    assert times.resolve(written, moment) == parsed
    assert len(written) == 16


@given(st.integers(-10, 100 * 86400), moments)
def test_a_relative_time_is_the_same_span(seconds: int, now: datetime) -> None:
    expected = min(max(seconds, 0), 99 * 86400)
    assert times.resolve(times.relative(seconds), now) == now.astimezone(UTC) + timedelta(seconds=expected)


@given(smpp_strings, moments)
def test_any_string_is_a_time_or_refused(written: str, now: datetime) -> None:
    try:
        moment = times.resolve(written, now)
    except ContentError:
        return
    assert (moment is None) is (written == "")
    assert moment is None or moment.tzinfo is UTC


@given(st.integers(0, 12), st.integers(0, 99))
def test_a_relative_time_of_months_ends_inside_the_month(months: int, years: int) -> None:
    moment = times.resolve(f"{years:02d}{months:02d}00000000000R", datetime(2024, 1, 31, tzinfo=UTC))
    assert moment is not None
    assert (moment.year * 12 + moment.month - 1) - (2024 * 12) == years * 12 + months
    assert moment.day >= 28
