"""Scenario files say what they mean or are refused; a small one is played to its verdict, with real processes."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import msgspec
import psutil
import pytest
from report_samples import whole_result

from bench.scenarios import play as play_module
from bench.scenarios.script import Script, names, read_script

SMALL = """
about = "A small one."
store = "memory"
assert = ["lost==0", "accepted==120", "idle.accepted==20", "b.share>0.05"]
[[carriers]]
name = "a"
[[carriers]]
name = "b"
set = { resp_latency = "1ms", dlr_latency = "1ms" }
[[load]]
name = "idle"
seconds = 1
messages = 20
rate = 100
connections = 3
[[load]]
name = "all"
seconds = 2
rate = 60
connections = 3
reconnect = true
[[at]]
seconds = 1
do = "carrier"
carrier = "b"
order = { do = "drop" }
"""


def play(path, *words):
    command = [sys.executable, "-m", "bench", "scenario", str(path), "--out", str(path.parent / "out"), "--json", *words]
    found = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    return found.returncode, json.loads(found.stdout) if found.stdout else None, found.stderr


@pytest.mark.parametrize("name", names())
def test_the_scenarios_that_come_with_it_can_be_read(name):
    script = read_script(name)
    assert script.asserts
    assert script.about.endswith(".")
    assert sum(load.seconds + load.drain for load in script.loads) < 200, "a verdict within four minutes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about = 1", "about"),
        ('about = "x"\ncarriers = []\nload = []', "needs a"),
        (SMALL.replace('carrier = "b"', 'carrier = "c"'), "no carrier of this scenario: c"),
        (SMALL.replace("rate = 60", "speed = 60"), "speed"),
        (SMALL.replace('"lost==0"', '"lost=0"'), "such as"),
        ("about = ", "end of document"),
        (SMALL.replace("connections = 3", "connections = 2", 1), "connection of each class"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_exit_code_2(tmp_path, text, said):
    (tmp_path / "wrong.toml").write_text(text)
    code, _, errors = play(tmp_path / "wrong.toml")
    assert code == 2
    assert said in errors


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match="kill-core"):
        read_script("nonsense")


def test_a_scenario_is_played_to_its_verdict(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    code, result, errors = play(tmp_path / "small.toml")
    assert code == 0, errors
    assert result["plan"]["scenario"] == "small"
    assert any("b:" in event["text"] for event in result["events"])
    assert result["ledger"]["strange"] == 0
    code, result, _ = play(tmp_path / "small.toml", "--assert", "accepted==1")
    assert code == 3
    assert [one["held"] for one in result["assertions"]].count(False) == 1


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_load_before_that_does_not_go_through_fails_the_scenario(monkeypatch, by_hand):
    class FakeStage:
        arrivals, processes, gateway = {}, None, SimpleNamespace(port=1)

        def __init__(self, *args):
            pass

        def events(self, begin):
            return []

        def close(self):
            pass

    class FakeRun:
        interrupted, log, begin, played = by_hand, "", 0.0, []

        def __init__(self, setup, view):
            self.played.append(setup)

        def run(self):
            return whole_result(failure="" if by_hand else "the target is gone")

    monkeypatch.setattr(play_module, "Stage", FakeStage)
    monkeypatch.setattr(play_module, "Run", FakeRun)
    script = msgspec.convert(tomllib.loads(SMALL), Script)
    result, _, _ = play_module.perform("small", script, SimpleNamespace(say=print))
    assert result.failure == f"load 'idle': {'ended by hand' if by_hand else 'the target is gone'}"
    assert len(FakeRun.played) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_is_left_behind_whatever_ends_a_scenario(tmp_path, number):
    (tmp_path / "long.toml").write_text(SMALL.replace("seconds = 2", "seconds = 100"))
    command = [sys.executable, "-m", "bench", "scenario", str(tmp_path / "long.toml"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("load      all") for line in lines)
    assert any(" s running" in line for line in lines)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 4, "a gateway, two carriers, a source process"
    assert process.pid not in {os.getsid(one.pid) for one in children}, "Ctrl-C on the terminal must not reach them"
    os.killpg(process.pid, number)
    rest, _ = process.communicate(timeout=60)
    assert psutil.wait_procs(children, timeout=30)[1] == []
    if number == signal.SIGINT:
        assert process.returncode in {0, 3}
        assert "ended by hand" in rest
