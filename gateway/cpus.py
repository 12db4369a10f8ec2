"""Which CPUs a process runs on: the core can have some to itself, and the API's workers take the others.

A core that has its CPU to itself keeps its caches warm and waits for nobody: BENCHMARKS.md says what that is worth.
"""

import os
import sys
from collections.abc import Collection


class CpuError(Exception):
    """It cannot run on these; the text says what to change."""


def run_on(cpus: Collection[int]) -> None:
    """This process, with all threads and processes it starts from now on. Raises CpuError."""
    if sys.platform != "linux":
        raise CpuError("core.cpus: only Linux can keep a process on some CPUs; leave it empty here")
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, ValueError):
        raise CpuError(
            f"core.cpus = {sorted(cpus)}: the system gives none of these; it has 0 to {(os.cpu_count() or 1) - 1}"
        ) from None


def leave(cpus: Collection[int]) -> None:
    """This process to others than `cpus`, where it may use any."""
    if sys.platform == "linux" and (others := os.sched_getaffinity(0) - set(cpus)):
        os.sched_setaffinity(0, others)
