"""Scenario files and their time lines: on a clock set by hand, and a few words with a real process."""

import subprocess
import sys
import tomllib

import pytest
from carrier_clock import Stage
from carrier_peer import Peer

from bench.carrier.options import Options
from bench.carrier.scenario import FOLDER, ScenarioError, load, names, read

SHIPPED = {
    *("healthy", "slow", "brown-out", "black-hole", "silent", "flapping", "throttled", "lossy"),
    *("early-receipts", "duplicated-receipts", "hex-ids", "decimal-ids"),
}


def stage(text, options=None):
    return Stage(read(tomllib.loads(text), "test"), options)


def test_the_files_that_come_with_it():
    assert set(names()) == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_each_of_them_does_something_and_says_what(name):
    scenario = load(name)
    assert 20 < len(scenario.about) < 130
    assert scenario.about.endswith(".")
    assert scenario.options != Options()
    running = Stage(scenario, Options())
    running.client().submit()
    running.clock.advance(200)
    assert len(running.said) >= len(scenario.steps)


# -- time lines

SLOW = """
resp_latency = "10ms"
[[at]]
seconds = 20
resp_latency = "3s"
"""


def response_time(running, client):
    """How long one submit waits for its answer, to five milliseconds."""
    client.submit(registered=0)
    for step in range(1000):
        if client.answers():
            return step * 0.005
        running.clock.advance(0.005)
    raise AssertionError("never answered")


def test_a_carrier_turns_slow_at_its_time():
    running = stage(SLOW)
    client = running.client()
    running.clock.advance(100)  # nobody submits: the time line has not begun
    assert running.said == []
    began = running.clock.now
    assert response_time(running, client) == pytest.approx(0.01, abs=0.006)
    running.clock.advance(began + 19.9 - running.clock.now)
    assert response_time(running, client) == pytest.approx(0.01, abs=0.006)
    running.clock.advance(began + 20.01 - running.clock.now)
    assert response_time(running, client) == pytest.approx(3, abs=0.01)
    ((at, event),) = running.events
    assert at == pytest.approx(20, abs=0.002)
    assert event == "resp_latency = 3000ms"
    assert running.said[0]["monotonic"] == pytest.approx(began + 20, abs=0.002)


def test_a_time_line_may_begin_with_the_carrier():
    running = stage('from = "start"\n' + SLOW)
    running.clock.advance(19.9)
    assert running.events == []
    running.clock.advance(0.2)
    assert len(running.events) == 1


def test_steps_happen_in_the_order_of_time():
    running = stage('from = "start"\nat = [{seconds = 2, do = "drop"}, {seconds = 1, do = "unbind"}]')
    running.clock.advance(3)
    assert running.events == [(pytest.approx(1, abs=0.002), "unbind"), (pytest.approx(2, abs=0.002), "drop")]


def test_a_repeated_time_line_starts_over_from_the_beginning():
    running = stage(
        """
        from = "start"
        repeat_s = 10
        loss = 0.5
        at = [{seconds = 2, loss = 1}, {seconds = 3, do = "silence"}, {seconds = 4, do = "refuse_binds"},
              {seconds = 5, do = "close"}]
        """
    )
    smsc = running.smsc
    for _ in range(3):
        running.clock.advance(1.9)
        assert (smsc.options.loss, smsc.silent, smsc.refuses_binds, smsc.port.open) == (0.5, False, False, True)
        running.clock.advance(4)
        assert (smsc.options.loss, smsc.silent, smsc.refuses_binds, smsc.port.open) == (1.0, True, True, False)
        running.clock.advance(4.1)
    again = [at for at, event in running.events if event == "from the beginning"]
    assert again == pytest.approx([10, 20], abs=0.003) or again == pytest.approx([10, 20, 30], abs=0.003)


def test_what_was_decided_before_a_change_stays():
    running = stage(SLOW)
    client = running.client()
    client.submit(registered=0)
    running.tell('{"set": {"resp_latency": "3s", "loss": 1}}')
    running.clock.advance(0.02)
    assert client.answers() == [0]
    client.submit()
    running.clock.advance(10)
    assert client.answers() == []
    assert (running.counters.accepted, running.counters.swallowed) == (1, 1)


