"""The clocks of the core. Differences are taken on the boot clock, which no time service moves; UTC is for the record."""

import time
from functools import partial
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """`boot` names the boot in which `now` is comparable."""

    boot: str

    def now(self) -> float:
        """Seconds of the boot clock."""

    def utc(self) -> float:
        """Seconds since 1970."""


class SystemClock:
    """CLOCK_BOOTTIME where there is one (it counts while suspended), else the monotonic clock."""

    def __init__(self) -> None:
        clock_id = getattr(time, "CLOCK_BOOTTIME", None)
        self.now = time.monotonic if clock_id is None else partial(time.clock_gettime, clock_id)
        self.utc = time.time
        # Eight characters tell the boots of one machine apart, and every attempt stores them.
        self.boot = (
            _BOOT_ID.read_text(encoding="ascii")[:8] if _BOOT_ID.exists() else f"{int(time.time() - time.monotonic()):x}"
        )
