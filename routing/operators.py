"""Whose network a number is on: the longest prefix of a table, and numbers that are known to have moved.

The table is config/operators.toml; where numbers can be ported it is a default. One dictionary per length of prefix, longest
first: a look-up is a few slices.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import config

FILE = Path(config.__file__).parent / "operators.toml"
CN_DIGITS = 13


class Operator(NamedTuple):
    """A network; `virtual`: sold by somebody else than who runs it."""

    name: str
    virtual: bool


NOBODY = Operator("", False)


class Operators:
    """See the module. `ported`: numbers that are elsewhere than their prefix says."""

    def __init__(self, prefixes: Mapping[str, Operator], ported: Mapping[str, str] | None = None) -> None:
        by_length: dict[int, dict[str, Operator]] = {}
        for prefix, operator in prefixes.items():
            by_length.setdefault(len(prefix), {})[prefix] = operator
        self._tables = sorted(by_length.items(), reverse=True)
        self.ported: dict[str, Operator] = {number: Operator(name, False) for number, name in (ported or {}).items()}

    def of(self, number: str) -> Operator:
        """The operator of an E.164 number without plus; NOBODY for one the table does not know."""
        if self.ported and (moved := self.ported.get(number)) is not None:
            return moved
        if number.startswith("86") and len(number) != CN_DIGITS:
            return NOBODY  # a fixed line, or no number
        for length, table in self._tables:
            found = table.get(number[:length])
            if found is not None:
                return found
        return NOBODY


@cache
def shipped() -> dict[str, Operator]:
    """The table that comes with Tensec."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {prefix: Operator(one["name"], one.get("virtual", False)) for one in raw["operators"] for prefix in one["prefixes"]}
