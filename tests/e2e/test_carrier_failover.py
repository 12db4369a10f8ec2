"""Carriers that are down, refuse, die and come back: what was accepted ends final, by another channel where there is one."""

import select

import pytest
from esme_client import bound
from gateway_process import account, channel, free_port, route, wait_for

from protocol.pdu import SubmitSm
from protocol.status import Status

TO = "8613912345678"
CODES = {"class": "verification"}


def submit(number=0):
    return SubmitSm(
        source_addr="10690000",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=str(8613800000000 + number),
        registered_delivery=1,
        short_message=b"hello",
    )


def send(client, count):
    """The ids of `count` accepted messages."""
    tokens = [client.send(submit(at)) for at in range(count)]
    answers = [client.answer(token) for token in tokens]
    assert {one.status for one in answers} == {0}
    return {one.message_id for one in answers}


def receipts(client, ids):
    """States told for `ids`, each exactly once."""
    got = [client.receipt() for _ in ids]
    assert {one.id for one in got} == ids
    return {one.raw_stat for one in got}


def test_one_carrier_down_from_the_start(start):
    up = start.carrier("--dlr-delay-ms", "0")
    gateway = start.gateway(
        accounts=[account()],
        channels=[channel("down", free_port()), channel("up", up.port)],
        routes=[route("down", "up")],
    )
    gateway.wait_channel("up")
    with bound(gateway.port) as client:
        assert receipts(client, send(client, 30)) == {"DELIVRD"}
    assert gateway.channels()["down"].submitted == 0


@pytest.mark.parametrize(
    "quirk", ["--throttle-every 1", "--qful-every 1", "--nack-every 1"], ids=["throttled", "queue full", "generic_nack"]
)
def test_one_carrier_refuses_everything(start, quirk):
    refusing, good = start.carrier(*quirk.split()), start.carrier("--dlr-delay-ms", "0")
    gateway = start.gateway(
        accounts=[account()],
        channels=[channel("refusing", refusing.port), channel("good", good.port)],
        routes=[route("refusing", "good")],
    )
    for name in ("refusing", "good"):
        gateway.wait_channel(name)
    with bound(gateway.port) as client:
        assert receipts(client, send(client, 40)) == {"DELIVRD"}
    views = gateway.channels()
    assert views["refusing"].refused == views["refusing"].submitted > 0
    assert views["good"].delivered == 40
    assert gateway.terminate() == 0
    assert (refusing.finish()["violations"], good.finish()["violations"]) == ({}, {})


def test_a_carrier_that_will_not_take_this_sender_hands_over_at_once(start, scripted):
    """ESME_RINVSRCADR: another channel may, this one never."""
    good = start.carrier("--dlr-delay-ms", "0")
    first = channel("strict", scripted.port)
    gateway = start.gateway(accounts=[account()], channels=[first], routes=[route("strict")])
    strict = scripted.accept()
    gateway.wait_channel("strict")
    with bound(gateway.port) as client:
        token = client.send(submit())
        client.answer(token)
        pdu = strict.take(SubmitSm)
        assert gateway.take_over(channels=[first, channel("good", good.port)], routes=[route("strict", "good")]) == []
        gateway.wait_channel("good")
        strict.respond(pdu, Status.RINVSRCADR)
        assert client.receipt().raw_stat == "DELIVRD"

        # With no other channel left it is rejected, and the sender told.
        assert gateway.take_over(channels=[first], routes=[route("strict")]) == []
        client.submit(TO)
        scripted.take_submit(strict, Status.RINVSRCADR)
        assert client.receipt().raw_stat == "REJECTD"


