"""Binds, submits, responses and receipts over real sockets, seen by clients that share no code with the project."""

import json
import re
import select
import socket
import ssl
import threading
import time
from collections import Counter

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import trustme
from carrier_peer import (
    BIND_RX,
    BIND_TRX,
    BIND_TX,
    CANCEL,
    DATA,
    DELIVER,
    ENQUIRE,
    MULTI,
    NACK,
    QUERY,
    RESP,
    SUBMIT,
    Peer,
    cut,
    tlv,
)


class Smpplib:
    """smpplib as the client: everything it was told is kept."""

    def __init__(self, port, *, system_id="smpplib", password="secret"):
        self.answers, self.errors, self.delivered, self.queried = {}, {}, [], []
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=15, allow_unknown_opt_params=True)
        self.client.set_message_sent_handler(self._answered)
        self.client.set_message_received_handler(self._delivered)
        self.client.set_query_resp_handler(self.queried.append)
        self.client.set_error_pdu_handler(lambda pdu: self.errors.__setitem__(pdu.sequence, pdu.status))
        self.client.connect()
        try:
            self.client.bind_transceiver(system_id=system_id, password=password)
        except smpplib.exceptions.PDUError:
            self.client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
            self.client.disconnect()
            raise

    def _delivered(self, pdu):  # called by keyword
        self.delivered.append(pdu)

    def _answered(self, pdu):
        if not pdu.status:
            self.answers[pdu.sequence] = pdu.message_id.decode()

    def submit(self, destination="8613800000001", text=b"hello", **fields):
        fields = {"registered_delivery": 1, "data_coding": 0, "esm_class": 0} | fields
        return self.client.send_message(
            source_addr_ton=0,
            source_addr_npi=1,
            source_addr="10690000",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=destination,
            short_message=text,
            **fields,
        ).sequence

    def until(self, condition):
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline
            self.client.read_once(auto_send_enquire_link=False)

    def leave(self):
        self.client.unbind()
        self.client.disconnect()


def receipt_of(pdu):
    """(id, stat) of a receipt as smpplib shows it."""
    found = re.match(rb"id:(\S+) .*stat:(\w+) ", pdu.short_message)
    return found[1].decode(), found[2].decode()


def test_messages_are_answered_and_reported(carrier):
    running = carrier()
    client = Smpplib(running.port)
    sent = [client.submit(f"86138000000{number:02d}") for number in range(20)]
    client.until(lambda: len(client.delivered) == 20)
    assert sorted(client.answers) == sorted(sent)
    assert sorted(receipt_of(pdu) for pdu in client.delivered) == sorted((i, "DELIVRD") for i in client.answers.values())
    for pdu in client.delivered:
        assert pdu.receipted_message_id.rstrip(b"\0").decode() == receipt_of(pdu)[0]
        assert pdu.message_state == 2
        assert (pdu.esm_class, pdu.destination_addr) == (4, b"10690000")
    client.leave()
    counters = running.end()
    assert counters["submits"] == counters["accepted"] == counters["responses"] == 20
    assert counters["receipts_sent"] == counters["receipts_acknowledged"] == 20
    assert (counters["binds"], counters["unbinds"], counters["violations"], counters["refused"]) == (1, 1, {}, {})


