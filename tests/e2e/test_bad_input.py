"""Clients that err, guess, stall and flood: each gets the answer SMPP has for it, and no other client feels it."""

import contextlib
import random
import socket
import struct
import time

import pytest
from esme_client import Client, bound, submit_sm
from gateway_process import account, channel, route, wait_for

from protocol.commands import Command
from protocol.status import Status

NUMBER = "8613912345678"
TEXT = b"the code is 915327"
SECRETS = (NUMBER, "915327", "guessed1")


def head(length, command, sequence=1, status=0):
    return struct.pack(">4I", length, command, status, sequence)


def pdu(command, body=b"", sequence=1):
    return head(16 + len(body), command, sequence) + body


def bind_body(system_id=b"interop", password=b"secret"):
    return system_id + b"\0" + password + b"\0\0\x34\0\0\0"


class Raw:
    """A socket that sends what the test wants. `host` is its own address on the loopback net."""

    def __init__(self, port, host="127.0.0.1"):
        self.sock = socket.create_connection(("127.0.0.1", port), 15, source_address=(host, 0))
        self._stream = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)
        return self

    def read(self):
        """(command_id, status, sequence, body) of the next PDU; None at the end of the stream."""
        try:
            header = self._stream.read(16)
            if len(header) < 16:
                return None
            length, command, status, sequence = struct.unpack(">4I", header)
            return command, status, sequence, self._stream.read(length - 16)
        except ConnectionError:
            return None

    def bind(self, system_id=b"interop", password=b"secret", kind=Command.BIND_TRANSCEIVER):
        return self.send(pdu(kind, bind_body(system_id, password))).read()

    def close(self):
        self._stream.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture(scope="module")
def gateway(start_module):
    carrier = start_module.carrier("--dlr-delay-ms", "0")
    accounts = [
        account(),
        account("other"),
        account("slow", messages_per_second=5),
        account("few", binds_max=2),
        account("tx-only", bind_kinds=["transmitter"]),
        account("far", networks=["10.0.0.0/8", "2001:db8::/32"]),
        account("near", networks=["127.0.0.0/30"]),
        account("named", source_addresses=["10690001", "1069001*"]),
    ]
    return start_module.gateway(
        secrets=SECRETS,
        accounts=accounts,
        smpp={"bind_failure_delay_s": 0.05},
        channels=[channel("sink", carrier.port, window=100)],
        routes=[route("sink")],
    )


@pytest.fixture(autouse=True)
def good_client(request):
    """Whatever a test does to the shared gateway, a client that behaves is served before and after."""
    if "gateway" not in request.fixturenames:
        yield
        return
    gateway = request.getfixturevalue("gateway")
    with bound(gateway.port, "tx", "other") as client:
        yield
        assert client.submit(NUMBER, short_message=TEXT, registered_delivery=0).status == 0
        client.unbind()


# -- binds


def test_wrong_password_and_unknown_name_are_told_alike(gateway):
    with Raw(gateway.port) as wrong, Raw(gateway.port) as unknown:
        assert wrong.bind(b"interop", b"guessed1") == unknown.bind(b"nobody", b"guessed1")
    with Raw(gateway.port) as one:
        command, status, sequence, _ = one.bind(b"interop", b"guessed1")
        assert (command, status, sequence) == (Command.BIND_TRANSCEIVER_RESP, Status.RBINDFAIL, 1)
        assert one.read() is None, "the connection closes"
    assert gateway.wait_log("bind refused", reason="unknown system_id")["account"] == "nobody"
    assert gateway.wait_log("bind refused", reason="wrong password")["account"] == "interop"


def test_a_guesser_is_refused_at_the_door_and_others_are_not(gateway):
    for _ in range(5):
        with Raw(gateway.port, "127.0.0.77") as one:
            assert one.bind(b"interop", b"guessed1")[1] == Status.RBINDFAIL
    with Raw(gateway.port, "127.0.0.77") as one:
        assert one.read() is None, "closed before a word"
    wait_for(lambda: [one for one in gateway.log if one.get("peer") == "127.0.0.77" and "failed binds" in str(one)])
    with Raw(gateway.port, "127.0.0.78") as neighbour:
        assert neighbour.bind()[1] == 0


