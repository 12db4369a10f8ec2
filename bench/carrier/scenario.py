"""Scenarios: a carrier's switches and how they change over time, as a TOML file.

    about = "One sentence."
    resp_latency = "10ms"          # any switch, spelled as on the command line
    from = "submit"                # the time line begins with the first submit (the default), or with the carrier: "start"
    repeat_s = 60                  # it starts over: switches as at the beginning, awake, open to connections and binds
    [[at]]
    seconds = 20
    resp_latency = "normal:3s,500ms"
    do = "drop"                    # one of actions.ACTIONS

A switch given on the command line wins over the one at the top of the file, not over the time line.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.carrier.actions import Change
from bench.carrier.options import Options
from bench.carrier.switches import read_change, read_switches

FOLDER = Path(__file__).parent.parent / "scenarios" / "carriers"
_OWN = ("about", "from", "repeat_s", "at")
_STEP = ("seconds", "do")


class ScenarioError(ValueError):
    """Everything that is wrong with a scenario, one line each, with the path of the key."""

    def __init__(self, source: str, errors: list[str]) -> None:
        super().__init__("\n".join(f"{source}: {error}" for error in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Step:
    """What changes `seconds` after the beginning."""

    seconds: float
    change: Change


@dataclass(frozen=True, slots=True)
class Scenario:
    """A carrier over time; without anything the plain one."""

    about: str = ""
    start: Literal["submit", "start"] = "submit"
    repeat_s: float = 0.0
    """0: the time line ends."""
    steps: tuple[Step, ...] = ()
    """By time."""
    options: Options = field(default_factory=Options)
    """The switches at the top, and the defaults."""
    spelled: Mapping[str, Any] = field(default_factory=dict)
    """The switches at the top as they stand in the file."""


def names() -> list[str]:
    """The scenarios that come with the carrier."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_file: str) -> Scenario:
    """A scenario by name, or from a file that ends in .toml. Raises ScenarioError."""
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
    elif name_or_file in names():
        path = FOLDER / f"{name_or_file}.toml"
    else:
        raise ScenarioError(name_or_file, [f"no such scenario, and no .toml file: {', '.join(names())}"])
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError(name_or_file, [str(error)]) from None
    return read(table, name_or_file)


def read(table: Mapping[str, Any], source: str) -> Scenario:
    """The scenario of a parsed file. Raises ScenarioError with all that is wrong."""
    errors: list[str] = []
    spelled = {key: value for key, value in table.items() if key not in _OWN}
    values = read_switches(spelled, "", errors, running=False)
    about = table.get("about", "")
    if not isinstance(about, str):
        errors.append("about: a sentence")
    start = table.get("from", "submit")
    if start not in ("submit", "start"):
        errors.append('from: "submit" or "start"')
    steps = _steps(table.get("at", []), errors)
    repeat_s = table.get("repeat_s", 0.0)
    if not _is_time(repeat_s):
        errors.append("repeat_s: a number of seconds")
    elif repeat_s and (not steps or repeat_s < steps[-1].seconds):
        errors.append("repeat_s: the time line must have [[at]], none of them later than this")
    if errors:
        raise ScenarioError(source, errors)
    return Scenario(about, start, float(repeat_s), steps, Options(**values), spelled)


def _steps(tables: Any, errors: list[str]) -> tuple[Step, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        errors.append("at: tables, each under [[at]]")
        return ()
    steps = []
    for number, table in enumerate(tables):
        where = f"at[{number}]."
        seconds = table.get("seconds")
        if not _is_time(seconds):
            errors.append(f"{where}seconds: {'a number of seconds' if 'seconds' in table else 'missing'}")
            seconds = 0.0
        switches = {key: value for key, value in table.items() if key not in _STEP}
        steps.append(Step(float(seconds), read_change(table, switches, where, errors)))
    return tuple(sorted(steps, key=lambda step: step.seconds))


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
