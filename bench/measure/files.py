"""Files of results and suites: JSON for people as well as programs, with a number for its form."""

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec


class Formed(Protocol):
    """`form` is raised when a reader of the older one would misread it."""

    form: int


FormedT = TypeVar("FormedT", bound=Formed)


def read_formed(path: Path, kind: type[FormedT], newest: int, what: str) -> FormedT:
    """Read a file. Raises ValueError when it is no `what`, or of a form newer than `newest`."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no {what}: {error}") from None
    if found.form > newest:
        raise ValueError(f"{path} has form {found.form}, this version reads up to {newest}: use a newer tensec")
    return found


def write_formed(found: Formed, path: Path) -> None:
    """Write a file."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
