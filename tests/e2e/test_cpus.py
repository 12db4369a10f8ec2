"""`core.cpus`: the core stays on its CPUs with every thread, the API's workers take the others, and a wrong one is told."""

import os
import sys

import psutil
import pytest
from api_client import serve
from gateway_process import account, wait_for

CPUS = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
pytestmark = pytest.mark.skipif(len(CPUS) < 2, reason="one CPU, or a system that cannot choose")


def places(pid):
    """Of each thread, where it may run."""
    return [os.sched_getaffinity(int(one)) for one in os.listdir(f"/proc/{pid}/task")]


def test_the_core_stays_on_its_cpus_with_all_its_threads(start):
    gateway = start.gateway(accounts=[account()], core={"cpus": [CPUS[-1]]})
    found = places(gateway.pid)
    assert len(found) > 1
    assert all(one == {CPUS[-1]} for one in found)
    assert gateway.ask_reload() == []
    gateway.take_over(core={"cpus": []})
    gateway.wait_log("needs a restart to take effect", fields=["core.cpus"])


def test_workers_leave_the_cores_cpus_alone(start):
    api = serve(start, core={"cpus": CPUS[:1]})
    core, *workers = psutil.Process(api.gateway.pid).children()
    assert workers
    assert os.sched_getaffinity(core.pid) == set(CPUS[:1])
    for worker in workers:
        wait_for(lambda pid=worker.pid: os.sched_getaffinity(pid) == set(CPUS[1:]), "the worker to leave the core's CPU")


def test_without_it_everything_runs_anywhere(start):
    gateway = start.gateway(accounts=[account()])
    assert all(one == set(CPUS) for one in places(gateway.pid))


@pytest.mark.parametrize("others", [[], CPUS[:1]])
def test_a_cpu_that_is_not_there_is_told(start, others):
    gateway = start.gateway(started=False, accounts=[account()], core={"cpus": [4095, *others]})
    assert gateway.wait() == 1
    assert "core.cpus: there is no CPU 4095 here" in gateway.err.lines[-1]
    gateway.err.lines.clear()
