"""Subscribers' messages end to end: long ones become one whatever dies between their parts, replies find who wrote last."""

import pytest
from api_client import Receiver, serve
from esme_client import bound, submit_sm
from gateway_process import account, channel, route, wait_for

from protocol.pdu import DeliverSm
from protocol.tlv import Tag, get
from protocol.udh import UDHI, Concat, concat_header

TO, OTHER = "8613800138000", "8613800138001"
NUMBER = "10690001"
TEXT = "".join(chr(0x4E00 + at) for at in range(150)) + "😀"


def mo(text: bytes, *, to: str = NUMBER, sender: str = TO, **fields: object) -> DeliverSm:
    return DeliverSm(source_addr_ton=1, source_addr=sender, destination_addr=to, short_message=text, **fields)  # type: ignore[arg-type]


def parts(text: str, size: int = 133) -> list[DeliverSm]:
    """As a careless handset cuts it: within a character, and within the pair at the end."""
    data = text.encode("utf-16-be")
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    headers = [concat_header(Concat(7, len(cut), seq, 8)) for seq in range(1, len(cut) + 1)]
    return [mo(head + body, esm_class=UDHI, data_coding=8) for head, body in zip(headers, cut, strict=True)]


def test_a_long_text_is_one_message_whatever_dies_between_its_parts(start, scripted):
    settings = {
        "accounts": [account("desk", source_addresses=[NUMBER])],
        "channels": [channel("one", scripted.port)],
        "routes": [route("one")],
    }
    gateway = start.gateway(**settings)
    first, second, third = parts(TEXT)
    peer = scripted.accept()
    assert peer.ask(third).status == 0
    assert peer.ask(first).status == 0
    peer.close()
    gateway.signal(9)
    gateway.wait()
    again = start.gateway(data_dir=str(gateway.data_dir), **settings)
    peer = scripted.accept()
    for pdu in (first, second, second):  # the answers to both got lost
        assert peer.ask(pdu).status == 0
    with bound(again.port, system_id="desk") as client:
        pdu = client.deliver_sm()
        assert (pdu.short_message, pdu.esm_class, pdu.data_coding) == (b"", 0, 8)
        assert (get(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"").decode("utf-16-be") == TEXT
        assert peer.ask(mo(b"next")).status == 0
        assert client.deliver_sm().short_message == b"next", "and it came once"
    assert again.terminate() == 0


def test_a_client_that_knows_no_tlvs_gets_its_parts(start, scripted):
    gateway = start.gateway(
        accounts=[account("desk", source_addresses=[NUMBER])],
        channels=[channel("one", scripted.port)],
        routes=[route("one")],
    )
    peer = scripted.accept()
    for pdu in parts(TEXT):
        assert peer.ask(pdu).status == 0
    with bound(gateway.port, system_id="desk", version=0x33) as client:
        got = [client.deliver_sm() for _ in range(3)]
    assert [one.short_message[:6] for one in got] == [bytes((5, 0, 3, got[0].short_message[3], 3, seq)) for seq in (1, 2, 3)]
    assert b"".join(one.short_message[6:] for one in got).decode("utf-16-be") == TEXT


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


def test_two_accounts_share_a_number_and_each_reply_goes_off_the_right_list(start, scripted, receiver):
    place = serve(
        start,
        accounts=tuple({"system_id": name, "source_addresses": ["1069*"]} for name in ("shop", "bank")),
        channels=[channel("one", scripted.port)],
        routes=[route("one")],
        policies=[{"name": "default"}],
    )
    gateway, peer = place.gateway, scripted.accept()
    for name in ("shop", "bank"):
        made = place.api(name).post("/v1/webhooks", {"url": receiver.url(f"/{name}"), "events": ["message.received"]})
        assert made.status == 201, made
    sent = {}
    for name, to in (("bank", TO), ("shop", OTHER), ("bank", OTHER), ("shop", TO)):
        body = place.api(name).send(f"+{to}", **{"from": NUMBER, "class": "marketing"})
        scripted.take_submit(peer)
        sent[name, to] = body["id"]

    def listed(name: str) -> str:
        return gateway.cli("optout", "ls", "--account", name).stdout.strip()

    for sender in (TO, OTHER):
        assert peer.ask(mo("ＴＤ。".encode("utf-16-be"), sender=sender, data_coding=8)).status == 0
    for name, to in (("shop", TO), ("bank", OTHER)):
        (got,) = receiver.wait(f"/{name}", bool, "the reply")
        event = got.body
        assert (event["data"]["from"], event["data"]["in_reply_to"]) == (f"+{to}", sent[name, to])
        wait_for(lambda name=name, to=to: listed(name) == f"+{to}", f"{to} on the list of {name}")


def test_a_message_sent_over_smpp_is_answered_to_its_account(start, scripted):
    gateway = start.gateway(
        accounts=[account("first", source_addresses=["1069*"]), account("last", source_addresses=[])],
        core={"replies_unlisted": True},
        channels=[channel("one", scripted.port)],
        routes=[route("one")],
    )
    peer = scripted.accept()
    with bound(gateway.port, system_id="first") as first, bound(gateway.port, system_id="last") as last:
        token = last.send(submit_sm(TO, source_addr=NUMBER))
        scripted.take_submit(peer)
        assert last.answer(token).status == 0
        assert peer.ask(mo(b"yes")).status == 0
        assert last.deliver_sm().short_message == b"yes"
        assert peer.ask(mo(b"who?", sender=OTHER)).status == 0
        assert first.deliver_sm().short_message == b"who?"
