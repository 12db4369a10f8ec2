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
    wanted = set(cpus)
    try:
        os.sched_setaffinity(0, wanted)
        strange = wanted - os.sched_getaffinity(0)  # the system takes those it has, and is silent about the others
    except OSError:
        strange = wanted
    if strange:
        raise CpuError(
            f"core.cpus: there is no CPU {', '.join(map(str, sorted(strange)))} here, or this process may not use it"
        )


def leave(cpus: Collection[int]) -> None:
    """This process to others than `cpus`, where it may use any."""
    if sys.platform == "linux" and (others := os.sched_getaffinity(0) - set(cpus)):
        os.sched_setaffinity(0, others)
