"""The load leaves the gateway a CPU while it measures, and takes it back afterwards."""

import os
import sys

import pytest

from bench.apart import apart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no other system can choose")


def test_this_process_leaves_one_cpu_and_comes_back() -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("one CPU")
    with apart() as given:
        assert len(given) == 1
        assert os.sched_getaffinity(0) == before - set(given)
    assert os.sched_getaffinity(0) == before


def test_one_cpu_is_shared() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with apart() as given:
            assert given == ()
            assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
