"""The table of operators that comes with Tensec."""

import tomllib
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "operators.toml"


@cache
def table() -> dict[str, dict[str, bool]]:
    """By operator's name its prefixes, and whether these are sold by somebody else than who runs the network."""
    found: dict[str, dict[str, bool]] = {}
    for one in tomllib.loads(FILE.read_text(encoding="utf-8"))["operators"]:
        found.setdefault(one["name"], {}).update(dict.fromkeys(one["prefixes"], one.get("virtual", False)))
    return found
