"""Two measurements side by side: what is better, worse or within its own spread, and what must not be compared at all."""

import json
import random
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import percentiles, second, whole_result

from bench.measure.figures import Figure
from bench.measure.result import Machine, Reconciled, write_result
from bench.measure.suite import About, Suite, read_suite, write_suite
from bench.report.change import OF_ONE_SITTING, change, spread
from bench.report.compare import compare, compare_command
from bench.report.sides import read_side

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
    ("a", "b", "better", "unit", "expected"),
    [
        (100, 100.5, "lower", "us", "same"),
        (100, 120, "lower", "us", "within margin"),
        (100, 82, "lower", "us", "within margin"),
        (100, 126, "lower", "us", "worse"),
        (100, 79, "lower", "us", "better"),
        (100, 126, "higher", "/s", "better"),
        (100, 79, "higher", "/s", "worse"),
        (100, 145, "lower", "ms", "within margin"),
        (100, 68, "lower", "ms", "within margin"),
        (100, 151, "lower", "ms", "worse"),
        (100, 66, "lower", "ms", "better"),
        (100, 200, "neither", "", "changed"),
        (0, 0, "lower", "", "same"),
        (0, 1, "lower", "", "worse"),
        (1, 0, "lower", "", "better"),
    ],
)
def test_without_runs_only_a_change_beyond_a_wide_margin_counts(a, b, better, unit, expected):
    assert ending(a, b, better, unit) == expected
    assert ending(a, b, better, unit, runs_a=[a] * 9, runs_b=[b, b]) == expected  # two runs are none


@pytest.mark.parametrize(
    ("a", "b", "alone", "of_runs"),
    [
        (0.9999, 0.9995, "same", "same"),
        (0.999, 0.992, "within margin", "worse"),
        (0.999, 0.96, "worse", "worse"),
        (0.96, 0.999, "better", "better"),
    ],
)
def test_shares_are_compared_by_points(a, b, alone, of_runs):
    assert ending(a, b, "higher", "") == alone
    assert ending(a, b, "higher", "", runs_a=[a] * 3, runs_b=[b] * 3) == of_runs


def test_runs_tell_noise_from_change():
    noisy, quiet = [94, 97, 100, 103, 106], [99, 99.5, 100, 100.5, 101]
    assert ending(100, 103, runs_a=noisy, runs_b=[one * 1.03 for one in noisy]) == "within spread"
    assert ending(100, 97, runs_a=noisy, runs_b=[one * 0.97 for one in noisy]) == "within spread"
    assert ending(100, 120, runs_a=noisy, runs_b=[one * 1.2 for one in noisy]) == "worse"
    assert ending(100, 103, runs_a=quiet, runs_b=[one * 1.03 for one in quiet]) == "worse"
    assert ending(100, 97, runs_a=quiet, runs_b=[one * 0.97 for one in quiet]) == "better"


def test_a_change_under_a_hundredth_is_none_however_steady_the_runs():
    assert ending(1000, 1001, runs_a=[1000] * 9, runs_b=[1001] * 9) == "same"


def test_rounds_of_one_sitting_need_a_margin_beside_their_spread():
    a, b = (Figure("x", value, "us", "lower", [value] * 9) for value in (100, 108))
    assert change(a, b).ending == "worse"
    assert change(a, b, OF_ONE_SITTING).ending == "within margin"


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
    if max(a.value, b.value) > 1.51 * min(a.value, b.value):
        assert {there, back} == {"better", "worse"}


def test_suites_meet_by_name(tmp_path):
    a = suite(tmp_path / "a.json", [Figure("one", 100, "us", "lower"), Figure("gone", 1)])
    b = suite(tmp_path / "b.json", [Figure("new", 1), Figure("one", 50, "us", "lower")])
    found = compare(a, b)
    assert [(one.name, one.a, one.b, one.ratio, one.ending) for one in found.changes] == [("one", 100, 50, 0.5, "better")]
    assert (found.only_a, found.only_b, found.warnings) == (["gone"], ["new"], [])
    assert read_suite(a).suite.commit == "abc"
    assert set(json.loads(a.read_text())) == {"form", "suite", "figures", "failures"}


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


