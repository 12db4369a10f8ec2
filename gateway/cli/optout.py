"""`tensec optout`: recipients that get no campaigns of an account, (--list blocked) nothing at all, (consent) agreed, or
(suppressed) are numbers that nothing arrives at.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from gateway.calls.messages import ChangeMembers, Done, ListMembers, MemberPage
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, csv_rows, fail, read_config, who

app = App(name="optout", help="Recipients that get no campaigns, or nothing at all.")
PAGE = 1_000
HELP = "optout: no campaigns; blocked: nothing; consent: who agreed, where it is required; suppressed: where nothing arrives."
Kind = Annotated[Literal["optout", "blocked", "consent", "suppressed"], Parameter(name="--list", help=HELP)]


@app.command
def add(*numbers: str, account: str, list_: Kind = "optout", why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Put recipients on the list."""
    _change(config, list_, account, list(numbers), [], why)


@app.command
def rm(*numbers: str, account: str, list_: Kind = "optout", why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Take recipients off the list."""
    _change(config, list_, account, [], list(numbers), why)


@app.command
def ls(*, account: str, list_: Kind = "optout", config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Every recipient on the list."""
    numbers = list(_all(config, list_, account))
    print(msgspec.json.encode(numbers).decode() if json else "\n".join(numbers))


@app.command
def export(file: Path, *, account: str, list_: Kind = "optout", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Write the list as CSV, with the column `number`."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["number"])
        writer.writerows([number] for number in _all(config, list_, account))


@app.command(name="import")
def import_(file: Path, *, account: str, list_: Kind = "optout", why: str = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Read recipients from a CSV file: the column `number`, or the first one."""
    rows = csv_rows(file)
    if not rows:
        fail(f"{file} is empty", 2)
    head = [name.strip().lower() for name in rows[0]]
    at = head.index("number") if "number" in head else 0
    body = rows[1:] if "number" in head else rows
    numbers = [row[at].strip() for row in body if len(row) > at and row[at].strip()]
    _change(config, list_, account, numbers, [], why or f"import of {file.name}")


def _change(config: ConfigPath, kind: str, account: str, add: list[str], remove: list[str], why: str) -> None:
    """In pieces, so that nobody waits for a long list; what is no number keeps the others back in none of them."""
    settings = read_config(config)
    changed, by = 0, who()
    for start in range(0, max(len(add), len(remove)), PAGE):
        end = start + PAGE
        answer = call(settings, ChangeMembers(kind, account, add[start:end], remove[start:end], by, why), errors_too=True)
        assert isinstance(answer, Done)
        if answer.error.startswith("no list"):
            fail(answer.error)
        changed += answer.count
    bad = len(add) + len(remove) - changed
    print(f"{changed} numbers" + (f", {bad} are no numbers" if bad else ""))
    if bad and not changed:
        sys.exit(1)


def _all(config: ConfigPath, kind: str, account: str) -> Iterator[str]:
    settings = read_config(config)
    after = ""
    while True:
        answer = call(settings, ListMembers(kind, account, after, PAGE))
        if not isinstance(answer, MemberPage):
            fail(f"no list {kind} of {account}")
        yield from (f"+{number}" for number in answer.numbers)
        if len(answer.numbers) < PAGE:
            return
        after = answer.numbers[-1]
