"""A suite of fakes: what fails is named and does not stop the rest; files are kept, chosen and compared by what they hold."""

import json
from functools import partial

import pytest

from bench.measure.figures import Figure
from bench.measure.result import Machine
from bench.measure.suite import About, Suite, read_suite, write_suite
from bench.suite import cli
from bench.suite.parts import Measured, Part, PartError, choose, run_parts
from bench.suite.targets import Target


def gives(name, value, quick, say):
    say(f"{name} is at work, {'quick' if quick else 'whole'}")
    return Measured([Figure(f"{name}.us", value, "us", "lower", [value] * 3)], ["the machine was busy"])


def breaks(error, quick, say):
    raise error


def fakes(error=None):
    broken = Part("second", "rows", "breaks", partial(breaks, error or PartError("it was dark")))
    first, third = (
        Part(name, group, "works", partial(gives, name, 2.0)) for name, group in (("first", "micro"), ("third", "rows"))
    )
    return [first, broken, third]


@pytest.mark.parametrize("error", [PartError("it was dark"), ZeroDivisionError("it was dark"), OSError("it was dark")])
def test_a_part_that_fails_is_named_and_the_others_run(error):
    said = []
    outcome = run_parts(fakes(error), said.append, quick=True)
    assert [one.name for one in outcome.figures] == ["first.us", "third.us"]
    assert list(outcome.failures) == ["second"]
    assert "it was dark" in outcome.failures["second"]
    assert outcome.warnings == ["first: the machine was busy", "third: the machine was busy"]
    assert "third is at work, quick" in said


def test_ctrl_c_ends_all_of_it():
    with pytest.raises(KeyboardInterrupt):
        run_parts(fakes(KeyboardInterrupt()), lambda _: None, quick=True)


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("", ["first", "second", "third"]),
        ("rows", ["second", "third"]),
        ("micro, third", ["first", "third"]),
        ("second", ["second"]),
    ],
)
def test_parts_are_chosen_by_group_or_name(only, names):
    assert [part.name for part in choose(fakes(), only)] == names


def test_a_strange_part_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"forth.*first.*third"):
        choose(fakes(), "first,forth")


def write(path, **values):
    figures = [Figure(name, value, "us", "lower") for name, value in values.items()]
    write_suite(Suite(About("2020-01-01T00:00:00Z", "", Machine()), figures), path)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command over fakes; gives (exit code, what it printed, the file it wrote or None)."""
    monkeypatch.setattr(cli, "parts", fakes)
    monkeypatch.setattr(cli, "targets_of", lambda _: [Target("first.us", "<=", 3, 1), Target("third.us", "<=", 1, 0.5)])
    monkeypatch.setenv("COLUMNS", "150")

    def command(**options):
        before = set(tmp_path.iterdir())
        with pytest.raises(SystemExit) as ended:
            cli.suite(out=tmp_path, **options)
        written = set(tmp_path.iterdir()) - before
        return ended.value.code, " ".join(capsys.readouterr().out.split()), written.pop() if written else None

    return command


def test_the_command_keeps_the_figures_names_the_failure_and_judges_the_targets(run):
    code, printed, path = run()
    assert code == 1
    assert "FAILED second: PartError: it was dark" in printed
    assert "first.us 2 2 to 2 <= 3 1 holds" in printed
    assert "third.us 2 2 to 2 <= 1 0.5 <<< NOT REACHED" in printed
    assert "1 of 2 hold, 0 reach their aim, 1 not reached, 1 parts failed" in printed
    assert "second part failed <<< FAILED" in printed, "in the table, too, though it has no target"
    found = read_suite(path)
    assert found.failures == {"second": "PartError: it was dark"}
    assert [(one.name, one.value, one.runs) for one in found.figures] == [("first.us", 2, [2] * 3), ("third.us", 2, [2] * 3)]
    assert found.suite.machine.cpus


def test_without_a_failure_the_command_ends_well_even_with_a_broken_target(run):
    code, printed, path = run(only="micro,third")
    assert code == 0
    assert "FAILED" not in printed
    assert path.stem.endswith("-micro-third")
    code, _, _ = run(only="nothing")
    assert code == 2


def test_figures_are_held_against_the_newest_earlier_file_of_all_parts(run, tmp_path):
    write(tmp_path / "2020-01-01T000000.json", **{"first.us": 9.0})
    write(tmp_path / "2020-01-02T000000.json", **{"first.us": 4.0, "gone.us": 1.0})
    write(tmp_path / "2020-01-03T000000-first.json", **{"first.us": 8.0})
    write(tmp_path / "2020-01-04T000000-quick.json", **{"first.us": 16.0})
    write(tmp_path / "2999-01-01T000000.json", **{"first.us": 32.0})
    (tmp_path / "notes.json").write_text(json.dumps("not a suite"))
    _, printed, written = run()
    written.unlink()  # else it is the earlier one of the runs below, when the second turned in between
    assert "first.us 4 us 2 us 0.5 better" in printed
    assert "third.us 2 us" in printed, "what the earlier file has not is shown with its value"
    assert "only in a: gone.us" in printed
    _, printed, _ = run(quick=True)
    assert "first.us 16 us 2 us 0.125 better" in printed
    write(tmp_path / "2020-01-05T000000.json", **{"first.us": 4.0, "second.us": 7.0, "gone.us": 1.0})
    _, printed, _ = run(only="first,second")
    assert "only in a: second.us" in printed, "a part that was asked for and failed has gone missing"
    assert "failed in b: second (PartError: it was dark)" in printed
    assert "gone.us" not in printed
    _, printed, _ = run(only="first")
    assert "first.us 4 us 2 us 0.5 better" in printed
    assert "gone.us" not in printed, "a part that was not asked for has not gone missing"


def test_targets_of_a_part_that_failed_are_not_silently_absent(run, monkeypatch):
    monkeypatch.setattr(cli, "targets_of", lambda _: [Target("second.us", "<=", 3, 1), Target("first.gone", "<=", 3, 1)])
    _, printed, _ = run()
    assert "second.us part failed <= 3 1 <<< FAILED" in printed
    assert "first.gone not measured <= 3 1 <<< FAILED" in printed
