"""One wake-up at a time, on an event loop: to some hundredths of a millisecond where the system can do that.

uvloop counts in whole milliseconds and looks at its clock once a turn: a delay of 20 ms takes 21 to 22 with it. Timers of Linux
are files: the loop waits for them as for a socket, without a thread and without turning while there is nothing to do.
"""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

_MONOTONIC, _NONBLOCK_CLOEXEC, _ABSOLUTE = 1, 0o2004000, 1


class Alarm(Protocol):
    """Calls its action once after the last `set`; `time` is the clock it goes by."""

    def time(self) -> float: ...

    def set(self, when: float) -> None: ...

    def close(self) -> None: ...


class LoopAlarm:
    """By the loop's own timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        self.time = loop.time
        self._loop = loop
        self._action = action
        self._handle: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        """At `when`, and not when it was told before."""
        self.close()
        self._handle = self._loop.call_at(when, self._action)

    def close(self) -> None:
        """Not any more."""
        if self._handle is not None:
            self._handle.cancel()


class _TimerSpec(ctypes.Structure):
    _fields_ = (("every_s", ctypes.c_long), ("every_ns", ctypes.c_long), ("at_s", ctypes.c_long), ("at_ns", ctypes.c_long))


class FineAlarm:
    """By a timer of the kernel's (timerfd_create(2)). Raises OSError where there is none."""

    time = staticmethod(time.monotonic)

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.POINTER(_TimerSpec), ctypes.c_void_p)
        self._spec = _TimerSpec()
        self._action = action
        self._loop = loop
        self._file = int(libc.timerfd_create(_MONOTONIC, _NONBLOCK_CLOEXEC))
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._file, self._ring)

    def set(self, when: float) -> None:
        """At `when`, and not when it was told before; a moment that is over comes at once."""
        spec = self._spec
        spec.at_s, spec.at_ns = divmod(max(1, int(when * 1e9)), 1_000_000_000)  # all zero would switch it off
        self._settime(self._file, _ABSOLUTE, spec, None)

    def _ring(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:  # set again meanwhile
            return
        self._action()

    def close(self) -> None:
        """Not any more."""
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1


def fine_alarm(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> Alarm:
    """The best there is on this system."""
    return FineAlarm(loop, action) if sys.platform == "linux" else LoopAlarm(loop, action)
