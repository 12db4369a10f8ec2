"""The clocks of the core. Differences are taken on the boot clock, which no time service moves; UTC is for the record."""

import time
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
        self._id = getattr(time, "CLOCK_BOOTTIME", None)
        self.boot = (
            _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else f"boot-{time.time() - time.monotonic():.0f}"
        )

    def now(self) -> float:
        return time.monotonic() if self._id is None else time.clock_gettime(self._id)

    def utc(self) -> float:
        return time.time()
