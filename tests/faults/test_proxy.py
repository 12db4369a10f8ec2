"""The proxy passes everything on, PDU by PDU, and does exactly the fault it was told to do."""

import socket

import pytest
from gateway_process import wait_for
from proxy import COPIES_FROM, DELIVERED, UNDELIVERABLE, Proxy

from protocol.commands import Command

SUBMIT, SUBMITTED, DELIVER, DELIVERED_RESP = (
    Command.SUBMIT_SM,
    Command.SUBMIT_SM_RESP,
    Command.DELIVER_SM,
    Command.DELIVER_SM_RESP,
)


def pdu(command, sequence=1, body=b"x" * 20):
    return b"".join(number.to_bytes(4, "big") for number in (16 + len(body), command, 0, sequence)) + body


class Line:
    """A client and a carrier with the proxy in between."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.proxy = Proxy(self.listener.getsockname()[1], seed=1)
        self.connect()

    def connect(self):
        self.client = socket.create_connection(("127.0.0.1", self.proxy.port), 10)
        self.carrier, _ = self.listener.accept()
        self.carrier.settimeout(10)

    def close(self):
        for one in (self.client, self.carrier, self.listener):
            one.close()
        self.proxy.close()


@pytest.fixture
def line():
    one = Line()
    yield one
    one.close()


def take(sock, size):
    """`size` octets, or what came before the end."""
    got = b""
    while len(got) < size:
        try:
            data = sock.recv(size - len(got))
        except ConnectionResetError:
            break
        if not data:
            break
        got += data
    return got


def nothing(sock):
    """Whether nothing has come. What would have been passed on at once is overtaken by a PDU sent after it."""
    sock.setblocking(False)
    try:
        return sock.recv(1) and False
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(10)


def test_what_comes_in_pieces_leaves_whole(line):
    sent = pdu(SUBMIT) + pdu(Command.ENQUIRE_LINK, body=b"") + pdu(0x10201, 3)
    for octet in sent:
        line.client.sendall(bytes((octet,)))
    assert take(line.carrier, len(sent)) == sent
    assert line.proxy.seen == {SUBMIT: 1, Command.ENQUIRE_LINK: 1}
    line.carrier.sendall(pdu(SUBMITTED))
    assert take(line.client, 36) == pdu(SUBMITTED)
    assert line.proxy.ambiguous == 0


def test_what_was_said_before_the_end_arrives(line):
    line.client.sendall(pdu(SUBMIT) * 3)
    line.client.close()
    assert take(line.carrier, 1000) == pdu(SUBMIT) * 3
    wait_for(lambda: line.proxy.ambiguous == 1, "the end")


def test_cut(line):
    line.proxy.cut = SUBMIT
    line.client.sendall(pdu(Command.ENQUIRE_LINK, body=b"") + pdu(SUBMIT))
    got = take(line.carrier, 1000)
    assert 16 < len(got) < 16 + 36
    assert take(line.client, 1) == b""
    assert (line.proxy.cuts, line.proxy.ambiguous) == (1, 1)


def test_responses_are_dropped_or_late(line):
    line.client.sendall(pdu(SUBMIT, 1) + pdu(SUBMIT, 2))
    take(line.carrier, 72)
    line.proxy.drop = 1.0
    line.carrier.sendall(pdu(SUBMITTED, 1) + pdu(DELIVER))
    assert take(line.client, 36) == pdu(DELIVER)
    assert (line.proxy.dropped, line.proxy.ambiguous) == (1, 2)
    line.proxy.heal()
    line.proxy.delay_s = 0.05
    line.carrier.sendall(pdu(SUBMITTED, 2) + pdu(DELIVER, 9))
    assert take(line.client, 72) == pdu(DELIVER, 9) + pdu(SUBMITTED, 2)
    assert line.proxy.ambiguous == 1


def test_blackhole(line):
    line.proxy.blackhole = True
    line.client.sendall(pdu(SUBMIT))
    wait_for(lambda: line.proxy.seen[SUBMIT], "the submit")
    assert nothing(line.carrier)
    line.proxy.heal()
    assert take(line.carrier, 36) == pdu(SUBMIT)


def test_receipts_are_held_and_repeated(line):
    receipt = b" ".join(DELIVERED)
    line.proxy.hold_receipts, line.proxy.repeat, line.proxy.contradict = True, 1.0, True
    line.carrier.sendall(pdu(DELIVER, 7, receipt) + pdu(SUBMITTED))
    assert take(line.client, 36) == pdu(SUBMITTED)
    line.proxy.heal()
    size = 16 + len(receipt)
    assert take(line.client, 2 * size) == pdu(DELIVER, 7, receipt) + pdu(DELIVER, COPIES_FROM + 1, b" ".join(UNDELIVERABLE))
    line.client.sendall(pdu(DELIVERED_RESP, COPIES_FROM + 1) + pdu(DELIVERED_RESP, 7))
    assert take(line.carrier, 36) == pdu(DELIVERED_RESP, 7), "the carrier knows nothing of the copy"


def test_reset_and_nobody_there(line):
    line.client.sendall(pdu(SUBMIT))
    take(line.carrier, 36)
    line.proxy.reset()
    with pytest.raises(ConnectionResetError):
        line.client.recv(1)
    with pytest.raises(ConnectionResetError):
        line.carrier.recv(1)
    line.proxy.target_port = None
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", line.proxy.port), 10) as refused:
        refused.recv(1)


def test_watch(line):
    passed = []
    done = line.proxy.watch(SUBMIT, 2, lambda: passed.append(line.proxy.seen[SUBMIT]))
    line.client.sendall(pdu(SUBMIT))
    take(line.carrier, 36)
    assert not done.is_set()
    line.client.sendall(pdu(SUBMIT) * 2)
    assert done.wait(10)
    take(line.carrier, 72)
    assert passed == [2]