@pytest.mark.parametrize(
    ("system_id", "kind", "reason"),
    [
        (b"tx-only", Command.BIND_TRANSCEIVER, "bind_transceiver is not allowed"),
        (b"tx-only", Command.BIND_RECEIVER, "bind_receiver is not allowed"),
        (b"far", Command.BIND_TRANSCEIVER, "not from an allowed network"),
    ],
)
def test_what_the_account_may_not_do_is_refused_without_reason(gateway, system_id, kind, reason):
    with Raw(gateway.port) as one:
        assert one.bind(system_id, kind=kind)[1] == Status.RBINDFAIL
        assert one.read() is None
    gateway.wait_log("bind refused", account=system_id.decode(), reason=reason)


def test_being_not_allowed_is_no_guess(gateway):
    for _ in range(6):
        with Raw(gateway.port, "127.0.0.79") as one:
            assert one.bind(b"far")[1] == Status.RBINDFAIL


def test_networks_are_those_of_the_peer(gateway):
    with Raw(gateway.port, "127.0.0.2") as inside, Raw(gateway.port, "127.0.0.9") as outside:
        assert inside.bind(b"near")[1] == 0
        assert outside.bind(b"near")[1] == Status.RBINDFAIL


def test_more_binds_than_allowed(gateway):
    with Raw(gateway.port) as first, Raw(gateway.port) as second, Raw(gateway.port) as third:
        assert first.bind(b"few")[1] == 0
        assert second.bind(b"few")[1] == 0
        assert third.bind(b"few")[1] == Status.RALYBND
        assert third.read() is None
        first.close()

        def free_again():
            with Raw(gateway.port) as fourth:
                return fourth.bind(b"few")[1] == 0

        wait_for(free_again, "the place of the one that left")


def test_second_bind_on_a_session(gateway):
    with Raw(gateway.port) as one:
        one.bind()
        assert one.send(pdu(Command.BIND_TRANSMITTER, bind_body(), 2)).read()[:3] == (
            Command.BIND_TRANSMITTER_RESP,
            Status.RALYBND,
            2,
        )
        assert one.send(pdu(Command.ENQUIRE_LINK, sequence=3)).read()[:3] == (Command.ENQUIRE_LINK_RESP, 0, 3)


@pytest.mark.parametrize("body", [bind_body(password=b"guessed1" * 3), bind_body(system_id=b"x" * 40), b"interop", b""])
def test_malformed_binds(gateway, body):
    with Raw(gateway.port) as one:
        command, status, _, _ = one.send(pdu(Command.BIND_TRANSCEIVER, body)).read()
        assert command == Command.BIND_TRANSCEIVER_RESP
        assert status != 0


# -- the stream


@pytest.mark.parametrize(
    "data",
    [
        head(4, Command.ENQUIRE_LINK),
        head(15, Command.ENQUIRE_LINK),
        head(0x7FFFFFFF, Command.SUBMIT_SM),
        head(70_001, Command.SUBMIT_SM),
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
    ],
    ids=["4", "15", "2 GB", "over the limit", "HTTP"],
)
@pytest.mark.parametrize("bound_first", [False, True])
def test_a_length_that_cannot_be_ends_the_session(gateway, data, bound_first):
    with Raw(gateway.port) as one:
        if bound_first:
            one.bind()
        one.send(data)
        assert one.read()[:2] == (Command.GENERIC_NACK, Status.RINVCMDLEN)
        assert one.read() is None


def test_unknown_commands_are_refused_and_the_session_stays(gateway):
    with Raw(gateway.port) as one:
        one.bind()
        for sequence, command in enumerate((0x00000111, 0x00010201, 0x7FFFFFFF), 2):
            answer = one.send(pdu(command, b"anything", sequence)).read()
            assert answer[:3] == (Command.GENERIC_NACK, Status.RINVCMDID, sequence)
        one.send(pdu(0x80010201, b"", 9))  # a response nobody asked for is not answered
        assert one.send(pdu(Command.ENQUIRE_LINK, sequence=10)).read()[:3] == (Command.ENQUIRE_LINK_RESP, 0, 10)


