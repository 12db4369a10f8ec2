"""Scenario files, their time lines and commands: on a clock set by hand, and a few words with a real process."""

import subprocess
import sys
import tomllib

import pytest
from carrier_clock import Stage
from carrier_peer import DELIVER, ENQUIRE, RESP, SUBMIT, UNBIND, Peer

from bench.carrier.control import Control, read_command
from bench.carrier.latency import Latency
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
    running.timeline.apply(read_command('{"set": {"resp_latency": "3s", "loss": 1}}'), running.clock.now)
    running.clock.advance(0.02)
    assert client.answers() == [0]
    client.submit()
    running.clock.advance(10)
    assert client.answers() == []
    assert (running.counters.accepted, running.counters.swallowed) == (1, 1)


# -- switches at run time


def told(running, line):
    Control(running.smsc, running.timeline, running.said.append).data_received(line.encode() + b"\n")


def test_ids_go_on_in_another_spelling():
    running = Stage(options=Options(first_id=0xABC))
    client = running.client()
    client.submit(registered=0)
    told(running, '{"set": {"id-format": "hex", "dlr_id_format": "dec"}}')
    client.submit()
    first, second, receipt = client.heard()
    assert (first.id, second.id) == (str(0xABC), f"{0xABD:x}")
    assert f"id:{0xABD} ".encode() in receipt.short[4]


def test_the_form_of_receipts_changes():
    running = Stage()
    client = running.client()
    told(running, '{"set": {"dlr": "tlv"}}')
    client.submit()
    assert client.heard()[1].short[4] == b""
    told(running, '{"set": {"dlr": "none"}}')
    client.submit()
    assert [pdu.command for pdu in client.heard()] == [SUBMIT | RESP]
    told(running, '{"set": {"dlr": "text", "dlr_timing": "before-resp"}}')
    client.submit()
    assert [pdu.command for pdu in client.heard()] == [DELIVER, SUBMIT | RESP]


def test_a_throttle_comes_and_goes_and_is_not_refilled_by_other_changes():
    running = Stage()
    client = running.client()
    told(running, '{"set": {"rate": 0.001, "burst": 2}}')
    for _ in range(3):
        client.submit(registered=0)
    told(running, '{"set": {"mo_text": "hi"}}')
    client.submit(registered=0)
    told(running, '{"set": {"rate": 0}}')
    client.submit(registered=0)
    assert client.answers() == [0, 0, 0x58, 0x58, 0]


def test_errors_by_share():
    running = Stage(options=Options(seed=1, error_share=0.25, error_status=0x45))
    client = running.client()
    for _ in range(400):
        client.submit(registered=0)
    found = client.answers()
    assert set(found) == {0, 0x45}
    assert found.count(0x45) == pytest.approx(100, rel=0.3)
    assert running.counters.refused == {"ESME_RSUBMITFAIL": found.count(0x45)}


def test_receipts_that_wait_use_a_window_that_grows():
    running = Stage(options=Options(dlr_window=1))
    client = running.client()
    for _ in range(3):
        client.submit()
    assert [pdu.command for pdu in client.heard()].count(DELIVER) == 1
    told(running, '{"set": {"dlr_window": 10}}')
    assert [pdu.command for pdu in client.heard()].count(DELIVER) == 2


def test_switches_of_a_connection_reach_those_that_are_there():
    running = Stage()
    client = running.client()
    client.submit(registered=0)
    told(running, '{"set": {"drop_after": 2, "window": 1, "enquire_link_s": 5}}')
    running.clock.advance(5.5)
    assert [pdu.command for pdu in client.heard()] == [SUBMIT | RESP, ENQUIRE]
    client.submit(registered=0)
    assert client.line.ended == ""
    client.submit(registered=0)
    assert client.line.ended == "reset"
    told(running, '{"set": {"resp_latency": "1s", "drop_after": 0}}')
    other = running.client()
    for _ in range(2):
        other.submit(registered=0)
    assert running.counters.violations["window exceeded"] == 1


def test_what_comes_again_and_again_can_be_changed_and_stopped():
    running = Stage(options=Options(mo_every_s=10))
    client = running.client()
    running.clock.advance(10.1)
    assert len(client.heard()) == 1
    told(running, '{"set": {"mo_every_s": 1}}')
    told(running, '{"set": {"mo_text": "other"}}')
    running.clock.advance(3.5)
    assert len(client.heard()) == 3
    told(running, '{"set": {"mo_every_s": 0}}')
    running.clock.advance(60)
    assert client.heard() == []
    told(running, '{"set": {"drop_every_s": 2}}')
    running.clock.advance(1.9)
    assert client.line.ended == ""
    running.clock.advance(0.2)
    assert client.line.ended == "reset"


# -- actions


def test_drop():
    running = Stage()
    clients = [running.client() for _ in range(3)]
    told(running, '{"do": "drop"}')
    assert {client.line.ended for client in clients} == {"reset"}
    assert (running.counters.drops, running.smsc.bound) == (3, 0)
    assert running.client().line.ended == ""


