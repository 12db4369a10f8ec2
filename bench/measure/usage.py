"""CPU and memory of the target's processes, when they run on this machine."""

import contextlib
import platform
import time
from typing import NamedTuple

import psutil

from bench.measure.result import Machine


class Used(NamedTuple):
    """Sums over all processes, those that ended included."""

    at: float
    cpu_s: float
    rss_bytes: int


def listeners(port: int) -> list[int]:
    """Process ids that listen on a TCP port, as far as we may see them."""
    try:
        found = psutil.net_connections("tcp")
    except (psutil.AccessDenied, PermissionError):
        return []
    return sorted({one.pid for one in found if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid})


class Processes:
    """The target: the processes of `pids` and their children. A process that ends keeps its CPU time in the sum."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids
        self._cpu: dict[int, float] = {}
        self._roots = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._roots.append(psutil.Process(pid))

    def follow(self, pid: int) -> None:
        """Another process is the target, too: it was started again."""
        if pid not in self.pids:
            self.pids.append(pid)
            self._roots.append(psutil.Process(pid))

    def used(self) -> Used:
        """Since they were started."""
        rss = 0
        for root in self._roots:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                for one in (root, *root.children(recursive=True)):
                    times = one.cpu_times()
                    self._cpu[one.pid] = times.user + times.system
                    rss += one.memory_info().rss
        return Used(time.monotonic(), sum(self._cpu.values()), rss)


def this_machine(load_before: float) -> Machine:
    """Where this runs."""
    return Machine(platform.platform(), platform.python_version(), psutil.cpu_count() or 0, load_before)


def machine_load() -> float:
    """Load average of the last minute."""
    return float(psutil.getloadavg()[0])
