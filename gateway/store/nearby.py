"""Records are asked of memory some at a time before they are gone through, where that is compiled (`native.pyx`)."""

import os
from collections.abc import Callable

from gateway.store.record import Record
from protocol.hot import PURE_PYTHON

AT_ONCE = 15
"""Records whose pieces the nearest memory holds all together; msgpack has short heads for so many."""


def _nothing(_records: list[Record], _begin: int, _end: int) -> None:
    pass


prefetch: Callable[[list[Record], int, int], None] = _nothing
if not os.environ.get(PURE_PYTHON):
    try:
        from gateway.store import native
    except ImportError:
        pass
    else:
        prefetch = native.prefetch
