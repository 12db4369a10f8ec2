"""Whether the modules on the messages' path are compiled (`compiling/`), and whether that is still right."""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

MANIFEST = Path(__file__).with_suffix(".json")
ROOT = MANIFEST.parent.parent
PACKAGES = ("protocol", "routing", "gateway")
BY_HAND = ("protocol.native", "gateway.store.native")
"""Written for the compiler, in place of Python that is there; they look for themselves whether objects are as they think."""
AGAIN = "`make compiled`, or `make pure` to run the Python"


class StaleError(Exception):
    """Compiled modules that must not run; the text says why, and what to do."""


def is_compiled() -> bool:
    """Whether they are, for this Python."""
    return bool(_manifest())


def look() -> None:
    """Raises StaleError when something has changed since these modules were compiled: a source that their code depends on,
    which of them there are, or where msgspec keeps the fields of structs.

    To be called before they are imported: they may not even fit each other.
    """
    found = _manifest()
    left = [name for name in _there() if name not in found.get("modules", ())]
    if left:
        raise StaleError(f"{_some(left)} compiled some other time: {AGAIN}")
    changed = [name for name, crc in found.get("sources", {}).items() if _crc(name) != crc]
    if changed:
        raise StaleError(f"{_some(changed)} changed since compiled: {AGAIN}")
    moved = [name for name, fields in found.get("layouts", {}).items() if not _is_laid_out_so(name, fields)]
    if moved:
        raise StaleError(f"msgspec {msgspec.__version__} keeps the fields of {_some(moved)} elsewhere: {AGAIN}")


def _there() -> list[str]:
    """Modules of ours that are compiled for this Python, but for the codec."""
    suffix = EXTENSION_SUFFIXES[0]
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob(f"*{suffix}"))
    names = (str(path.relative_to(ROOT)).removesuffix(suffix).replace(os.sep, ".") for path in paths)
    return sorted(name for name in names if name not in BY_HAND)


def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(MANIFEST.read_bytes()) if MANIFEST.exists() else {}
    return found if found.get("suffix") == EXTENSION_SUFFIXES[0] else {}


def _crc(name: str) -> int:
    source = ROOT / f"{name.replace('.', '/')}.py"
    return crc32(source.read_bytes()) if source.exists() else 0


def _is_laid_out_so(name: str, fields: Sequence[str]) -> bool:
    """Whether a struct's fields follow each other, behind the head of the object."""
    from protocol.native import offsets_of

    place, _, class_name = name.rpartition(".")
    try:
        offsets = offsets_of(getattr(import_module(place), class_name), fields)
    except (ImportError, AttributeError):
        return False
    return offsets == [object.__basicsize__ + at * tuple.__itemsize__ for at in range(len(offsets))]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
