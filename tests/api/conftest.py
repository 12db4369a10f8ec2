"""Hypothesis without deadlines: these tests judge values, never time. Asyncio tests run on the loop of the workers."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def run() -> Run:
    """Runs a coroutine on uvloop; one that hangs fails."""

    def on_uvloop(what: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(30):
                return await what

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(bounded())

    return on_uvloop
