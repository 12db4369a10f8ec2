"""Windows and caps that come with Tensec, by name (`windows.toml`, `caps.toml`)."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from config.policy import Cap, Window

FOLDER = Path(__file__).parent


@cache
def windows() -> dict[str, Window]:
    """Send windows by name."""
    raw = _read("windows.toml")
    return {name: msgspec.convert(one, Window) for name, one in raw.items()}


@cache
def caps() -> dict[str, list[Cap]]:
    """Sets of frequency caps by name."""
    return {name: msgspec.convert(one["caps"], list[Cap]) for name, one in _read("caps.toml").items()}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def window_of(window: Window) -> Window:
    """A window with its preset filled in; what it says itself counts. Raises KeyError for a preset there is not."""
    if not window.preset:
        return window
    preset = windows()[window.preset]
    own = {
        field.name: getattr(window, field.name)
        for field in msgspec.structs.fields(window)
        if getattr(window, field.name) != getattr(_PLAIN, field.name)
    }
    return msgspec.structs.replace(preset, **own)


_PLAIN = Window()
