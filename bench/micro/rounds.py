"""What the micro benches share: rounds in turn, CPU time per item, and the figures they leave in a file.

Every job gets its own number of calls, so that a round takes about as long for each. Rounds are taken in turn, one of each job
after the other: a machine that slows down for a while slows all of them. A figure is the median of its rounds and keeps all.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.measure.figures import Better, Figure
from gateway.core.service import GC_THRESHOLDS, SWITCH_INTERVAL_S

ROUND_S = 0.1
"""CPU seconds one measurement takes, about."""
REPEATS = 7


class Job(NamedTuple):
    """Something to be measured. `cpu_s` gives the CPU seconds of so many calls, `items` is how many items a call handles."""

    name: str
    items: int
    cpu_s: Callable[[int], float]


def plain(name: str, items: int, call: Callable[[], object]) -> Job:
    """A job that is a function."""

    def cpu_s(calls: int) -> float:
        start = time.process_time()
        for _ in range(calls):
            call()
        return time.process_time() - start

    return Job(name, items, cpu_s)


def in_turn(jobs: Sequence[Job], repeats: int, round_s: float = ROUND_S) -> list[list[float]]:
    """CPU microseconds per item of each job's rounds."""
    calls = [_calls(job, round_s) for job in jobs]
    gc.collect()
    rounds = [[_us(job, count) for job, count in zip(jobs, calls, strict=True)] for _ in range(repeats)]
    return [list(column) for column in zip(*rounds, strict=True)]


def _us(job: Job, calls: int) -> float:
    return job.cpu_s(calls) * 1e6 / (calls * job.items)


def _calls(job: Job, round_s: float) -> int:
    """How many calls fill a round; the first ones warm up."""
    job.cpu_s(3)
    calls = 5
    while (taken := job.cpu_s(calls)) < round_s / 20:  # too short to tell from
        calls *= 4
    return max(1, round(calls * round_s / taken))


def figure(name: str, runs: Sequence[float], unit: str = "us", better: Better = "lower") -> Figure:
    """The median of rounds."""
    return Figure(name, statistics.median(runs), unit, better, list(runs))


def spread(runs: Sequence[float]) -> float:
    """Half the distance from the fastest to the slowest round, in per cent of the median."""
    return (max(runs) - min(runs)) / 2 / statistics.median(runs) * 100


def as_the_core() -> None:
    """Collect garbage and switch threads as rarely as the core does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def write_figures(figures: Sequence[Figure], path: Path | None) -> None:
    """For the standing suite; nowhere if nobody asked for it."""
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")


def options_for(parser: argparse.ArgumentParser) -> None:
    """What every micro bench takes."""
    parser.add_argument("--figures", type=Path, metavar="FILE", help="write the figures there too, as JSON")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: that it runs, not how fast")


def run_jobs(about: str, jobs: Callable[[], Sequence[Job]], items: str, arguments: Sequence[str] | None = None) -> None:
    """A whole command line for jobs: measure them, print a table, write figures named `<job's name>.us`."""
    parser = argparse.ArgumentParser(description=about)
    options_for(parser)
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"rounds per measurement (default {REPEATS})")
    options: Any = parser.parse_args(arguments)
    repeats, round_s = (3, ROUND_S / 5) if options.quick else (options.repeats, ROUND_S)
    as_the_core()
    made = jobs()
    found = [figure(f"{job.name}.us", runs) for job, runs in zip(made, in_turn(made, repeats, round_s), strict=True)]
    print(f"{f'CPU us per {items}':24} {'median':>9}")
    for one in found:
        print(f"{one.name.removesuffix('.us'):24} {one.value:9.2f} ±{spread(one.runs):.0f}%")
    write_figures(found, options.figures)
