"""Children of tests and demo: the first line is waited for, the last one kept, nobody is left behind."""

import os
import sys

import pytest

from bench.processes import Child, ChildError


def python(code, **more):
    return Child([sys.executable, "-c", code], **more)


LISTEN = """
import json, signal, sys
print("not JSON"); print(json.dumps({"listening": 1}), flush=True)
signal.sigwait({signal.SIGTERM})
print(json.dumps({"done": True}), flush=True)
"""
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})" + LISTEN


def test_first_and_last_line():
    with python(BLOCKED) as child:
        assert child.first == {"listening": 1}
        assert child.end() == {"done": True}
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_child_that_says_nothing_is_killed():
    with pytest.raises(ChildError, match=r"no line within 0\.2 s"):
        python("import signal; signal.pause()", timeout_s=0.2)


def test_a_child_that_fails_shows_its_stderr():
    with pytest.raises(ChildError, match=r"(?s)ended with 3.*what went wrong"):
        python("import sys; print('what went wrong', file=sys.stderr); sys.exit(3)")


def test_a_child_that_will_not_end_is_killed():
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); signal.pause()"
    child = python(stubborn)
    with pytest.raises(ChildError, match="still running"):
        child.end(timeout_s=0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_leaving_the_block_ends_the_child():
    with python(BLOCKED) as child:
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_lines_in_between_can_be_read():
    with python("for number in range(3): print('{\"at\": %d}' % number, flush=True)") as child:
        assert [child.first, child.next_line(), child.next_line()] == [{"at": 0}, {"at": 1}, {"at": 2}]
        with pytest.raises(ChildError, match="ended with 0"):
            child.next_line()
        assert child.wait() == {"at": 2}
