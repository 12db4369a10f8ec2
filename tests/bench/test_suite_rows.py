"""The table of the suite: every target is about a figure that its row measures; runs that were not whole are no measurement."""

import pytest
from report_samples import whole_result

from bench.carrier.arrivals import ACCEPTED, REFUSED
from bench.carrier.arrivals import Arrivals as Writer
from bench.measure.figures import Figure
from bench.measure.result import ClassResult, Counts, Percentiles
from bench.suite import loads
from bench.suite.parts import PartError
from bench.suite.queued import Arrivals
from bench.suite.rows import parts, rows, targets_of
from bench.suite.targets import Target, Verdict, judge

LOADS = [row for row in rows() if row.name not in ("restart", "memory")]


def result_of(script, **more):
    """What a run of it could have given."""
    load = script.loads[-1]
    counts = Counts(*[load.messages or 500] * 3)
    one = ClassResult("verification", counts, *[Percentiles(5, 3, 1, 2, 3, 4, 5, 6, 7)] * 3)
    return whole_result(**({"total": one, "classes": [one], "ended_s": 4.0} | more))


@pytest.fixture
def performed(monkeypatch):
    """Scripts are not played but noted."""
    seen = []

    def perform(name, script, view):
        seen.append(script)
        return result_of(script), "", [Figure("idle.verification.carrier_p99_ms", 7.0, "ms", "lower")]

    monkeypatch.setattr(loads, "perform", perform)
    monkeypatch.setattr(loads, "raise_file_limit", lambda _: None)
    return seen


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("row", LOADS, ids=lambda row: row.name)
def test_every_target_is_about_a_figure_that_its_row_measures(performed, row, quick):
    measured = row.measure(quick, lambda _: None)
    names = [one.name for one in measured.figures]
    assert len(names) == len(set(names)) > 0
    assert {target.figure for target in row.targets} <= set(names)
    assert all(name.startswith(f"{row.name}.") for name in names)


def test_a_flood_counts_from_the_first_message_to_the_last_receipt_and_takes_the_median(performed, monkeypatch):
    ended, lost = iter([3.0, 6.0, 4.0]), iter([0, 2, 0])

    def perform(name, script, view):
        found = result_of(script, ended_s=next(ended))
        found.ledger.lost = next(lost)
        return found, "", []

    monkeypatch.setattr(loads, "perform", perform)
    embedded = next(row for row in LOADS if row.name == "smpp_embedded")
    found = {one.name: one for one in embedded.measure(False, lambda _: None).figures}
    assert found["smpp_embedded.per_s"].value == 60_000 / 4
    assert found["smpp_embedded.per_s"].runs == [20_000, 10_000, 15_000]
    assert found["smpp_embedded.lost"].value == 2, "the median of losses would hide one"


@pytest.mark.parametrize("name", ["ten_thousand", "open_5000", "slow_carrier", "smpp_memory"])
def test_rows_run_several_times_and_keep_their_runs(performed, monkeypatch, name):
    p99 = iter([10.0, 90.0, 30.0])

    def perform(name, script, view):
        performed.append(script)
        found = result_of(script, rate_accepted=next(p99), warnings=["busy"])
        found.total.accept = Percentiles(5, 3, 1, 2, 3, found.rate_accepted, 5, 6, 7)
        return found, "", []

    monkeypatch.setattr(loads, "perform", perform)
    row = next(row for row in LOADS if row.name == name)
    measured = row.measure(False, lambda _: None)
    found = {one.name.partition(".")[2]: one for one in measured.figures}
    wanders = found.get("accept_p99_ms") or found["accepted_per_s"]
    assert (wanders.value, wanders.runs) == (30, [10, 90, 30])
    assert measured.warnings == [f"round {at}: busy" for at in (1, 2, 3)]
    assert len(performed) == 3


def test_quick_loads_are_small_and_whole_ones_as_large_as_the_targets_say(performed):
    sizes = {}
    for row in LOADS:
        for quick in (True, False):
            performed.clear()
            row.measure(quick, lambda _: None)
            load = performed[0].loads[-1]
            sizes[row.name, quick] = (load.messages or load.rate * load.seconds, load.connections)
    assert sizes["smpp_embedded", False] == (60_000, 10)
    assert sizes["ten_thousand", False] == (60_000, 10_000)
    assert sizes["ten_thousand", True] == (5_000, 2_000)
    assert sizes["open_5000", False] == (100_000, 10)
    assert all(sizes[row.name, True][0] <= 15_000 for row in LOADS)


def test_aims_lie_beyond_targets_and_every_name_is_there_once():
    every = parts()
    names = [part.name for part in every]
    assert len(names) == len(set(names))
    assert {part.group for part in every} == {"codec", "store", "policy", "figures", "loop", "end-to-end", "api"}
    targets = targets_of(every)
    assert len(targets) == len({one.figure for one in targets}) >= 18
    for one in targets:
        assert one.reached(one.aim, one.bound), one
    assert targets_of([part for part in every if part.name == "memory"]) == [Target("memory.rss_mb", "<=", 400, 200)]


@pytest.mark.parametrize(
    ("comparison", "value", "held", "aimed"),
    [
        (">=", 30.0, True, True),
        (">=", 20.0, True, False),
        (">=", 19.9, False, False),
        ("<=", 20.0, True, False),
        ("<=", 20.1, False, False),
        ("<=", 5.0, True, True),
        (">=", None, False, False),
    ],
)
def test_a_target_holds_at_its_bound_and_without_a_value_never(comparison, value, held, aimed):
    target = Target("row.figure", comparison, 20.0, 30.0 if comparison == ">=" else 10.0)
    (verdict,) = judge([target], [] if value is None else [Figure("row.figure", value)])
    assert verdict == Verdict(target, value, verdict.runs)
    assert (verdict.held, verdict.aimed) == (held, aimed)


def test_a_run_that_did_not_go_through_is_no_measurement():
    messages = 990
    assert loads.checked(whole_result(), messages)
    with pytest.raises(PartError, match="990 of 1000"):
        loads.checked(whole_result(), 1000)
    with pytest.raises(PartError, match="the target died"):
        loads.checked(whole_result(failure="the target died"), None)
    with pytest.raises(KeyboardInterrupt):
        loads.checked(whole_result(warnings=["ended by hand after 3 s"]), None)


def test_arrivals_at_all_carriers_are_counted_once_each_and_those_again_told(tmp_path):
    writers = {name: Writer(tmp_path / name) for name in ("a", "b")}
    found = Arrivals({name: tmp_path / name for name in writers})
    assert not found.look()
    writers["a"].add("8613800000001", 5.0, ACCEPTED)
    writers["b"].add("8613800000002", 4.0, ACCEPTED)
    writers["b"].add("8613800000003", 3.0, REFUSED)
    for writer in writers.values():
        writer.flush()
    assert found.look()
    assert (len(found.seen), found.again, found.first, found.last) == (2, 0, 4.0, 5.0)
    writers["b"].add("8613800000001", 7.0, ACCEPTED)
    writers["b"].add("8613800000001", 7.5, ACCEPTED, 2, 2)
    for writer in writers.values():
        writer.close()
    assert found.look()
    assert (len(found.seen), found.again, found.first, found.last) == (3, 1, 4.0, 7.5)
    assert not found.look()
