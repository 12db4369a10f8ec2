"""Figures of a whole set of measurements, kept in a file to be compared with a later one."""

from pathlib import Path

import msgspec

from bench.measure.figures import Figure
from bench.measure.files import read_formed, write_formed
from bench.measure.result import Machine

FORM = 1
"""Raised when a reader of the older form would misread it."""


class About(msgspec.Struct):
    """When, of what, and where."""

    date: str
    """RFC 3339."""
    commit: str
    machine: Machine


class Suite(msgspec.Struct):
    """What was measured, under names that stay the same."""

    suite: About
    figures: list[Figure]
    failures: dict[str, str] = {}
    """Parts that failed, and why: their figures are missing for that reason and no other."""
    form: int = FORM


def read_suite(path: Path) -> Suite:
    """Read a suite. Raises ValueError when it is something else, or of a newer form."""
    return read_formed(path, Suite, FORM, "suite of figures")


def write_suite(suite: Suite, path: Path) -> None:
    """Write a suite, for people as well as programs."""
    write_formed(suite, path)