def test_a_carrier_killed_in_the_middle(start):
    """Codes: what nobody answered goes out again by the other channel. Everything accepted ends final."""
    doomed = start.carrier("--resp-delay-ms", "30", "--dlr-delay-ms", "0")
    other = start.carrier("--resp-delay-ms", "5", "--dlr-delay-ms", "0")
    gateway = start.gateway(
        accounts=[account(**CODES)],
        channels=[channel("doomed", doomed.port), channel("other", other.port)],
        routes=[route("doomed", "other")],
    )
    for name in ("doomed", "other"):
        gateway.wait_channel(name)
    with bound(gateway.port) as client:
        tokens = [client.send(submit(at)) for at in range(200)]
        wait_for(lambda: gateway.channels()["doomed"].submitted > 20)
        doomed.kill()
        accepted = sum(client.answer(token).status == 0 for token in tokens)
        assert accepted == 200
        gateway.wait_channel("doomed", "down")
        # A code whose answer came and whose receipt died with the carrier stays open until its validity is over.
        wait_for(lambda: gateway.finals().get("delivered", 0) >= 190 and gateway.ledger()["queued"] == 0)
        sums = gateway.ledger()
        assert sums["final"]["delivered"] + sums["in_flight"] == 200
        assert gateway.finals().keys() == {"delivered"}
        told = [client.receipt() for _ in range(sums["final"]["delivered"])]
        assert {one.raw_stat for one in told} == {"DELIVRD"}
    lost = gateway.logged("link lost with submits in flight", channel="doomed")
    assert len(lost) == 1


def test_messages_wait_for_the_only_carrier_to_come_back(start, scripted):
    gateway = start.gateway(accounts=[account()], channels=[channel("only", scripted.port)], routes=[route("only")])
    carrier = scripted.accept()
    gateway.wait_channel("only")
    with bound(gateway.port) as client:
        first = client.submit(TO).message_id
        sent, carriers_id = scripted.take_submit(carrier)
        carrier.close()
        waiting = send(client, 20)
        assert gateway.ledger()["queued"] + gateway.ledger()["in_flight"] == 21

        again = scripted.accept()
        gateway.wait_channel("only")
        # The receipt of the first comes by the new session: the key is the channel and the id, never the bind.
        assert scripted.deliver(again, sent, carriers_id) == 0
        assert client.receipt().id == first
        for _ in waiting:
            pdu, carriers_id = scripted.take_submit(again)
            scripted.deliver(again, pdu, carriers_id)
        assert receipts(client, waiting) == {"DELIVRD"}
    assert gateway.finals() == {"delivered": 21}


def test_an_answer_lost_with_the_link_is_made_good_by_the_receipt(start, scripted):
    """A notification is not sent again while evidence may come: its receipt on the next session settles it."""
    gateway = start.gateway(accounts=[account()], channels=[channel("only", scripted.port)], routes=[route("only")])
    carrier = scripted.accept()
    with bound(gateway.port) as client:
        message_id = client.submit(TO).message_id
        pdu = carrier.take(SubmitSm)
        carrier.close()  # taken, never answered
        gateway.wait_log("link lost with submits in flight", channel="only", unknown=1)
        again = scripted.accept()
        assert scripted.deliver(again, pdu, "never-told") == 0
        receipt = client.receipt()
        assert (receipt.id, receipt.raw_stat) == (message_id, "DELIVRD")
    assert gateway.finals() == {"delivered": 1}
    assert gateway.channels()["only"].submitted == 1


def test_half_a_write_is_no_attempt(start, scripted):
    """A carrier that stops reading and then resets: what did not leave whole is sent again, and nothing is lost."""
    other = start.carrier("--dlr-delay-ms", "0")
    big = channel("deaf", scripted.port, window=2000, long_messages="payload")
    gateway = start.gateway(accounts=[account(window=2000)], channels=[big], routes=[route("deaf")])
    carrier = scripted.accept()
    gateway.wait_channel("deaf")
    payload = b"x" * 12_000
    with bound(gateway.port) as client:
        tokens = []
        for at in range(600):  # 7 MB: more than the kernels hold
            pdu = submit(at)
            pdu.short_message, pdu.tlvs = b"", ((0x0424, payload),)
            pdu.data_coding = 4
            tokens.append(client.send(pdu))
        statuses = {client.answer(token).status for token in tokens}
        assert statuses == {0}
        assert gateway.ledger()["accepted"] == 600
        assert (
            gateway.take_over(
                channels=[big, channel("other", other.port, window=50, long_messages="payload")],
                routes=[route("deaf", "other")],
            )
            == []
        )
        gateway.wait_channel("other")
        carrier.close()
        scripted.listener.close()
        lost = gateway.wait_log("link lost with submits in flight", channel="deaf")
        assert lost["unsent"] > 0
        wait_for(lambda: gateway.ledger()["queued"] == 0)
        wait_for(lambda: gateway.finals().get("delivered", 0) >= 600 - lost["unknown"], lambda: str(gateway.ledger()))
        sums = gateway.ledger()
        assert sums["final"]["delivered"] + sums["in_flight"] == 600