def test_requests_before_the_bind(gateway):
    with Client(gateway.port) as client:
        raw = pdu(Command.SUBMIT_SM, b"\0\1\1106\0\1\1" + NUMBER.encode() + b"\0" + bytes(3) + b"\0\0" + bytes(5))
        client.sock.sendall(raw + pdu(Command.QUERY_SM, b"1\0\0\0\0", 2) + pdu(Command.ENQUIRE_LINK, sequence=3))
        stream = client.sock.makefile("rb")
        answers = [struct.unpack(">4I", stream.read(16)) for _ in range(3)]
        stream.close()
    assert [one[1:] for one in answers] == [
        (Command.SUBMIT_SM_RESP, Status.RINVBNDSTS, 1),
        (Command.QUERY_SM_RESP, Status.RINVBNDSTS, 2),
        (Command.ENQUIRE_LINK_RESP, 0, 3),
    ]


def test_a_receiver_may_not_submit(gateway):
    with Raw(gateway.port) as one:
        one.bind(kind=Command.BIND_RECEIVER)
        body = b"\0\1\1106\0\1\1" + NUMBER.encode() + b"\0" + bytes(3) + b"\0\0" + bytes(5)
        assert one.send(pdu(Command.SUBMIT_SM, body, 2)).read()[:3] == (Command.SUBMIT_SM_RESP, Status.RINVBNDSTS, 2)


def test_malformed_submits_are_refused_one_by_one(gateway):
    good = b"\0\1\1106\0\1\1" + NUMBER.encode() + b"\0" + bytes(3) + b"\0\0" + bytes(5)
    endless = b"\0\1\1106\0\1\1" + NUMBER.encode() * 3 + b"\0" + bytes(3) + b"\0\0" + bytes(5)
    lying = good[:-1] + b"\xfe" + b"915327"
    with Raw(gateway.port) as one:
        one.bind()
        for sequence, body in enumerate((b"", good[:9], endless, lying), 2):
            command, status, answered, _ = one.send(pdu(Command.SUBMIT_SM, body, sequence)).read()
            assert (command, answered) == (Command.SUBMIT_SM_RESP, sequence)
            assert status != 0
        assert one.send(pdu(Command.SUBMIT_SM, good, 9)).read()[1:3] == (0, 9)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"destination_addr": "12"}, Status.RINVDSTADR),
        ({"destination_addr": "not a number"}, Status.RINVDSTADR),
        ({"destination_addr": ""}, Status.RINVDSTADR),
        ({"schedule_delivery_time": "261399000000000+"}, Status.RINVSCHED),
        ({"validity_period": "991399000000000+"}, Status.RINVEXPIRY),
        ({"validity_period": "200101000000000+"}, Status.RINVEXPIRY),
    ],
)
def test_what_cannot_be_sent_is_refused(gateway, fields, status):
    with bound(gateway.port) as client:
        assert client.ask(submit_sm(**fields)).status == status


def test_source_address_must_be_the_accounts(gateway):
    with bound(gateway.port, "tx", "named") as client:
        allowed = {one: client.submit(NUMBER, source_addr=one).status for one in ("10690001", "10690019", "106900", "Bank")}
    assert allowed == {"10690001": 0, "10690019": 0, "106900": Status.RINVSRCADR, "Bank": Status.RINVSRCADR}


def test_rate_limit_throttles(gateway):
    with bound(gateway.port, "tx", "slow") as client:
        tokens = [client.send(submit_sm(NUMBER)) for _ in range(40)]
        statuses = [client.answer(token).status for token in tokens]
        assert statuses[:5] == [0] * 5
        assert set(statuses) == {0, Status.RTHROTTLED}
        # The rest of the answers did not wait, and later there is room again.
        wait_for(lambda: client.submit(NUMBER).status == 0, "room again")


# -- time


