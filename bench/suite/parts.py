"""A suite is a list of parts. Each gives figures or fails; one that fails is named in the end, and the others still run."""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from bench.measure.figures import Figure
from bench.report.numbers import number

Say = Callable[[str], None]


class PartError(Exception):
    """A part did not measure what it is there for; the text is for the user."""


class Measured(NamedTuple):
    """What a part found. `warnings` are reasons not to trust it."""

    figures: list[Figure]
    warnings: Sequence[str] = ()


class Part(NamedTuple):
    """`group` is what the command line chooses by; a name does as well."""

    name: str
    group: str
    about: str
    measure: Callable[[bool, Say], Measured]
    """Told whether it must be quick, and where to say how far it is."""


class Outcome(msgspec.Struct):
    """Of all parts together."""

    figures: list[Figure] = []
    warnings: list[str] = []
    failures: dict[str, str] = {}
    """Why, by the part's name."""


def run_parts(parts: Sequence[Part], say: Say, *, quick: bool) -> Outcome:
    """One after the other. Only Ctrl-C ends it early."""
    outcome = Outcome()
    for at, part in enumerate(parts, 1):
        say(f"[{at}/{len(parts)}] {part.name}: {part.about}")
        start = time.monotonic()
        try:
            measured = part.measure(quick, say)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still worth their time
            outcome.failures[part.name] = f"{type(error).__name__}: {error}"
            say(traceback.format_exc().rstrip())
            say(f"      failed after {time.monotonic() - start:.0f} s")
            continue
        outcome.figures += measured.figures
        outcome.warnings += [f"{part.name}: {one}" for one in measured.warnings]
        found = ", ".join(
            f"{one.name.removeprefix(f'{part.name}.')} {number(one.value)} {one.unit}".strip() for one in measured.figures
        )
        say(f"      {time.monotonic() - start:.0f} s" + (f": {found}" if len(measured.figures) <= MANY else ""))
    return outcome


MANY = 12
"""More figures than this have been printed by the part itself."""


def choose(parts: Sequence[Part], only: str) -> list[Part]:
    """Those of the groups or names in `only`, separated by commas; all without any. Raises ValueError for a strange one."""
    words = {word for word in only.replace(" ", "").split(",") if word}
    known = {part.group: None for part in parts} | {part.name: None for part in parts}
    if strangers := words - known.keys():
        raise ValueError(f"--only {', '.join(sorted(strangers))}: there is {', '.join(known)}")
    return [part for part in parts if not words or words & {part.group, part.name}]
