"""Two measurements side by side: what is better, worse or within its own spread, and what must not be compared at all."""

import json
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import percentiles, second, whole_result

from bench.measure.figures import Figure
from bench.measure.result import Machine, write_result
from bench.measure.suite import About, Suite, read_suite, write_suite
from bench.report.change import change, spread
from bench.report.compare import compare, compare_command

unhurried = settings(deadline=None)
HERE = Machine("Linux", "3.11.9", 8, 0.2)
NUMBERS = st.floats(0.001, 1e9)
FIGURES = st.builds(
    Figure, st.just("x"), NUMBERS | st.just(0.0), st.sampled_from(["", "ms"]), st.sampled_from(["higher", "lower", "neither"]),
    st.lists(NUMBERS | st.just(0.0), max_size=8),
)  # fmt: skip


def ending(a, b, better="lower", unit="ms", runs_a=(), runs_b=()):
    return change(Figure("x", a, unit, better, list(runs_a)), Figure("x", b, unit, better, list(runs_b))).ending


def suite(path, figures, machine=HERE):
    write_suite(Suite(About("2026-01-02T03:04:05Z", "abc", machine), figures), path)
    return path


def result(path, **more):
    write_result(whole_result(**more), path)
    return path


@pytest.mark.parametrize(
    ("a", "b", "better", "expected"),
    [
        (100, 104, "lower", "same"),
        (100, 106, "lower", "worse"),
        (100, 94, "lower", "better"),
        (100, 106, "higher", "better"),
        (100, 94, "higher", "worse"),
        (100, 120, "neither", "changed"),
        (0, 0, "lower", "same"),
        (0, 1, "lower", "worse"),
        (1, 0, "lower", "better"),
    ],
)
def test_without_runs_a_change_counts_from_five_percent(a, b, better, expected):
    assert ending(a, b, better) == expected
    assert ending(a, b, better, runs_a=[a] * 9, runs_b=[b, b]) == expected  # two runs are none


@pytest.mark.parametrize(("a", "b", "expected"), [(0.9999, 0.9995, "same"), (0.999, 0.96, "worse"), (0.96, 0.999, "better")])
def test_shares_are_compared_by_points(a, b, expected):
    assert ending(a, b, "higher", "") == expected


def test_runs_tell_noise_from_change():
    noisy, quiet = [94, 97, 100, 103, 106], [99, 99.5, 100, 100.5, 101]
    assert ending(100, 103, runs_a=noisy, runs_b=[one * 1.03 for one in noisy]) == "within spread"
    assert ending(100, 97, runs_a=noisy, runs_b=[one * 0.97 for one in noisy]) == "within spread"
    assert ending(100, 120, runs_a=noisy, runs_b=[one * 1.2 for one in noisy]) == "worse"
    assert ending(100, 103, runs_a=quiet, runs_b=[one * 1.03 for one in quiet]) == "worse"
    assert ending(100, 97, runs_a=quiet, runs_b=[one * 0.97 for one in quiet]) == "better"


def test_a_change_under_a_hundredth_is_none_however_steady_the_runs():
    assert ending(1000, 1001, runs_a=[1000] * 9, runs_b=[1001] * 9) == "same"


def test_a_stall_that_the_median_second_does_not_show_is_still_worse():
    seconds = [4.8, 5.0, 5.2] * 20
    assert ending(5.0, 400.0, runs_a=seconds, runs_b=seconds) == "worse"


@pytest.mark.parametrize("count", [3, 4, 5, 10, 61])
def test_the_spread_is_that_of_drawing_the_runs_anew(count):
    chance = random.Random(count)
    a, b = ([chance.lognormvariate(1, 0.4) for _ in range(count)] for _ in range(2))
    middle = statistics.median(b) / statistics.median(a)
    drawn = sorted(
        statistics.median(chance.choices(b, k=count)) / statistics.median(chance.choices(a, k=count)) / middle
        for _ in range(4000)
    )
    low, high = spread(a, b)
    rank = [sum(one < edge for one in drawn) / len(drawn) for edge in (low, high)]
    rank_with = [sum(one <= edge for one in drawn) / len(drawn) for edge in (low, high)]
    assert rank[0] - 0.02 <= 0.05 <= rank_with[0] + 0.02
    assert rank[1] - 0.02 <= 0.95 <= rank_with[1] + 0.02


@unhurried
@given(FIGURES, FIGURES)
def test_a_verdict_never_contradicts_the_values(a, b):
    b.better, b.unit = a.better, a.unit
    found = change(a, b)
    assert found == change(a, b)  # seeded
    if found.ending in ("better", "worse"):
        rose = b.value > a.value
        assert b.value != a.value
        assert (found.ending == "better") == (rose == (b.better == "higher"))
    if found.low is not None:
        assert found.low <= found.high
        assert (found.ending == "within spread") == (found.low <= 1 <= found.high and a.value != b.value)
    if a.value == b.value:
        assert found.ending == "same"