def runs(folder, *medians_ms, rate=100.0):
    """A folder of runs, as several `--out` of the same load leave it."""
    for at, median_ms in enumerate(medians_ms):
        found = whole_result(length=5, rate_accepted=rate)
        found.total.accept = percentiles(median_ms)
        (folder / str(at)).mkdir(parents=True)
        write_result(found, folder / str(at) / "result.json")
    return folder


def endings(a, b):
    return {one.name: one.ending for one in compare(a, b).changes}


def test_the_seconds_of_one_run_are_no_spread(tmp_path):
    """Two runs of the same thing: steady within themselves, a fifth apart."""
    pair = []
    for name, median_ms in (("a", 1.0), ("b", 1.2)):
        found = whole_result(length=60)
        found.total.accept = percentiles(median_ms)
        found.seconds = [second(at, accept_p50_ms=median_ms + at % 3 / 100) for at in range(60)]
        write_result(found, tmp_path / f"{name}.json")
        pair.append(tmp_path / f"{name}.json")
    found = compare(*pair)
    assert {one.ending for one in found.changes} == {"same", "within margin"}
    assert not [one.name for one in found.changes if one.low is not None]
    assert "how far runs lie apart is unknown" in found.rules[0]
    assert "25 %" in found.rules[0]


def test_runs_are_the_unit_when_there_are_several(tmp_path):
    noisy = runs(tmp_path / "noisy", 1.0, 1.4, 1.2)
    again = runs(tmp_path / "again", 1.3, 1.1, 1.5)
    slower = runs(tmp_path / "slower", 2.0, 2.2, 2.1)
    assert endings(noisy, again)["accept_p50_ms"] == "within spread"
    found = compare(noisy, slower)
    assert {one.name.rpartition("_")[0] for one in found.changes if one.ending == "worse"} >= {"accept_p50"}
    assert {one.ending for one in found.changes if not one.name.startswith("accept")} == {"same"}
    (median,) = (one for one in found.changes if one.name == "accept_p50_ms")
    assert (median.a, median.b) == (1.2, 2.1)
    assert 1 < median.low < median.ratio < median.high
    assert not found.rules
    assert "(3 runs)" in found.a
    assert endings(noisy, runs(tmp_path / "two", 2.0, 2.2))["accept_p50_ms"] == "worse", "two runs: beyond the margin"
    assert compare(noisy, tmp_path / "two").rules


def test_a_side_is_a_file_a_folder_or_several_with_commas(tmp_path):
    folder = runs(tmp_path / "runs", 1.0, 2.0, 4.0)
    files = Path(",".join(str(folder / str(at) / "result.json") for at in range(3)))
    folders = Path(",".join(str(folder / str(at)) for at in range(3)))
    assert [len(read_side(one).runs) for one in (folder, files, folders, folder / "1", folder / "1" / "result.json")] == [
        3,
        3,
        3,
        1,
        1,
    ]
    assert read_side(files).figures() == read_side(folder).figures()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no result"):
        read_side(tmp_path / "empty")


def test_one_loss_in_many_runs_is_not_hidden_by_their_median(tmp_path):
    a = runs(tmp_path / "a", 1.0, 1.0, 1.0)
    b = runs(tmp_path / "b", 1.0, 1.0, 1.0)
    lossy = whole_result(ledger=Reconciled(carriers=2, accepted=990, lost=1))
    write_result(lossy, b / "1" / "result.json")
    assert endings(a, b)["lost"] == "worse"


def test_figures_that_only_some_runs_have_are_told(tmp_path):
    a, b = runs(tmp_path / "a", 1.0, 1.0, 1.0), runs(tmp_path / "b", 1.0, 1.0, 1.0)
    write_result(whole_result(target=None), b / "2" / "result.json")
    assert "b: cpu_us_per_message was measured in 2 of 3 runs" in compare(a, b).warnings


def test_suites_say_that_rounds_of_one_sitting_prove_little(tmp_path):
    a = suite(tmp_path / "a.json", [Figure("one", 100, "us", "lower", [99, 100, 101])])
    b = suite(tmp_path / "b.json", [Figure("one", 107, "us", "lower", [106, 107, 108])])
    found = compare(a, b)
    assert [one.ending for one in found.changes] == ["within margin"]
    assert "rounds of one sitting" in found.rules[0]


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
