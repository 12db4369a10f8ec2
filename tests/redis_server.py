"""A real Redis for tests: a folder of tests imports the fixtures `redis_server` and `redis_prefix` in its conftest."""

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from bench.redis_server import NoServerError, RedisServer


@contextlib.contextmanager
def started(**settings: str) -> Iterator[RedisServer]:
    """A server of one's own; skips the test when there is none on this machine."""
    try:
        server = RedisServer(**settings)
    except NoServerError as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The one that all tests share: only for those that leave it alone."""
    with started() as server:
        yield server


@pytest.fixture
def redis_prefix() -> str:
    """Keys nobody else has."""
    return f"t-{secrets.token_hex(4)}"