def test_transmitter_and_receiver_pairs(start):
    carrier = start.carrier("--dlr-timing", "never", "--resp-delay-ms", "10", "--window", "10")
    gateway = start.gateway(
        accounts=[account()],
        channels=[channel("pairs", carrier.port, bind="transmitter+receiver", binds=2)],
        routes=[route("pairs")],
    )
    view = gateway.wait_channel("pairs")
    assert [one.kind for one in view.binds] == ["tx", "rx", "tx", "rx"]
    assert view.window_size == 20
    with bound(gateway.port) as client:
        send(client, 50)
        wait_for(lambda: gateway.channels()["pairs"].window_used == 0 and gateway.channels()["pairs"].submitted == 50)
    assert gateway.terminate() == 0
    counted = carrier.finish()
    assert (counted["binds"], counted["submits"], counted["unbinds"], counted["violations"]) == (4, 50, 4, {})


def test_receipts_come_on_the_receiver_of_a_pair(start, scripted):
    gateway = start.gateway(
        accounts=[account()], channels=[channel("pair", scripted.port, bind="transmitter+receiver")], routes=[route("pair")]
    )
    sessions = {}
    for _ in range(2):
        peer = scripted.accept()
        sessions[peer.session.state.name] = peer
    assert set(sessions) == {"BOUND_TX", "BOUND_RX"}
    with bound(gateway.port) as client:
        message_id = client.submit(TO).message_id
        pdu, carriers_id = scripted.take_submit(sessions["BOUND_TX"])
        assert scripted.deliver(sessions["BOUND_RX"], pdu, carriers_id) == 0
        assert client.receipt().id == message_id
        # Without its transmitter the channel is down, though the receiver still listens.
        sessions["BOUND_TX"].close()
        gateway.wait_log("session failed", channel="pair")
        scripted.accept()
        gateway.wait_channel("pair")


def test_a_carrier_without_transceivers_says_what_to_set(start, scripted):
    gateway = start.gateway(accounts=[account()], channels=[channel("old", scripted.port)])
    scripted.accept(Status.RINVCMDID)
    hint = 'set bind = "transmitter+receiver"'
    wait_for(lambda: hint in gateway.channels()["old"].last_error, lambda: str(gateway.channels()))


def test_wrong_password_is_shown_and_not_hammered(start):
    carrier = start.carrier("--password", "another")
    gateway = start.gateway(accounts=[account()], channels=[channel("locked", carrier.port)], routes=[route("locked")])
    view = wait_for(lambda: next((one for one in gateway.channels().values() if one.last_error), None))
    assert (view.name, view.state) == ("locked", "down")
    assert view.last_error == "bind refused: ESME_RBINDFAIL"
    assert "ESME_RBINDFAIL" in gateway.cli("channel", "ls").stdout


@pytest.mark.parametrize("status", [Status.RBINDFAIL, Status.RINVPASWD, Status.RINVSYSID, Status.RALYBND])
def test_a_refused_bind_is_not_tried_again_at_once(start, scripted, other_scripted, status):
    """While a channel that just loses its link is tried several times, the refused one is left alone."""
    channels = [channel("refused", scripted.port), channel("lossy", other_scripted.port)]
    gateway = start.gateway(accounts=[account()], channels=channels)
    scripted.accept(status)
    for _ in range(4):
        other_scripted.accept().close()
    assert select.select([scripted.listener], [], [], 0)[0] == []
    assert "bind refused" in gateway.channels()["refused"].last_error


def test_a_refused_bind_is_tried_again_later(start, scripted):
    gateway = start.gateway(accounts=[account()], channels=[channel("held", scripted.port, refused_retry_s=0.4)])
    scripted.accept(Status.RALYBND)
    wait_for(lambda: gateway.channels()["held"].last_error == "bind refused: ESME_RALYBND")
    scripted.accept()
    assert gateway.wait_channel("held").last_error == ""
