"""One side of a comparison: a file, or several that measured the same, with a figure for all of them together.

The unit is a whole run. Seconds of one run resemble each other, for they share its connections, its memory and its hour; two
runs differ by more than that. So a figure of several runs is their median with the runs beside it, and a figure of one load
run has no spread. The rounds of one suite are runs, too, but all of one sitting.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.measure.figures import Figure, figures
from bench.measure.result import Machine, Result, read_result
from bench.measure.suite import Suite, read_suite


class Side(NamedTuple):
    """What was found under one name of the command line."""

    name: str
    runs: Sequence[Result | Suite]

    @property
    def is_suite(self) -> bool:
        return isinstance(self.runs[0], Suite)

    @property
    def machines(self) -> list[Machine]:
        return [one.machine if isinstance(one, Result) else one.suite.machine for one in self.runs]

    @property
    def results(self) -> list[Result]:
        return [one for one in self.runs if isinstance(one, Result)]

    @property
    def failures(self) -> dict[str, str]:
        """Parts of a suite that failed, and why."""
        return {name: why for one in self.runs if isinstance(one, Suite) for name, why in one.failures.items()}

    def figures(self) -> dict[str, Figure]:
        """Of all runs together, by name."""
        found = [_figures(one) for one in self.runs]
        if len(found) == 1:
            return found[0]
        names = dict.fromkeys(name for one in found for name in one)
        return {name: together([one[name] for one in found if name in one]) for name in names}

    def gaps(self) -> Iterator[str]:
        """Figures that only some of the runs have."""
        counts = Counter(name for one in self.runs for name in _figures(one))
        for name, count in counts.items():
            if count < len(self.runs):
                yield f"{name} was measured in {count} of {len(self.runs)} runs"


class _Kind(msgspec.Struct):
    """Tells a suite from a result."""

    suite: Any = None


def read_side(given: Path) -> Side:
    """A file; a folder with one, or with folders that have one each; or several of these with commas between.

    Raises ValueError when there are no results or not of one kind, OSError when they cannot be read.
    """
    words = [given] if given.exists() else [Path(word.strip()) for word in str(given).split(",") if word.strip()]
    paths = [path for word in words for path in (_inside(word) if word.is_dir() else [word])]
    runs = [_read(path) for path in paths]
    if len({type(one) for one in runs}) > 1:
        raise ValueError(f"{given} holds load runs and suites: compare two of a kind")
    return Side(str(given), runs)


def together(found: Sequence[Figure]) -> Figure:
    """The median of runs; of what must not happen at all the worst of them, for a median would hide one loss."""
    first = found[0]
    values = [one.value for one in found]
    must_not_be = first.better == "lower" and not first.unit
    value = max(values) if must_not_be else statistics.median(values)
    return Figure(first.name, value, first.unit, first.better, values)


def _inside(folder: Path) -> list[Path]:
    found = [folder / "result.json"] if (folder / "result.json").is_file() else sorted(folder.glob("*/result.json"))
    found = found or sorted(folder.glob("*.json"))
    if not found:
        raise ValueError(f"{folder} holds no result.json, nor does a folder in it: name a file, or the --out of a run")
    return found


def _figures(found: Result | Suite) -> dict[str, Figure]:
    return {one.name: one for one in (figures(found) if isinstance(found, Result) else found.figures)}


def _read(path: Path) -> Result | Suite:
    try:
        kind = msgspec.json.decode(path.read_bytes(), type=_Kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no result of a load run and no suite: {error}") from None
    return read_result(path) if kind.suite is None else read_suite(path)
