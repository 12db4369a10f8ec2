"""Hypothesis without deadlines: these tests judge values, never time."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from config.loader import ConfigError, load
from config.schema import Config

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

Errors = Callable[..., list[str]]
Loaded = Callable[..., Config]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """`loaded(toml, environ)` is the configuration."""

    def read(toml: str, environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "tensec.toml"
        path.write_text(toml, encoding="utf-8")
        return load(path, environ or {})

    return read


@pytest.fixture
def errors(loaded: Loaded) -> Errors:
    """`errors(toml, environ)` is every error of a file that must not load."""

    def read(toml: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(toml, environ)
        return caught.value.errors

    return read