def test_refusals_by_destination(carrier):
    running = carrier("--refuse", "^86170=0x0B", "--refuse", "0000$=ESME_RINVSRCADR")
    client = Smpplib(running.port)
    bad, worse, good = client.submit("8617000000001"), client.submit("8613800000000"), client.submit("8613800000001")
    client.until(lambda: good in client.answers and client.delivered)
    assert client.errors == {bad: 0x0B, worse: 0x0A}
    client.leave()
    counters = running.end()
    assert counters["refused"] == {"ESME_RINVDSTADR": 1, "ESME_RINVSRCADR": 1}
    assert (counters["submits"], counters["accepted"], counters["receipts_sent"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("options", "accepted", "refused"),
    [
        (("--rate", "0.001", "--burst", "3"), 3, {0x58: 5}),
        (("--queue-full-share", "1"), 0, {0x14: 8}),
    ],
)
def test_throttling_and_full_queues(carrier, options, accepted, refused):
    running = carrier(*options)
    client = Smpplib(running.port)
    sent = [client.submit(registered_delivery=0) for _ in range(8)]
    client.until(lambda: len(client.answers.keys() | client.errors.keys()) == len(sent))
    statuses = list(client.errors.values())
    assert {status: statuses.count(status) for status in statuses} == refused
    client.leave()
    counters = running.end()
    assert counters["accepted"] == accepted
    assert counters["throttled"] == refused.get(0x58, 0)
    assert counters["receipts_sent"] == 0


@pytest.mark.parametrize(
    ("spelling", "again", "pattern", "same"),
    [
        ("dec", "same", r"\d+", lambda response, receipt: response == receipt),
        ("dec", "hex", r"\d+", lambda response, receipt: int(response) == int(receipt, 16)),
        ("HEX", "dec10", r"[0-9A-F]+", lambda response, receipt: int(response, 16) == int(receipt) and len(receipt) == 10),
        ("hex8", "nozero", r"0[0-9A-F]{7}", lambda response, receipt: response.lstrip("0") == receipt),
        ("uuid", "upper", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda response, receipt: response.upper() == receipt),
    ],
)
def test_id_formats(carrier, spelling, again, pattern, same):
    client = Smpplib(carrier("--id-format", spelling, "--dlr-id-format", again).port)
    sent = client.submit()
    client.until(lambda: client.delivered)
    assert re.fullmatch(pattern, client.answers[sent])
    assert same(client.answers[sent], receipt_of(client.delivered[0])[0])
    client.leave()


def test_states_and_wishes(carrier):
    client = Smpplib(carrier("--stat-mix", "UNDELIV=1").port)
    client.submit(registered_delivery=0)
    client.submit(registered_delivery=3)
    wanted = [client.submit(registered_delivery=1), client.submit(registered_delivery=2)]
    client.until(lambda: len(client.delivered) == 2)
    assert sorted(receipt_of(pdu) for pdu in client.delivered) == sorted((client.answers[one], "UNDELIV") for one in wanted)
    client.leave()


@pytest.mark.parametrize(("form", "has_text", "has_tlvs"), [("text", True, False), ("tlv", False, True), ("both", True, True)])
def test_forms_of_receipts(carrier, form, has_text, has_tlvs):
    with Peer(carrier("--dlr", form).port) as peer:
        peer.bind()
        peer.submit(tlvs=tlv(0x0204, b"\x01\x02"))
        answer, deliver = peer.take_many(2)
        source, destination, esm_class, data_coding, text, tlvs = deliver.short
        assert (source, destination, esm_class, data_coding) == ("8613800000001", "10690000", 4, 0)
        stamp = rb"\d{10}"
        line = rb"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:DELIVRD err:000 text:hi"
        assert bool(re.fullmatch(line % (answer.id.encode(), stamp, stamp), text)) is has_text
        assert bool(text) is has_text
        expected = {0x1E: answer.id.encode() + b"\0", 0x427: b"\2", 0x204: b"\x01\x02"}
        assert tlvs == (expected if has_tlvs else {})
        peer.ack(deliver)
        peer.unbind()


def test_no_receipts_at_all(carrier):
    running = carrier("--dlr", "none")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        assert peer.take().command == SUBMIT | RESP
        peer.unbind()
    assert running.end()["receipts_sent"] == 0


@pytest.mark.parametrize(
    ("options", "order"),
    [
        (("--dlr-timing", "after"), "rd"),
        (("--dlr-timing", "after", "--resp-latency", "10ms", "--dlr-latency", "uniform:1ms-20ms"), "rd"),
        (("--dlr-timing", "same-segment"), "dr"),
        (("--dlr-timing", "before-resp", "--dlr-latency", "30ms", "--resp-latency", "5ms"), "dr"),
        (("--dlr-timing", "twice", "--dlr-latency", "5ms"), "rdd"),
    ],
)
def test_the_moment_of_the_receipt(carrier, options, order):
    running = carrier(*options)
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        found = peer.take_many(len(order))
        assert [one.command for one in found] == [SUBMIT | RESP if letter == "r" else DELIVER for letter in order]
        delivers = [one for one in found if one.command == DELIVER]
        answer = next(one for one in found if one.command == SUBMIT | RESP)
        assert {one.short[5][0x1E].rstrip(b"\0").decode() for one in delivers} == {answer.id}
        for deliver in delivers:
            peer.ack(deliver)
        peer.unbind()
    counters = running.end()
    assert counters["receipts_sent"] == counters["receipts_acknowledged"] == len(delivers)
    assert counters["violations"] == {}


def test_swallowed_submits_are_never_answered(carrier):
    running = carrier("--loss", "1")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        peer.send(ENQUIRE)
        assert peer.take().command == ENQUIRE | RESP
        peer.unbind()
    counters = running.end()
    assert (counters["submits"], counters["swallowed"], counters["responses"], counters["receipts_sent"]) == (1, 1, 0, 0)


def test_late_receipts_are_still_due_at_the_end(carrier, tmp_path):
    running = carrier("--dlr-late-share", "1", "--dlr-late", "1000s", "--ledger", tmp_path / "ledger")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        assert peer.take().command == SUBMIT | RESP
        peer.unbind()
    assert running.end()["receipts_sent"] == 0
    (line,) = (tmp_path / "ledger").read_text().splitlines()
    assert (json.loads(line)["receipt"], json.loads(line)["stat"]) == ("due", "DELIVRD")


def test_receipts_wait_for_a_receiver(carrier):
    running = carrier("--no-trx")
    with Peer(running.port) as sender, Peer(running.port) as receiver:
        refused = sender.bind(BIND_TRX)
        assert (refused.command, refused.status, refused.sequence) == (NACK, 3, 1)
        assert sender.bind(BIND_TX).status == 0
        sender.submit()
        answer = sender.take()
        assert receiver.bind(BIND_RX, system_id="another").status == 0
        receiver.unbind()
        with Peer(running.port) as late:
            assert late.bind(BIND_RX).status == 0
            deliver = late.take()
            assert deliver.short[5][0x1E] == answer.id.encode() + b"\0"
            late.ack(deliver)
            sender.submit()
            sender.take()
            late.ack(late.take())
            late.unbind()
        sender.unbind()
    counters = running.end()
    assert (counters["binds"], counters["binds_refused"], counters["receipts_acknowledged"]) == (3, 1, 2)
    assert (counters["receipts_repeated"], counters["violations"]) == (0, {})


def test_unacknowledged_receipts_come_again(carrier):
    running = carrier("--ack-grace-s", "0")
    with Peer(running.port) as careless:
        careless.bind()
        careless.submit()
        answer, first = careless.take_many(2)
        careless.unbind()
    with Peer(running.port) as careful:
        careful.bind()
        again = careful.take()
        assert first.short[4] == again.short[4]
        assert answer.id in again.short[4].decode()
        careful.ack(again)
        careful.unbind()
    counters = running.end()
    assert (counters["receipts_sent"], counters["receipts_repeated"], counters["receipts_acknowledged"]) == (2, 1, 1)
    assert counters["violations"] == {"receipt unacknowledged at close": 1}


def test_a_temporary_error_asks_for_the_receipt_again(carrier):
    running = carrier()
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        _, first = peer.take_many(2)
        peer.ack(first, status=0x64)
        second = peer.take()
        assert second.short[5] == first.short[5]
        peer.ack(second, status=0x66)
        peer.unbind()
    counters = running.end()
    assert (counters["receipts_sent"], counters["receipts_refused"], counters["receipts_acknowledged"]) == (2, 1, 0)


def test_receipts_on_the_wire_and_in_the_queue_at_the_end(carrier):
    running = carrier("--dlr-window", "2")
    with Peer(running.port) as peer:
        peer.bind()
        for _ in range(5):
            peer.submit()
        found = [one.command for one in peer.take_many(7)]
        assert (found.count(SUBMIT | RESP), found.count(DELIVER)) == (5, 2)
        counters = running.end()
    assert (counters["receipts_unacknowledged"], counters["receipts_waiting"]) == (2, 3)


def test_credentials(carrier):
    running = carrier("--system-id", "client", "--password", "right")
    for system_id, password in (("client", "wrong"), ("other", "right")):
        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            Smpplib(running.port, system_id=system_id, password=password)
        assert refused.value.args[1] == 0x0D
    Smpplib(running.port, system_id="client", password="right").leave()
    counters = running.end()
    assert (counters["binds"], counters["binds_refused"]) == (1, 2)


@pytest.mark.parametrize(("answer", "status"), [("ralybnd", 0x05), ("rbindfail", 0x0D)])
def test_too_many_binds(carrier, answer, status):
    running = carrier("--max-binds", "1", "--over-max", answer)
    with Peer(running.port) as first:
        first.bind()
        with Peer(running.port) as second:
            assert second.bind().status == status
            assert second.ended() == "eof"
        first.unbind()
    with Peer(running.port) as third:
        assert third.bind().status == 0
        third.unbind()


def test_violations(carrier):
    running = carrier("--window", "2", "--resp-latency", "50ms")
    sar = tlv(0x20C, b"\0\1") + tlv(0x20E, b"\2") + tlv(0x20F, b"\1")
    with Peer(running.port) as peer:
        peer.submit()
        assert peer.take().status == 0x04
        peer.bind()
        assert peer.bind().status == 0x05
        raw = b"".join(
            [
                peer.pdu(SUBMIT, peer.submit_body(registered=0, text=b"odd", coding=8), sequence=0),
                peer.pdu(SUBMIT, peer.submit_body(registered=0, text=b"\5\0\3\1\2\1x", esm_class=0x40, tlvs=sar), sequence=70),
                peer.pdu(SUBMIT, peer.submit_body(registered=0, tlvs=tlv(0x424, b"and more")), sequence=70),
                peer.pdu(DELIVER | RESP, b"\0", sequence=99),
                peer.pdu(0x777, sequence=71),
            ]
        )
        peer.socket.sendall(raw)
        assert (peer.take().command, [one.status for one in peer.take_many(3)]) == (NACK, [0, 0, 0])
        peer.unbind()
    assert running.end()["violations"] == {
        "submit_sm in state open": 1,
        "bind_transceiver in state bound_trx": 1,
        "request sequence out of range": 1,
        "odd UCS-2 length": 1,
        "UDHI and SAR TLVs together": 1,
        "short_message and message_payload together": 1,
        "sequence reused while unanswered": 1,
        "deliver_sm_resp ESME_ROK": 1,
        "unknown command 0x00000777": 1,
    }


def test_a_window_is_watched(carrier):
    running = carrier("--window", "2", "--dlr", "none")
    with Peer(running.port) as peer:
        peer.bind()
        for count in (2, 2, 3):
            peer.socket.sendall(b"".join(peer.pdu(SUBMIT, peer.submit_body()) for _ in range(count)))
            assert len(peer.take_many(count)) == count
        peer.unbind()
    counters = running.end()
    assert counters["violations"] == {"window exceeded": 1}
    assert counters["max_outstanding"] == 3


def test_octets_that_are_no_smpp(carrier):
    running = carrier()
    with Peer(running.port) as peer:
        peer.socket.sendall(b"GET / HTTP/1.1\r\nHost: carrier\r\n\r\n")
        nack = peer.take()
        assert (nack.command, nack.status) == (NACK, 2)
        assert peer.ended() == "eof"
    (kind,) = running.end()["violations"]
    assert kind.startswith("command_length N")


def test_query(carrier):
    delayed, done = carrier("--dlr-latency", "1000s"), carrier()
    for running, state in ((delayed, 1), (done, 2)):
        client = Smpplib(running.port)
        sent = client.submit(registered_delivery=0)
        client.until(lambda client=client, sent=sent: sent in client.answers)
        for message_id in (client.answers[sent], "nobody's"):
            client.client.query_message(message_id=message_id, source_addr_ton=0, source_addr_npi=1, source_addr="10690000")
            client.until(lambda client=client: client.queried or 0x67 in client.errors.values())
            if message_id == "nobody's":
                client.until(lambda client=client: 0x67 in client.errors.values())
        (found,) = [pdu for pdu in client.queried if not pdu.status]
        assert found.message_state == state
        client.leave()
        assert running.end()["queries"] == 2


def test_cancel(carrier):
    running = carrier("--dlr-latency", "1000s")
    with Peer(running.port) as peer:
        peer.bind()
        peer.submit()
        answer = peer.take()
        body = b"\0" + answer.id.encode() + b"\0\0\x0110690000\0\1\x018613800000001\0"
        peer.send(CANCEL, body)
        cancelled, deliver = peer.take_many(2)
        assert (cancelled.command, cancelled.status) == (CANCEL | RESP, 0)
        assert b"stat:DELETED" in deliver.short[4]
        peer.ack(deliver)
        peer.send(CANCEL, body)
        assert peer.take().status == 0x11
        peer.submit("8613800000009")
        peer.take()
        peer.send(CANCEL, b"\0\0\0\x0110690000\0\1\x018613800000009\0")
        cancelled, deliver = peer.take_many(2)
        assert (cancelled.status, deliver.short[0]) == (0, "8613800000009")
        peer.ack(deliver)
        peer.unbind()
    assert running.end()["cancels"] == 3


def test_data_sm_and_submit_multi(carrier):
    running = carrier("--refuse", "^86170=0x0B")
    with Peer(running.port) as peer:
        peer.bind()
        peer.send(DATA, b"\0\0\x0110690000\0\1\x018613800000001\0\0\1\0" + tlv(0x424, b"by data_sm"))
        answer, deliver = peer.take_many(2)
        assert (answer.command, answer.status) == (DATA | RESP, 0)
        assert (deliver.short[0], deliver.short[4][-10:]) == ("8613800000001", b"by data_sm")
        peer.ack(deliver)
        destinations = b"".join(b"\1\1\1" + one + b"\0" for one in (b"8613800000001", b"8617000000001", b"8613800000003"))
        peer.send(MULTI, b"\0\0\x0110690000\0\4" + destinations + b"\2list\0" + bytes((0, 0, 0, 0, 0, 1, 0, 0, 0, 2)) + b"hi")
        answer, *delivers = peer.take_many(3)
        (message_id,), rest = cut(answer.body, 1)
        assert (answer.command, answer.status, rest[0]) == (MULTI | RESP, 0, 2)
        assert rest[1:] == b"\1\x018617000000001\0\0\0\0\x0b" + b"\0\0\0\0\0\0\x34"
        assert sorted(one.short[0] for one in delivers) == ["8613800000001", "8613800000003"]
        assert {one.short[5][0x1E] for one in delivers} == {message_id.encode() + b"\0"}
        for deliver in delivers:
            peer.ack(deliver)
        peer.send(MULTI, b"\0\0\x0110690000\0\1\1\1\x018617000000001\0" + bytes((0, 0, 0, 0, 0, 1, 0, 0, 0, 2)) + b"hi")
        assert peer.take().status == 0x0B
        peer.unbind()
    counters = running.end()
    assert (counters["submits"], counters["accepted"], counters["refused"]) == (5, 3, {"ESME_RINVDSTADR": 2})


def test_mobile_originated_messages(carrier):
    running = carrier("--mo-every-s", "0.05", "--mo-text", "退订", "--mo-to", "10690001", "--mo-from", "8613900000000")
    with Peer(running.port) as peer:
        peer.bind(BIND_RX)
        for deliver in peer.take_many(2):
            assert deliver.short == ("8613900000000", "10690001", 0, 8, "退订".encode("utf-16-be"), {})
            peer.ack(deliver)
        running.end()


def test_replace_and_unknown_queries_are_refused(carrier):
    with Peer(carrier().port) as peer:
        peer.bind(BIND_TX)
        peer.send(7, b"5\0\0\x0110690000\0\0\0\0\0\2hi")
        assert (answer := peer.take()).command == 7 | RESP
        assert answer.status == 0x13
        peer.send(QUERY, b"5\0\0\x0110690000\0")
        assert peer.take().status == 0x67
        peer.unbind()


def test_the_ledger_file(carrier, tmp_path):
    path = tmp_path / "ledger.jsonl"
    running = carrier(
        "--refuse", "^86170=0x0B", "--dlr-loss", "0.5", "--loss", "0.3", "--ledger", path, "--dlr-id-format", "hex"
    )
    answers, receipts = {}, {}
    with Peer(running.port) as peer:
        peer.bind(system_id="books")
        sent = {peer.submit(f"861{3 + 4 * (at % 5 == 0)}000000{at:03d}", text=b"%03d" % at): at for at in range(60)}
        for _ in range(2):  # an enquiry's answer may overtake answers to what was read together with it
            peer.send(ENQUIRE)
            while (pdu := peer.take()).command != ENQUIRE | RESP:
                if pdu.command == SUBMIT | RESP:
                    answers[pdu.sequence] = (pdu.status, pdu.id)
                else:
                    receipts[pdu.short[0]] = pdu.short[5][0x1E].rstrip(b"\0").decode()
                    peer.ack(pdu)
        peer.unbind()
    counters = running.end()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["sequence"] for line in lines) == sorted(sent)
    for line in lines:
        assert line["octets"] == (b"%03d" % sent[line["sequence"]]).hex()
        assert (line["source"], line["system_id"], line["connection"]) == ("10690000", "books", 1)
        if line["fate"] == "swallowed":
            assert line["sequence"] not in answers
            assert line["responded"] is None
            continue
        assert answers[line["sequence"]] == (line["status"], line["id"])
        assert line["received"] <= line["responded"]
        assert (line["status"] == 0x0B) == line["destination"].startswith("86170") == (line["fate"] == "refused")
        assert receipts.get(line["destination"]) == (line["receipt_id"] if line["receipt"] == "acknowledged" else None)
        assert line["receipt"] in {"acknowledged": "acknowledged", "lost": "lost", "none": "none"}
    fates = [line["fate"] for line in lines]
    states = [line["receipt"] for line in lines]
    assert fates.count("accepted") == counters["accepted"] > 0
    assert fates.count("swallowed") == counters["swallowed"] > 0
    assert states.count("acknowledged") == counters["receipts_acknowledged"] == len(receipts) > 0
    assert states.count("lost") == counters["receipts_lost"] > 0


