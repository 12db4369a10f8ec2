"""Scenario files say what they mean or are refused; a small one is played to its verdict, with real processes."""

import json
import subprocess
import sys

import pytest

from bench.scenarios.script import names, read_script

SMALL = """
about = "A small one."
store = "memory"
assert = ["lost==0", "accepted==120", "idle.accepted==20", "b.share>0.2"]
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
