"""A carrier that changes while it runs: switches, things done once, commands. On a clock set by hand, and once for real."""

import pytest
from carrier_clock import Stage
from carrier_peer import DELIVER, ENQUIRE, RESP, SUBMIT, UNBIND, Peer

from bench.carrier.control import Control, read_command
from bench.carrier.latency import Latency
from bench.carrier.options import Options

# -- switches at run time


def test_ids_go_on_in_another_spelling():
    running = Stage(options=Options(first_id=0xABC))
    client = running.client()
    client.submit(registered=0)
    running.tell('{"set": {"id-format": "hex", "dlr_id_format": "dec"}}')
    client.submit()
    first, second, receipt = client.heard()
    assert (first.id, second.id) == (str(0xABC), f"{0xABD:x}")
    assert f"id:{0xABD} ".encode() in receipt.short[4]


def test_the_form_of_receipts_changes():
    running = Stage()
    client = running.client()
    running.tell('{"set": {"dlr": "tlv"}}')
    client.submit()
    assert client.heard()[1].short[4] == b""
    running.tell('{"set": {"dlr": "none"}}')
    client.submit()
    assert [pdu.command for pdu in client.heard()] == [SUBMIT | RESP]
    running.tell('{"set": {"dlr": "text", "dlr_timing": "before-resp"}}')
    client.submit()
    assert [pdu.command for pdu in client.heard()] == [DELIVER, SUBMIT | RESP]


def test_a_throttle_comes_and_goes_and_is_not_refilled_by_other_changes():
    running = Stage()
    client = running.client()
    running.tell('{"set": {"rate": 0.001, "burst": 2}}')
    for _ in range(3):
        client.submit(registered=0)
    running.tell('{"set": {"mo_text": "hi"}}')
    client.submit(registered=0)
    running.tell('{"set": {"rate": 0}}')
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
    running.tell('{"set": {"dlr_window": 10}}')
    assert [pdu.command for pdu in client.heard()].count(DELIVER) == 2


def test_switches_of_a_connection_reach_those_that_are_there():
    running = Stage()
    client = running.client()
    client.submit(registered=0)
    running.tell('{"set": {"drop_after": 2, "window": 1, "enquire_link_s": 5}}')
    running.clock.advance(5.5)
    assert [pdu.command for pdu in client.heard()] == [SUBMIT | RESP, ENQUIRE]
    client.submit(registered=0)
    assert client.line.ended == ""
    client.submit(registered=0)
    assert client.line.ended == "reset"
    running.tell('{"set": {"resp_latency": "1s", "drop_after": 0}}')
    other = running.client()
    for _ in range(2):
        other.submit(registered=0)
    assert running.counters.violations["window exceeded"] == 1


def test_what_comes_again_and_again_can_be_changed_and_stopped():
    running = Stage(options=Options(mo_every_s=10))
    client = running.client()
    running.clock.advance(10.1)
    assert len(client.heard()) == 1
    running.tell('{"set": {"mo_every_s": 1}}')
    running.tell('{"set": {"mo_text": "other"}}')
    running.clock.advance(3.5)
    assert len(client.heard()) == 3
    running.tell('{"set": {"mo_every_s": 0}}')
    running.clock.advance(60)
    assert client.heard() == []
    running.tell('{"set": {"drop_every_s": 2}}')
    running.clock.advance(1.9)
    assert client.line.ended == ""
    running.clock.advance(0.2)
    assert client.line.ended == "reset"


# -- actions


def test_drop():
    running = Stage()
    clients = [running.client() for _ in range(3)]
    running.tell('{"do": "drop"}')
    assert {client.line.ended for client in clients} == {"reset"}
    assert (running.counters.drops, running.smsc.bound) == (3, 0)
    assert running.client().line.ended == ""


def test_silence_until_wake():
    running = Stage(options=Options(resp_latency=Latency("fixed", 1.0)))
    client = running.client()
    client.submit(registered=0)
    running.tell('{"do": "silence"}')
    client.submit(registered=0)
    running.clock.advance(30)
    assert client.heard() == []
    assert running.counters.submits == 1
    with pytest.raises(IndexError):
        running.client()  # connected, but its bind is not answered
    running.tell('{"do": "wake"}')
    client.look()
    running.clock.advance(2)
    assert client.answers() == [0, 0]
    assert (running.counters.submits, running.counters.silences) == (2, 2)
    assert client.line.ended == ""


def test_a_silence_of_its_own_does_not_end_the_common_one():
    running = Stage(options=Options(silent_after=1, silent_for_s=1))
    client = running.client()
    client.submit(registered=0)
    running.tell('{"do": "silence"}')
    running.clock.advance(5)
    assert client.connection.silent
    running.tell('{"do": "wake"}')
    assert not client.connection.silent


def test_unbind():
    running = Stage()
    client = running.client()
    running.tell('{"do": "unbind"}')
    (unbind,) = client.heard()
    assert unbind.command == UNBIND
    client.send(UNBIND | RESP, sequence=unbind.sequence)
    assert client.line.ended == "closed"


def test_binds_are_refused_and_accepted_again():
    running = Stage()
    there = running.client()
    running.tell('{"do": "refuse_binds"}')
    with pytest.raises(AssertionError):
        running.client()
    assert running.counters.binds_refused == 1
    there.submit(registered=0)
    assert there.answers() == [0]
    running.tell('{"do": "accept_binds"}')
    assert running.client().line.ended == ""


def test_close_and_listen_reach_the_port():
    running = Stage()
    running.tell('{"do": "close"}')
    assert not running.smsc.port.open
    running.tell('{"do": "listen"}')
    assert running.smsc.port.open


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
    running.tell(line)
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
    running.tell('{"set": {"refuse": ["^86170=0x0B", "^1=ESME_RTHROTTLED"], "stat_mix": "UNDELIV=2"}, "do": "wake"}')
    assert running.events[-1][1] == "refuse = ^86170=0x0B, ^1=0x58, stat_mix = UNDELIV=2, wake"


# -- what can be seen from outside


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
