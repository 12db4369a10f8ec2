"""Logs tell what happened and never what was said, to whom, or with which password."""

import json
import subprocess
import sys

import pytest

from gateway.log import Repeated, mask

CRASH = """
from config.schema import Log
from gateway import log
log.configure(Log(format="{format}"))
def deliver(text, number, password):
    raise RuntimeError("a bug")
try:
    deliver("SECRETTEXT", "8613800138000", "hunter22")
except RuntimeError:
    log.logger(peer="127.0.0.1").exception("bug: session closed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_holds_no_local_variables(form: str) -> None:
    script = CRASH.replace("{format}", form).replace('deliver("SECRETTEXT"', 'deliver("".join(("SECRET", "TEXT"))')
    script = script.replace('"8613800138000"', '"86138" + "00138000"').replace('"hunter22"', '"hunter" + "22"')
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert "RuntimeError" in said
    assert "a bug" in said
    assert not [secret for secret in ("SECRETTEXT", "8613800138000", "hunter22") if secret in said]
    if form == "json":
        assert json.loads(said)["peer"] == "127.0.0.1"


def test_a_masked_number_shows_its_prefix_and_two_digits() -> None:
    assert mask("8613800138000") == "861380*****00"
    assert mask("12345678") == "********"


def test_what_repeats_is_told_in_powers_of_two() -> None:
    told: list[int] = []

    class Log:
        def warning(self, event: str, *, reason: str, times: int) -> None:
            told.append(times)

    repeated = Repeated()
    for _ in range(100):
        repeated.note(Log(), "client broke the protocol", "why")
    assert told == [1, 2, 4, 8, 16, 32, 64]


def test_what_libraries_say_is_readable_like_the_rest() -> None:
    script = """
import logging
from config.schema import Log
from gateway import log
log.configure(Log())
logging.getLogger("some.library").info("too much")
logging.getLogger("some.library").error("went wrong\\nhere")
"""
    (line,) = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr.splitlines()
    said = json.loads(line)
    assert (said["event"], said["detail"], said["library"], said["level"]) == ("went wrong", "here", "some.library", "error")