@pytest.fixture(scope="module")
def impatient(start_module):
    smpp = {"session_init_s": 0.3, "partial_pdu_s": 0.3, "write_buffer_max": 65_536, "write_stalled_s": 1.0}
    return start_module.gateway(
        secrets=SECRETS,
        accounts=[account(window=10_000)],
        smpp=smpp,
        channels=[channel("sink", start_module.carrier("--dlr-delay-ms", "0").port, window=100)],
        routes=[route("sink")],
    )


def test_no_bind_in_time(impatient):
    with Raw(impatient.port) as one:
        assert one.read() is None
    impatient.wait_log("session ended", reason="no bind within 0.3 s")


def test_enquiring_is_no_bind(impatient):
    with Raw(impatient.port) as one, contextlib.suppress(ConnectionError):
        while one.send(pdu(Command.ENQUIRE_LINK)).read() is not None:
            pass
    impatient.wait_log("session ended", reason="no bind within 0.3 s")


def test_half_a_pdu(impatient):
    with Raw(impatient.port) as one:
        assert one.bind(kind=Command.BIND_TRANSMITTER)[1] == 0
        one.send(head(100, Command.SUBMIT_SM, 2) + b"\0\1\1106")
        assert one.read() is None
    impatient.wait_log("session ended", reason="an unfinished PDU for 0.3 s")


def deaf(port):
    """A bound client whose kernel takes next to nothing on its behalf."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(15)
    sock.connect(("127.0.0.1", port))
    sock.sendall(pdu(Command.BIND_TRANSCEIVER, bind_body()))
    return sock


def flood(sock):
    """Ask, and never read an answer, until the gateway has had enough."""
    block = b"".join(pdu(Command.ENQUIRE_LINK, sequence=one) for one in range(1, 2001))
    deadline = time.monotonic() + 30
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline:
            sock.sendall(block)


def test_a_client_that_asks_and_never_reads_is_closed(impatient):
    since = impatient.log_size
    before = impatient.resident_kb()
    with deaf(impatient.port) as sock:
        flood(sock)
    impatient.wait_log("client does not read: closed", since=since)
    assert impatient.resident_kb() - before < 40_000


def test_receipts_of_a_client_that_never_reads_are_kept_for_its_next_bind(impatient):
    count = 1500
    since = impatient.log_size
    before = impatient.ledger()["accepted"]
    body = b"\0\1\1106\0\1\1" + NUMBER.encode() + b"\0" + bytes(3) + b"\0\0" + b"\1" + bytes(3) + b"\6" + b"915327"
    with deaf(impatient.port) as sock:
        sock.sendall(b"".join(pdu(Command.SUBMIT_SM, body, one) for one in range(2, count + 2)))
        flood(sock)
    impatient.wait_log("client does not read: closed", since=since)
    wait_for(lambda: impatient.ledger()["open"] == 0)
    accepted = impatient.ledger()["accepted"] - before
    assert accepted > 0
    with bound(impatient.port) as client:
        ids = [client.receipt().id for _ in range(accepted)]
        client.unbind()
    assert len(set(ids)) == accepted


# -- a crowd


def test_a_flood_of_rubbish_does_not_reach_a_good_client(gateway):
    dice = random.Random(20261122)
    commands = [int(one) for one in Command]
    good = bound(gateway.port)
    crowd = []
    for at in range(120):
        raw = Raw(gateway.port, f"127.0.1.{at + 1}")
        crowd.append(raw)
        if at % 3 == 0:
            data = dice.randbytes(5000)
        else:  # rubbish that is framed well gets further
            bodies = [dice.randbytes(dice.randrange(120)) for _ in range(40)]
            data = b"".join(pdu(dice.choice(commands), body, dice.randrange(1, 1 << 31)) for body in bodies)
            if at % 3 == 1:
                data = pdu(Command.BIND_TRANSCEIVER, bind_body()) + data
        with contextlib.suppress(ConnectionError):
            raw.send(data)
        if at % 4 == 0:
            assert good.submit(NUMBER, short_message=TEXT).status == 0
    for raw in crowd:
        raw.close()
    receipts = [good.receipt() for _ in range(30)]
    assert len({one.id for one in receipts}) == 30
    good.unbind()
    assert gateway.logged("bug: session closed") == []