def test_silence_until_wake():
    running = Stage(options=Options(resp_latency=Latency("fixed", 1.0)))
    client = running.client()
    client.submit(registered=0)
    told(running, '{"do": "silence"}')
    client.submit(registered=0)
    running.clock.advance(30)
    assert client.heard() == []
    assert running.counters.submits == 1
    with pytest.raises(IndexError):
        running.client()  # connected, but its bind is not answered
    told(running, '{"do": "wake"}')
    client.look()
    running.clock.advance(2)
    assert client.answers() == [0, 0]
    assert (running.counters.submits, running.counters.silences) == (2, 2)
    assert client.line.ended == ""


def test_a_silence_of_its_own_does_not_end_the_common_one():
    running = Stage(options=Options(silent_after=1, silent_for_s=1))
    client = running.client()
    client.submit(registered=0)
    told(running, '{"do": "silence"}')
    running.clock.advance(5)
    assert client.connection.silent
    told(running, '{"do": "wake"}')
    assert not client.connection.silent


def test_unbind():
    running = Stage()
    client = running.client()
    told(running, '{"do": "unbind"}')
    (unbind,) = client.heard()
    assert unbind.command == UNBIND
    client.send(UNBIND | RESP, sequence=unbind.sequence)
    assert client.line.ended == "closed"


def test_binds_are_refused_and_accepted_again():
    running = Stage()
    there = running.client()
    told(running, '{"do": "refuse_binds"}')
    with pytest.raises(AssertionError):
        running.client()
    assert running.counters.binds_refused == 1
    there.submit(registered=0)
    assert there.answers() == [0]
    told(running, '{"do": "accept_binds"}')
    assert running.client().line.ended == ""


def test_close_and_listen_reach_the_port():
    running = Stage()
    told(running, '{"do": "close"}')
    assert not running.smsc.port.open
    told(running, '{"do": "listen"}')
    assert running.smsc.port.open


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


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nonsense", "Expecting value"),
        ("[]", "a command is"),
        ("{}", "command: changes nothing"),
        ('{"set": 5}', "set: a table"),
        ('{"set": {"loss": 2}}', "loss: Must be <= 1"),
        ('{"set": {"seed": 2}, "do": "x"}', "do: unknown: drop, .*; seed: cannot change"),
        ('{"sett": {}, "do": "drop"}', "sett: unknown"),
    ],
)
def test_wrong_commands_change_nothing(line, error):
    with pytest.raises(ValueError, match=error):
        read_command(line)
    running = Stage()
    client = running.client()
    told(running, line)
    assert list(running.said[-1]) == ["error"]
    assert running.smsc.options == Options()
    assert client.line.ended == ""


def test_commands_may_come_in_pieces():
    running = Stage()
    control = Control(running.smsc, running.timeline, running.said.append)
    for piece in (b'{"set": {"lo', b'ss": 1}}\n\n{"do"', b': "drop"}\n{"do": "wa'):
        control.data_received(piece)
    assert [event for _, event in running.events] == ["loss = 1.0", "drop"]


def test_a_change_is_spelled_as_it_was_given():
    running = Stage()
    told(running, '{"set": {"refuse": ["^86170=0x0B", "^1=ESME_RTHROTTLED"], "stat_mix": "UNDELIV=2"}, "do": "wake"}')
    assert running.events[-1][1] == "refuse = ^86170=0x0B, ^1=0x58, stat_mix = UNDELIV=2, wake"


# -- the process


def test_progress_holds_what_a_live_view_wants():
    running = Stage(options=Options(resp_latency=Latency("fixed", 1.0), dlr_window=1, refuse=()))
    client = running.client()
    for _ in range(3):
        client.submit()
    assert running.smsc.progress().items() >= {"submits": 3, "unanswered": 3, "bound": 1, "violations_total": 0}.items()
    running.clock.advance(1.5)
    found = running.smsc.progress()
    assert found.items() >= {"accepted": 3, "unanswered": 0, "receipts_sent": 1, "receipts_waiting": 2}.items()
    assert found["receipts_unacknowledged"] == 1


def test_commands_reach_the_process_and_the_port_keeps_its_number(carrier):
    running = carrier("--control")
    running.tell({"do": "close"})
    assert running.next_line()["event"] == "close"
    with pytest.raises(ConnectionRefusedError):
        Peer(running.port)
    for word in ("listen", "close", "listen", "listen"):
        running.tell({"do": word})
    assert [running.next_line()["event"] for _ in range(4)] == ["listen", "close", "listen", "listen"]
    running.tell({"set": {"error_share": 1, "error_status": "ESME_RSYSERR"}})
    assert running.next_line()["event"] == "error_share = 1.0, error_status = 8"
    running.tell({"set": {"port": 1}})
    assert "port: cannot change" in running.next_line()["error"]
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        assert peer.take().status == 8
        running.tell({"do": "silence"})
        running.next_line()
        with Peer(running.port) as other:
            other.send(ENQUIRE)
            running.tell({"do": "wake"})
            assert other.take().command == ENQUIRE | RESP
    assert running.end()["refused"] == {"ESME_RSYSERR": 1}


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