# -- what is wrong is said, all at once


def test_every_error_of_a_file_with_its_path():
    table = tomllib.loads(
        """
        about = 5
        from = "now"
        repeat_s = -1
        resp_latncy = "1s"
        loss = 2
        no_trx = 1
        window = true
        refuse = ["^1"]
        [[at]]
        resp_latency = "soon"
        [[at]]
        seconds = 1
        port = 5
        do = "drip"
        [[at]]
        seconds = 2
        loss = [0.1, 0.2]
        """
    )
    with pytest.raises(ScenarioError) as caught:
        read(table, "mine.toml")
    expected = [
        "mine.toml: resp_latncy: unknown, resp_latency is near",
        "mine.toml: loss: Must be <= 1.",
        "mine.toml: no_trx: 1: takes true or false",
        "mine.toml: window: True: takes a string or a number",
        "mine.toml: refuse: '^1': PATTERN=STATUS, such as ^86170=0x0B",
        "mine.toml: about: a sentence",
        'mine.toml: from: "submit" or "start"',
        "mine.toml: at[0].seconds: missing",
        "mine.toml: at[0].resp_latency: 'soon' is no duration: 20ms, 1.5s, 2m",
        "mine.toml: at[1].do: unknown, drop is near: drop, silence, wake, unbind, refuse_binds, accept_binds, close, listen",
        "mine.toml: at[1].port: cannot change while the carrier runs",
        "mine.toml: at[2].loss: takes one value",
        "mine.toml: repeat_s: a number of seconds",
    ]
    assert str(caught.value).splitlines() == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("repeat_s = 5", "repeat_s: the time line must have [[at]], none of them later than this"),
        ('repeat_s = 5\nat = [{seconds = 6, do = "drop"}]', "repeat_s: the time line must have [[at]], none of them later"),
        ("at = [{seconds = 6}]", "at[0]: changes nothing"),
        ("at = 5", "at: tables, each under [[at]]"),
        ('id_format = "roman"', 'id_format: Invalid value "roman"'),
        ("max_binds = 1\nmax-binds = 2", "max-binds: given twice"),
        ('error_status = "ESME_NOPE"', "error_status: invalid literal"),
        *(
            (f"at = [{{seconds = 1, {name} = {value}}}]", f"at[0].{name}: cannot change while the carrier runs")
            for name, value in (
                *(("host", '"::1"'), ("name", '"a"'), ("tls_cert", '"a"'), ("tls_key", '"a"'), ("seed", 1), ("first_id", 1)),
                *(("ledger", '"a"'), ("arrivals", '"a"'), ("max_seconds", 1), ("report_every", 1)),
            )
        ),
    ],
)
def test_errors_one_by_one(text, error):
    with pytest.raises(ScenarioError) as caught:
        read(tomllib.loads(text), "test")
    (found,) = caught.value.errors
    assert found.startswith(error)


# -- the process


def test_the_command_line_wins_over_the_base_but_not_over_the_time_line(carrier, tmp_path):
    file = tmp_path / "mine.toml"
    # `--loss 0` is the default, and yet it was given.
    file.write_text('name = "south"\nloss = 1\nerror_share = 1\nat = [{seconds = 0.01, error_share = 0, queue_full_share = 1}]')
    running = carrier("--scenario", file, "--loss", "0", "--error-status", "0x45")
    assert running.first["name"] == "south"
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        assert peer.take().status == 0x45
        assert running.next_line()["event"] == "error_share = 0.0, queue_full_share = 1.0"
        peer.submit()
        assert peer.take().status == 0x14


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], check=False, capture_output=True, text=True, timeout=30
    )


def test_a_wrong_scenario_ends_with_2(tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text("loss = 2\nlos = 1")
    run = bench("carrier", "--scenario", file)
    assert run.returncode == 2
    assert [line.split(": ", 1)[1] for line in run.stderr.splitlines()] == ["loss: Must be <= 1.", "los: unknown, loss is near"]
    assert bench("carrier", "--scenario", "nowhere").returncode == 2


def test_scenarios_are_listed():
    lines = bench("carriers").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in FOLDER.glob("*.toml"))
    assert all(len(line.split()) > 3 for line in lines)
