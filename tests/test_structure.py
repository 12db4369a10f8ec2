"""The imports between the packages are as ARCHITECTURE.md says; decisions and protocol stay free of clocks, chance and I/O."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("protocol", "routing", "gateway", "bench", "config", "compiling")

MAY_IMPORT = {
    "protocol": set(),
    "config": set(),
    "routing": {"protocol", "config"},
    "gateway": {"protocol", "routing", "config"},
    "bench": {"protocol", "config"},
    "compiling": set(),
    "bench.micro": {"protocol", "routing", "gateway", "bench", "config"},
}
PURE = ("protocol", "routing", "config")
IMPURE = {"trio", "asyncio", "uvloop", "socket", "random", "secrets", "redis", "structlog", "logging", "threading", "time"}
LOOPLESS = ("gateway/link.py", "gateway/calls", "gateway/store")
LOOPS = {"trio", "asyncio", "uvloop", "anyio"}
CLOCK_CALLS = {"now", "utcnow", "today"}
LINES_MAX = 500


def modules(*places: str) -> list[Path]:
    found: list[Path] = []
    for place in places or PACKAGES:
        path = ROOT / place
        found += [path] if path.suffix else sorted(path.rglob("*.py"))
    return found


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "bench.micro" if parts[:2] == ("bench", "micro") else parts[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(), ids=name)
def test_packages_import_only_what_they_may(path: Path) -> None:
    package = package_of(path)
    allowed = MAY_IMPORT[package] | {path.relative_to(ROOT).parts[0]}
    strangers = {found for found in imports(path) if found.split(".")[0] in PACKAGES and found.split(".")[0] not in allowed}
    assert not strangers, f"{name(path)} ({package}) must not import {sorted(strangers)}"


@pytest.mark.parametrize("path", modules(*PURE), ids=name)
def test_decisions_have_no_clock_no_chance_no_io(path: Path) -> None:
    impure = {found for found in imports(path) if found.split(".")[0] in IMPURE}
    assert not impure, f"{name(path)} imports {sorted(impure)}: time and chance are arguments here"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            base = ast.unparse(node.func.value)
            assert base not in ("datetime", "date", "datetime.datetime"), f"{name(path)}:{node.lineno} reads a clock"


@pytest.mark.parametrize("path", modules(*LOOPLESS), ids=name)
def test_stores_and_link_belong_to_no_event_loop(path: Path) -> None:
    loops = {found for found in imports(path) if found.split(".")[0] in LOOPS}
    assert not loops, f"{name(path)} imports {sorted(loops)}: core and workers bridge it to their own loop"


@pytest.mark.parametrize("path", modules(), ids=name)
def test_core_and_api_do_not_know_each_other(path: Path) -> None:
    inside = name(path)
    for here, there in (("gateway/core", "gateway.api"), ("gateway/api", "gateway.core")):
        if inside.startswith(here):
            assert not [found for found in imports(path) if found.startswith(there)]


@pytest.mark.parametrize("path", modules(), ids=name)
def test_files_stay_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LINES_MAX, f"{name(path)} has {lines} lines: it holds more than one idea"


@pytest.mark.parametrize("path", modules(), ids=name)
def test_every_module_opens_with_its_rules(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name(path)} needs a docstring that says what it is for"