@unhurried
@given(FIGURES, FIGURES)
def test_there_and_back_is_the_opposite(a, b):
    a.runs = b.runs = []
    a.unit = b.unit = "ms"
    a.better = b.better = "lower"
    there, back = change(a, b).ending, change(b, a).ending
    if max(a.value, b.value) > 1.06 * min(a.value, b.value):
        assert {there, back} == {"better", "worse"}


def test_suites_meet_by_name(tmp_path):
    a = suite(tmp_path / "a.json", [Figure("one", 100, "us", "lower"), Figure("gone", 1)])
    b = suite(tmp_path / "b.json", [Figure("new", 1), Figure("one", 50, "us", "lower")])
    found = compare(a, b)
    assert [(one.name, one.a, one.b, one.ratio, one.ending) for one in found.changes] == [("one", 100, 50, 0.5, "better")]
    assert (found.only_a, found.only_b, found.warnings) == (["gone"], ["new"], [])
    assert read_suite(a).suite.commit == "abc"
    assert set(json.loads(a.read_text())) == {"form", "suite", "figures"}


def test_runs_of_different_plans_and_machines_come_with_warnings(tmp_path):
    a = result(tmp_path / "a.json")
    other = whole_result(machine=Machine("Linux", "3.13.1", 4), failure="it broke", warnings=["busy"])
    other.plan.rate, other.plan.target = 200.0, "127.0.0.1:9999"
    write_result(other, tmp_path / "b.json")
    warnings = "\n".join(compare(a, tmp_path / "b.json").warnings)
    for words in (
        "rate is 100.0 in a and 200.0 in b",
        "python is 3.11.9",
        "cpus is 8",
        "run b did not finish: it broke",
        "b: busy",
    ):
        assert words in warnings
    assert "target" not in warnings  # another port is no other target


def test_a_run_equals_itself(tmp_path):
    a = result(tmp_path / "a.json")
    found = compare(a, a)
    assert {one.ending for one in found.changes} == {"same"}
    assert len(found.changes) > 50
    assert not found.only_a + found.only_b + found.warnings


def test_a_slower_run_is_worse_in_what_became_slower_and_nothing_else(tmp_path):
    slower = whole_result(length=20)
    slower.total.accept = percentiles(1.5)
    slower.seconds = [second(at, accept_p50_ms=1.5 + at % 3 / 100) for at in range(20)]
    write_result(slower, tmp_path / "b.json")
    found = compare(result(tmp_path / "a.json", length=20), tmp_path / "b.json")
    assert {one.name.rpartition("_p")[0] for one in found.changes if one.ending == "worse" and "_p" in one.name} == {"accept"}
    assert {one.ending for one in found.changes if not one.name.startswith("accept")} == {"same"}
    median = next(one for one in found.changes if one.name == "accept_p50_ms")
    assert 1 < median.low < median.ratio < median.high


def test_the_command_prints_a_table_or_json(tmp_path, capsys):
    a = suite(tmp_path / "a.json", [Figure("[red]one", 100, "us", "lower"), Figure("gone", 1)])
    b = suite(tmp_path / "b.json", [Figure("[red]one", 50, "us", "lower")], Machine("Darwin"))
    compare_command(a, b)
    printed = capsys.readouterr().out
    for words in (
        "[red]one",
        "100 us",
        "50 us",
        "0.5",
        "better",
        "only in a: gone",
        "machines differ: system is Linux",
        "1 better",
    ):
        assert words in printed
    compare_command(a, b, json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["changes"][0]["ending"] == "better"
    assert found["only_a"] == ["gone"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "no result of a load run and no suite"),
        ("[]", "no result of a load run and no suite"),
        ("{}", "no result of a load run"),
        ('{"suite": {}, "figures": []}', "no suite of figures"),
        ('{"form": 9, "suite": {"date": "", "commit": "", "machine": {}}, "figures": []}', "use a newer tensec"),
        (None, "No such file"),
    ],
)
def test_what_is_no_result_ends_with_2_and_says_so(tmp_path, capsys, text, message):
    good, bad = suite(tmp_path / "a.json", []), tmp_path / "b.json"
    if text is not None:
        bad.write_text(text)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(SystemExit) as ended:
            compare_command(*pair)
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert message in said.err
        assert "b.json" in said.err
        assert not said.out


def test_a_run_and_a_suite_are_not_compared(tmp_path, capsys):
    with pytest.raises(SystemExit):
        compare_command(result(tmp_path / "a.json"), suite(tmp_path / "b.json", []))
    assert "two of a kind" in capsys.readouterr().err