def test_tls(carrier, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "carrier.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    running = carrier("--tls-cert", tmp_path / "carrier.pem")
    with Peer(running.port, wrap=lambda plain: trusting.wrap_socket(plain, server_hostname="127.0.0.1")) as peer:
        assert isinstance(peer.socket, ssl.SSLSocket)
        assert peer.bind().status == 0
        peer.submit()
        peer.ack(peer.take_many(2)[1])
        peer.unbind()
    assert running.end()["receipts_acknowledged"] == 1


def test_many_connections_share_one_account(carrier):
    running = carrier()
    peers = [Peer(running.port) for _ in range(8)]
    try:
        assert [peer.bind(BIND_RX if at % 2 else BIND_TX).status for at, peer in enumerate(peers)] == [0] * 8
        for peer in peers[::2]:
            for _ in range(10):
                peer.submit()
            assert {one.command for one in peer.take_many(10)} == {SUBMIT | RESP}
        for peer in peers[1::2]:
            for deliver in peer.take_many(10):
                peer.ack(deliver)
        for peer in peers:
            peer.unbind()
    finally:
        for peer in peers:
            peer.socket.close()
    counters = running.end()
    assert (counters["connections"], counters["receipts_acknowledged"], counters["violations"]) == (8, 40, {})


def test_a_client_that_does_not_read_is_not_read(carrier):
    running = carrier("--dlr-window", "100000")
    with Peer(running.port) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        peer.bind()
        count = 60_000
        raw = memoryview(b"".join(peer.pdu(SUBMIT, peer.submit_body(text=b"x" * 100)) for _ in range(count)))
        while select.select([], [peer.socket], [], 0.2)[1]:
            raw = raw[peer.socket.send(raw[:100_000]) :]
        assert raw, "the carrier read on although nobody read its answers"
        sender = threading.Thread(target=peer.socket.sendall, args=(raw,))
        sender.start()
        got = Counter(pdu.command for pdu in peer.take_many(2 * count))
        sender.join()
        assert got == {SUBMIT | RESP: count, DELIVER: count}
        counters = running.end()
    assert (counters["responses"], counters["receipts_unacknowledged"], counters["violations"]) == (count, count, {})
