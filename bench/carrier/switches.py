"""Switches outside the command line: a TOML or JSON table in, values of Options out, every error with its path.

Values are spelled as on the command line (`resp_latency = "uniform:5ms-50ms"`), names with underscores or hyphens. What a
switch is called, takes and allows is said in Options and nowhere else.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from cyclopts import CycloptsError, Parameter, Token, convert

from bench.carrier.actions import ACTIONS, Change
from bench.carrier.options import FIXED, Options

_HINTS = {name: get_args(hint) for name, hint in get_type_hints(Options, include_extras=True).items()}


def read_switches(table: Mapping[str, Any], where: str, errors: list[str], *, running: bool) -> dict[str, Any]:
    """The values of a table of switches; what is wrong goes to `errors`. `running`: only what a running carrier can change."""
    found = {}
    for key, spelled in table.items():
        name, path = key.replace("-", "_"), f"{where}{key}"
        if name not in _HINTS:
            errors.append(f"{path}: {_unknown(key, _HINTS)}")
        elif running and FIXED in _HINTS[name]:
            errors.append(f"{path}: cannot change while the carrier runs")
        elif name in found:
            errors.append(f"{path}: given twice")
        else:
            try:
                found[name] = _convert(name, spelled)
            except ValueError as error:
                errors.append(f"{path}: {error}")
    return found


def read_change(table: Mapping[str, Any], switches: Mapping[str, Any], where: str, errors: list[str]) -> Change:
    """The change of one step or command: its `switches`, and the `do` of its `table`."""
    do = table.get("do")
    if do is not None and (not isinstance(do, str) or do not in ACTIONS):
        errors.append(f"{where}do: {_unknown(str(do), ACTIONS)}: {', '.join(ACTIONS)}")
    values = read_switches(switches, where, errors, running=True)
    if not switches and do is None:
        errors.append(f"{where.rstrip('.') or 'command'}: changes nothing")
    return Change(values, do)


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name.replace("-", "_"), known, 1)
    return f"unknown, {near[0]} is near" if near else "unknown"


def _convert(name: str, spelled: Any) -> Any:
    type_, *notes = _HINTS[name]
    parameter = next(note for note in notes if isinstance(note, Parameter))
    tokens = [Token(keyword=name, value=text) for text in _tokens(type_, spelled)]
    converter: Any = parameter.converter
    try:
        value = converter(type_, tokens) if converter is not None else convert(type_, tokens)
        checks: Any = parameter.validator  # a tuple, whatever was given
        for check in checks:
            check(type_, value)
    except CycloptsError as error:
        raise ValueError(str(error).partition("\n")[2] or str(error)) from None
    return value


def _tokens(type_: Any, spelled: Any) -> Iterator[str]:
    """What would stand on the command line."""
    several = spelled if isinstance(spelled, list) else [spelled]
    if len(several) != 1 and getattr(type_, "__origin__", None) is not tuple:
        raise ValueError("takes one value")
    for one in several:
        if isinstance(one, bool) != (type_ is bool) or not isinstance(one, str | int | float):
            raise ValueError(f"{one!r}: takes {'true or false' if type_ is bool else 'a string or a number'}")
        yield str(one).lower() if type_ is bool else str(one)
