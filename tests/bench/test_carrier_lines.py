"""Lines that break: resets, silence, unbinds, and the process's own beginning and end."""

import json
import signal
import socket
import subprocess
import sys

import pytest
from carrier_peer import BIND_RX, DELIVER, ENQUIRE, RESP, SUBMIT, UNBIND, Peer

from bench.processes import Child, ChildError


def test_a_dropped_submit_is_delivered_but_never_answered(carrier, tmp_path):
    running = carrier("--drop-after", "3", "--ledger", tmp_path / "ledger")
    with Peer(running.port) as peer:
        peer.bind()
        for _ in range(2):
            peer.submit()
            peer.ack(peer.take_many(2)[1])
        peer.submit("8613800000003")
        assert peer.ended() == "reset"
    with Peer(running.port) as again:
        again.bind(BIND_RX)
        deliver = again.take()
        assert deliver.short[0] == "8613800000003"
        again.ack(deliver)
        again.unbind()
    counters = running.end()
    assert (counters["drops"], counters["accepted"], counters["responses"], counters["responses_lost"]) == (1, 3, 2, 1)
    assert counters["violations"] == {}
    lines = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert [line["responded"] is None for line in lines] == [False, False, True]
    assert {line["receipt"] for line in lines} == {"acknowledged"}


def test_every_connection_is_dropped_now_and_then(carrier):
    running = carrier("--drop-every-s", "0.1")
    for _ in range(2):
        with Peer(running.port) as peer, Peer(running.port) as other:
            assert (peer.ended(), other.ended()) == ("reset", "reset")
    assert running.end()["drops"] == 4


def test_late_responses_die_with_the_line(carrier):
    running = carrier("--resp-latency", "50ms", "--dlr-latency", "10ms")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        peer.unbind()
    with Peer(running.port) as again:
        again.bind()
        again.ack(again.take())
        again.unbind()
    counters = running.end()
    assert (counters["responses"], counters["responses_lost"], counters["receipts_acknowledged"]) == (0, 1, 1)


def test_silence_for_ever(carrier):
    running = carrier("--silent-after", "1")
    with Peer(running.port) as peer, Peer(running.port) as other:
        peer.bind()
        other.bind(system_id="other")
        peer.socket.sendall(b"".join(peer.pdu(SUBMIT, peer.submit_body(registered=0)) for _ in range(2)))
        assert peer.take().command == SUBMIT | RESP
        peer.send(ENQUIRE)
        # Another connection is served as ever.
        other.send(ENQUIRE)
        assert other.take().command == ENQUIRE | RESP
        other.unbind()
        counters = running.end()
        with pytest.raises((EOFError, ConnectionResetError)):
            peer.take()
    assert (counters["submits"], counters["silences"]) == (1, 1)


def test_silence_ends(carrier):
    running = carrier("--silent-after", "1", "--silent-for-s", "0.2")
    with Peer(running.port) as peer:
        peer.bind()
        peer.socket.sendall(b"".join(peer.pdu(SUBMIT, peer.submit_body()) for _ in range(3)) + peer.pdu(ENQUIRE))
        pdus = peer.take_many(7)
        found = [one.command for one in pdus]
        assert (found.count(SUBMIT | RESP), found.count(DELIVER), found.count(ENQUIRE | RESP)) == (3, 3, 1)
        for pdu in pdus:
            if pdu.command == DELIVER:
                peer.ack(pdu)
        peer.unbind()
    counters = running.end()
    assert (counters["silences"], counters["accepted"], counters["receipts_acknowledged"]) == (1, 3, 3)


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells")
def test_a_silent_line_notices_that_the_client_left(carrier):
    running = carrier("--silent-after", "1", "--max-binds", "1")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit(registered=0)
        peer.take()
    statuses = []
    while not statuses or statuses[-1] == 0x05:
        with Peer(running.port) as next_one:
            statuses.append(next_one.bind().status)
    assert statuses[-1] == 0


def test_the_carrier_unbinds(carrier):
    running = carrier("--unbind-after", "1")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit(registered=0)
        answer, unbind = peer.take_many(2)
        assert (answer.command, unbind.command) == (SUBMIT | RESP, UNBIND)
        peer.submit(registered=0)
        assert peer.take().status == 0
        peer.send(UNBIND | RESP, sequence=unbind.sequence)
        assert peer.ended() == "eof"
    counters = running.end()
    assert (counters["accepted"], counters["unbinds"], counters["violations"]) == (2, 0, {})


def test_the_carrier_asks_whether_the_client_lives(carrier):
    running = carrier("--enquire-link-s", "0.1")
    with Peer(running.port) as peer:
        peer.bind()
        for _ in range(2):
            enquiry = peer.take()
            assert enquiry.command == ENQUIRE
            peer.send(ENQUIRE | RESP, sequence=enquiry.sequence)
        running.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_counters(carrier, number):
    running = carrier("--name", "north")
    assert running.first["name"] == "north"
    running.signal(number)
    last = running.wait()
    assert (last["name"], last["submits"]) == ("north", 0)


def test_it_stops_by_itself_and_reports_on_the_way(carrier):
    running = carrier("--max-seconds", "1", "--report-every", "0.05")
    assert running.next_line()["progress"]["submits"] == 0
    assert running.next_line()["progress"]["binds"] == 0
    assert running.wait()["submits"] == 0


def test_it_runs_without_uvloop():
    blocked = "import sys; sys.modules['uvloop'] = None; from bench.__main__ import main; main()"
    with Child([sys.executable, "-c", blocked, "carrier", "--max-seconds", "60"]) as child:
        with Peer(child.first["listening"]) as peer:
            assert peer.bind().status == 0
            peer.submit()
            peer.ack(peer.take_many(2)[1])
            peer.unbind()
        assert child.end()["receipts_acknowledged"] == 1


def test_a_taken_port_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ChildError, match="in use"):
            Child([sys.executable, "-m", "bench", "carrier", "--port", str(port)])


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--resp-latency", "soon"], "20ms"),
        (["--loss", "1.5"], "<= 1"),
        (["--refuse", "^86170"], "PATTERN=STATUS"),
        (["--stat-mix", "FINE=1"], "DELIVRD"),
        (["--id-format", "roman"], "hex8"),
    ],
)
def test_wrong_options_are_explained(options, hint):
    command = [sys.executable, "-m", "bench", "carrier", *options]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert run.returncode != 0
    assert hint in run.stdout + run.stderr
