"""`tensec number`: whose network numbers are on, and those that have moved."""

from pathlib import Path

import msgspec
from cyclopts import App

from gateway.calls.messages import AskNetwork, Done, Network, Port
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, csv_rows, fail, read_config, who

app = App(name="number", help="Whose network numbers are on.")
CHUNK = 1_000


@app.command
def show(number: str, *, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """The operator of an international number, as routes and scores see it."""
    found = call(read_config(config), AskNetwork(_plus(number)))
    assert isinstance(found, Network)
    if json:
        print(msgspec.json.encode(msgspec.structs.asdict(found)).decode())
        return
    notes = [note for note, holds in (("virtual", found.virtual), ("moved", found.moved)) if holds]
    operator, country = found.operator or "unknown operator", found.country or "-"
    print(f"+{found.number}  {operator}  country {country}  {' '.join(notes)}".rstrip())


@app.command
def move(number: str, operator: str, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Say with which operator a number is, whatever its prefix says. Stays so over a restart."""
    _port(config, [(number, operator)], why)


@app.command
def back(number: str, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Forget what was said of a number: the list of moved numbers (ported_file) counts, or its prefix."""
    _port(config, [(number, "")], why)


@app.command(name="import")
def import_(file: Path, *, why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Read moved numbers from a CSV file: number,operator. For very many, name the file as `ported_file` instead."""
    rows = [row for row in csv_rows(file) if row and not row[0].startswith("#")]
    if rows and rows[0][0].strip().lower() == "number":
        del rows[0]
    for at, row in enumerate(rows, 1):
        if len(row) != 2 or not all(one.strip() for one in row):
            fail(f"{file}: row {at}: number,operator is expected", 2)
    count = sum(
        _told(config, [(number.strip(), operator.strip()) for number, operator in rows[at : at + CHUNK]], why)
        for at in range(0, len(rows), CHUNK)
    )
    print(f"{count} of {len(rows)} numbers")


def _port(config: Path, moves: list[tuple[str, str]], why: str) -> None:
    if not _told(config, moves, why):
        fail(f"{moves[0][0]} is no number")


def _told(config: Path, moves: list[tuple[str, str]], why: str) -> int:
    ask = Port([(_plus(number), operator) for number, operator in moves], who(), why)
    answer = call(read_config(config), ask, errors_too=True)
    assert isinstance(answer, Done)
    return answer.count


def _plus(number: str) -> str:
    return f"+{number.removeprefix('+')}"
