"""A CPU for the gateway alone, the others for load and carriers: what measures must not push what is measured off its CPU."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def apart() -> Iterator[tuple[int, ...]]:
    """Gives the gateway's CPUs: this thread, and what it starts meanwhile, leave them alone. None where there is but one."""
    if sys.platform != "linux" or len(all_ := os.sched_getaffinity(0)) < 2:
        yield ()
        return
    mine = min(all_)
    os.sched_setaffinity(0, all_ - {mine})
    try:
        yield (mine,)
    finally:
        os.sched_setaffinity(0, all_)
