"""The micro benches run and leave figures; how fast anything is, nobody asks here."""

import sys

import pytest

from bench.micro import figures, loop, policy
from bench.micro.rounds import Job, figure, in_turn
from bench.suite.micro import figures_of
from bench.suite.parts import PartError

SMALL = {
    "codec": "--quick",
    "store": "--stores memory,embedded --cases plain,guards --sizes 10 --rounds 1 --messages 300 --backlog 100",
    "policy": "--quick",
    "loop": "--quick",
    "figures": "--quick",
}
FIGURES = {
    "codec": "codec.decode.submit_sm_us",
    "store": "store.embedded.guards.10.us",
    "policy": "policy.screen.100.us",
    "loop": "loop.mailbox.100.us",
    "figures": "figures.ended.100.us",
}


@pytest.mark.parametrize("name", SMALL)
def test_a_bench_leaves_figures_in_the_form_of_the_suite(name):
    found = figures_of([sys.executable, "-m", f"bench.micro.{name}", *SMALL[name].split()])
    by_name = {one.name: one for one in found}
    assert len(by_name) == len(found)
    one = by_name[FIGURES[name]]
    assert (one.unit, one.better) == ("us", "lower")
    assert min(one.runs) <= one.value <= max(one.runs)
    assert all(one.value > 0 for one in found)


def test_a_bench_that_fails_is_no_measurement_whatever_it_wrote():
    writes = "import sys; open(sys.argv[-1], 'w').write('[]'); sys.exit(3)"
    with pytest.raises(PartError, match="ended with 3"):
        figures_of([sys.executable, "-c", writes])
    with pytest.raises(FileNotFoundError):
        figures_of([sys.executable, "-c", "pass"])


def test_a_figure_is_the_median_per_item_of_rounds_in_turn():
    order = []

    def costs(name, seconds):
        def cpu_s(calls):
            order.append(name)
            return calls * next(seconds)

        return Job(name, 10, cpu_s)

    warm = [1e-3, 1e-3]
    first = costs("first", iter([*warm, 1e-5, 9e-5, 2e-5]))
    second = costs("second", iter([*warm, 4e-5, 4e-5, 4e-5]))
    rounds = in_turn([first, second], 3, round_s=0.01)
    assert rounds[0] == pytest.approx([1, 9, 2])
    assert figure("first.us", rounds[0]).value == pytest.approx(2)
    assert order[-6:] == ["first", "second"] * 3


def test_every_size_of_the_decisions_and_of_the_loop_is_a_job():
    assert [job.name for job in policy.jobs()] == [
        f"policy.{what}.{size}" for what in ("signed", "screen", "rules", "plan", "guards", "anew") for size in policy.SIZES
    ]
    assert [job.name for job in loop.jobs()] == [f"loop.{what}.{size}" for what in ("mailbox", "wire") for size in loop.SIZES]
    assert [job.name for job in figures.jobs()] == [
        f"figures.{what}.{size}" for what in ("due", "ended", "written") for size in figures.SIZES
    ]
