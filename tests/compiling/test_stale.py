"""Compiled modules whose sources have changed, or whose structs are laid out otherwise, do not run."""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import msgspec
import pytest

from compiling.build import MANIFEST, write
from gateway import compiled
from protocol import hot

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a build of the sources here would leave."""
    write(ROOT, tmp_path)
    place = tmp_path / MANIFEST
    monkeypatch.setattr(compiled, "MANIFEST", place)
    return place


def changed(manifest: Path, **fields: object) -> None:
    manifest.write_bytes(msgspec.json.encode({**msgspec.json.decode(manifest.read_bytes()), **fields}))


def test_without_a_manifest_all_is_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MANIFEST", tmp_path / "none.json")
    monkeypatch.setattr(compiled, "ROOT", tmp_path)
    assert not compiled.is_compiled()
    compiled.look()


@pytest.mark.skipif(not hot.compiled, reason="nothing can be compiled here")
def test_what_is_of_these_sources_may_run(manifest: Path) -> None:
    assert compiled.is_compiled()
    compiled.look()


def test_a_source_that_has_changed_is_named(manifest: Path) -> None:
    sources = msgspec.json.decode(manifest.read_bytes())["sources"]
    changed(manifest, sources={**sources, "routing.plan": 1})
    with pytest.raises(compiled.StaleError, match=r"routing\.plan changed since compiled: `make compiled`"):
        compiled.look()


@pytest.mark.skipif(not hot.compiled, reason="nothing can be compiled here")
def test_a_struct_with_its_fields_elsewhere_is_named(manifest: Path) -> None:
    changed(manifest, layouts={"routing.records.Content": ["parts", "data"]})
    with pytest.raises(compiled.StaleError, match=r"keeps the fields of routing\.records\.Content elsewhere"):
        compiled.look()


def test_what_is_for_another_python_counts_as_nothing(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(manifest, suffix=".cpython-27m.so", sources={"routing.plan": 1})
    monkeypatch.setattr(compiled, "ROOT", tmp_path)
    assert not compiled.is_compiled()
    compiled.look()


def test_a_module_of_another_build_is_named(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is compiled no more, or all when the manifest is gone: they would be imported before the sources."""
    left = tmp_path / "routing" / f"pace{EXTENSION_SUFFIXES[0]}"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    monkeypatch.setattr(compiled, "ROOT", tmp_path)
    changed(manifest, modules=["routing.plan"], sources={}, layouts={})
    with pytest.raises(compiled.StaleError, match=r"routing\.pace compiled some other time"):
        compiled.look()
    manifest.unlink()
    with pytest.raises(compiled.StaleError, match=r"routing\.pace"):
        compiled.look()
