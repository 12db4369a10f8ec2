"""Charts are well-formed, stay inside their drawing, show gaps as gaps and peaks as peaks, whatever they are given."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from report_samples import percentiles as some_percentiles

from bench.measure.result import Event, Percentiles
from bench.report.charts import COLUMNS_MAX, Series, bars, over_time, percentiles
from bench.report.frame import PLOT_HEIGHT, width_of
from bench.report.numbers import milliseconds, number, octets, seconds, share
from bench.report.scales import linear, logarithmic, of_time

unhurried = examples(deadline=None)
NAMES = st.text(max_size=60)
VALUES = st.none() | st.floats(0, 1e9, allow_nan=False)


def parsed(drawing):
    return ET.fromstring(drawing)


def box(drawing):
    return [float(each) for each in drawing.get("viewBox").split()]


def spans(drawing):
    """Of each text: its line, where it begins and ends, the words."""
    found = []
    for text in drawing.iter("text"):
        words = "".join(part for part in (text.text, *(child.tail for child in text)) if part)
        wide, at = width_of(words), float(text.get("x"))
        begin = at - {"end": wide, "middle": wide / 2}.get(text.get("text-anchor"), 0)
        found.append((float(text.get("y")), begin, begin + wide, words))
    return found


def assert_inside(drawing):
    _, _, wide, high = box(drawing)
    for y, begin, end, words in spans(drawing):
        assert -1 <= begin <= end <= wide + 1, words
        assert 8 <= y <= high, words
    for path in drawing.iter("path"):
        places = [float(one) for one in re.findall(r"[\d.]+", path.get("d"))]
        assert all(0 <= x <= wide for x in places[0::2])
        assert all(0 <= y <= high for y in places[1::2])


def assert_apart(drawing):
    for (y, _, end, words), (other_y, begin, _, others) in pairwise(sorted(spans(drawing))):
        assert y != other_y or end <= begin + 0.2, f"{words!r} meets {others!r}"


@unhurried
@given(
    st.lists(st.tuples(NAMES, st.lists(VALUES, min_size=5, max_size=5)), max_size=10),
    st.lists(st.tuples(st.floats(0, 100), NAMES), max_size=8),
    st.booleans(),
    st.integers(0, 5),
)
def test_any_values_and_names_draw_inside_the_box(named, marks, log, count):
    series = [Series(name, values[:count], area=not index) for index, (name, values) in enumerate(named)]
    events = [Event(at, text) for at, text in marks]
    drawing = parsed(over_time("Rate", range(count), series, log=log, events=events))
    assert_inside(drawing)
    assert_apart(drawing)
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label").startswith("Rate.")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 119, 121, 4000, 90_000])
def test_named_values_do_not_overlap(count):
    values = [float(at % 9 + 1) * 1000 for at in range(count)]
    events = [Event(count * part, f"something done {part}") for part in (0.1, 0.12, 0.5, 0.97, 1.0)]
    for log in (False, True):
        drawing = parsed(over_time("Rate", range(count), [Series("a", values), Series("b", values)], log=log, events=events))
        assert_inside(drawing)
        assert_apart(drawing)


def test_a_gap_is_a_gap_and_a_lonely_second_a_dot():
    drawing = parsed(over_time("Rate", range(7), [Series("a", [1.0, 2.0, None, None, 3.0, None, 0.0])]))
    assert [len(re.findall(r"[ML]", path.get("d"))) for path in drawing.iter("path")] == [2]
    assert len(list(drawing.iter("circle"))) == 2


def test_the_line_goes_where_the_values_are():
    drawing = parsed(over_time("Rate", range(3), [Series("a", [0.0, 50.0, 100.0])]))
    places = [float(one) for one in re.findall(r"[\d.]+", next(drawing.iter("path")).get("d"))]
    (x0, y0, x1, y1, x2, y2) = places
    assert y0 - y2 == pytest.approx(PLOT_HEIGHT, abs=0.2)
    assert (y1, x1) == (pytest.approx((y0 + y2) / 2, abs=0.2), pytest.approx((x0 + x2) / 2, abs=0.2))


def test_one_bad_second_of_an_hour_is_seen():
    values = [1.0] * 3600
    values[1801] = 1000.0
    drawing = parsed(over_time("Time", range(3600), [Series("max", values)], milliseconds, log=True))
    path = next(drawing.iter("path")).get("d")
    heights = [float(one) for one in re.findall(r"[\d.]+", path)[1::2]]
    assert max(heights) - min(heights) == pytest.approx(PLOT_HEIGHT, abs=0.2)
    assert len(heights) <= 2 * COLUMNS_MAX
    told = [title.text for title in drawing.iter("title")]
    assert len(told) <= COLUMNS_MAX
    assert any("max: 1 ms to 1 s" in text for text in told)


def test_each_event_has_a_line_and_labels_that_do_not_fit_are_left_out():
    events = [Event(5.0 + index / 1000, f"event number {index}") for index in range(9)]
    drawing = parsed(over_time("Rate", range(10), [Series("a", [1.0] * 10)], events=events))
    assert len([line for line in drawing.iter("line") if line.get("class") == "event"]) == 9
    labels = [words for *_, words in spans(drawing) if words.startswith("event number")]
    assert labels == [f"event number {index}" for index in range(4)]
    assert_apart(drawing)


def test_percentiles_show_only_what_the_sample_can_tell():
    def places(count):
        drawing = parsed(percentiles("Time", [("a", some_percentiles(count=count))]))
        assert_inside(drawing)
        assert_apart(drawing)
        return [title.text.split()[1] for title in drawing.iter("title")]

    assert places(1_000_000) == ["50", "90", "95", "99", "99.9", "99.99", "99.9999"]
    assert places(500) == ["50", "90", "95", "99", "99.8"]
    assert places(1) == ["0"]
    assert places(0) == []


@unhurried
@given(st.lists(st.builds(Percentiles, st.integers(0, 10**9), *[st.none() | st.floats(0, 1e7)] * 8), max_size=9))
def test_any_percentiles_draw(found):
    assert_inside(parsed(percentiles("Time", [(f"class {index}", one) for index, one in enumerate(found)])))


@unhurried
@given(st.lists(st.tuples(NAMES, st.none() | st.floats(0, 1)), max_size=8))
def test_any_bars_draw(rows):
    drawing = parsed(bars("Share", rows, share, most=1.0))
    assert_inside(drawing)
    assert_apart(drawing)
    assert len([one for one in drawing.iter("rect") if one.get("class") == "bar c0"]) == sum(v is not None for _, v in rows)


def test_bars_are_as_long_as_their_values_and_missing_ones_say_so():
    drawing = parsed(bars("Share", [("a", 1.0), ("b", 0.25), ("c", None)], share, most=1.0))
    full, quarter = (float(one.get("width")) for one in drawing.iter("rect") if one.get("class") == "bar c0")
    assert quarter == pytest.approx(full / 4, abs=0.1)
    assert "not measured" in [words for *_, words in spans(drawing)]


@unhurried
@given(st.floats(1e-5, 1e12))
def test_axes_hold_their_values_in_few_round_steps(most):
    scale = linear(most)
    assert scale.high >= most * 0.999
    assert 2 <= len(scale.ticks) <= 8
    decades = logarithmic(most / 1000, most)
    assert decades.low <= most / 1000 * 1.0001
    assert decades.high >= most * 0.9999
    assert 2 <= len(of_time(0, most).ticks) <= 12 or most < 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(0.01234), "0.0123"),
        (number(12345.6), "12,346"),
        (number(0), "0"),
        (milliseconds(0.05), "50 µs"),
        (milliseconds(1234), "1.23 s"),
        (share(1.0), "100 %"),
        (share(0.999999), "99.9999 %"),
        (share(0.00001), "0.001 %"),
        (share(0.3), "30 %"),
        (octets(131_000_000), "131 MB"),
        (seconds(3610), "60 min 10 s"),
    ],
)
def test_numbers_read_as_people_say_them(written, expected):
    assert written == expected


@unhurried
@given(st.floats(0, 1, exclude_min=True, exclude_max=True).filter(lambda one: 1e-9 < one < 1 - 1e-9))
def test_a_share_is_never_rounded_to_all_or_nothing(part):
    assert share(part) not in ("0 %", "100 %")
