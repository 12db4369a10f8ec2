"""The event loop of the harness's processes: uvloop where it exists."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """For asyncio.Runner; None means asyncio's own."""
    try:
        import uvloop
    except ImportError:  # no wheel for this platform: slower, otherwise the same
        return None
    return uvloop.new_event_loop
