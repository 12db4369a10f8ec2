"""What a client may ask for, from its socket to the carrier's and back. The carrier is played by the test."""

import re

import pytest
from esme_client import SOURCE, bound
from gateway_process import account, channel, free_port, route, wait_for

from protocol.fields import Destination
from protocol.pdu import CancelSm, DataSm, DeliverSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm
from protocol.receipt import MessageState
from protocol.status import Status
from protocol.tlv import Tag, get_int

TO = "8613912345678"
IN_A_SECOND = "000000000001000R"
IN_A_MINUTE = "000000000100000R"
SECRETS = (TO, "8613800138000", "915327")


@pytest.fixture
def gateway(start, scripted):
    """A gateway with the scripted carrier as its only channel."""
    return start.gateway(
        secrets=SECRETS,
        accounts=[account(), account("other")],
        channels=[channel("scripted", scripted.port, mo_account="interop")],
        routes=[route("scripted")],
        core={"parts_timeout_s": 0.5},
    )


@pytest.fixture
def carrier(gateway, scripted):
    """The gateway's session at the carrier."""
    session = scripted.accept()
    gateway.wait_channel("scripted")
    return session


@pytest.fixture
def client(gateway, carrier):
    with bound(gateway.port) as one:
        yield one


def deliver(scripted, carrier, client, **fields):
    """Submit, accept, deliver: (what the carrier saw, the id the client has)."""
    answer = client.submit(TO, **fields)
    assert answer.status == 0
    submit, carriers_id = scripted.take_submit(carrier)
    assert scripted.deliver(carrier, submit, carriers_id) == 0
    return submit, answer.message_id


# -- submit_sm and receipts


def test_a_message_there_and_its_receipt_back(gateway, scripted, carrier, client):
    text = "【签名】代码 915327".encode("utf-16-be")
    submit, message_id = deliver(scripted, carrier, client, short_message=text, data_coding=8, priority_flag=2, protocol_id=65)
    assert (submit.source_addr, submit.destination_addr) == (SOURCE, TO)
    assert (submit.short_message, submit.data_coding, submit.priority_flag, submit.protocol_id) == (text, 8, 2, 65)
    assert submit.registered_delivery & 3 == 1
    assert submit.schedule_delivery_time == ""
    assert re.fullmatch(r"\d{15}R", submit.validity_period)
    assert gateway.finals() == {"delivered": 1}, "a receipt is acknowledged once its state is stored"

    pdu = client.take(DeliverSm)
    client.respond(pdu)
    assert (pdu.source_addr, pdu.destination_addr) == (TO, SOURCE), "a receipt comes from the recipient"
    assert pdu.esm_class & 0x3C == 0x04
    shape = r"id:(\d+) sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000 text:.*"
    assert re.fullmatch(shape, pdu.short_message.decode())[1] == message_id
    assert dict(pdu.tlvs)[Tag.RECEIPTED_MESSAGE_ID] == message_id.encode() + b"\0"
    assert get_int(pdu.tlvs, Tag.MESSAGE_STATE) == MessageState.DELIVERED
    client.unbind()


@pytest.mark.parametrize(
    ("stat", "err", "told"), [("UNDELIV", "069", "UNDELIV"), ("REJECTD", "001", "REJECTD"), ("EXPIRED", "000", "EXPIRED")]
)
def test_a_failure_receipt_keeps_state_and_error(scripted, carrier, client, stat, err, told):
    message_id = client.submit(TO).message_id
    submit, carriers_id = scripted.take_submit(carrier)
    assert scripted.deliver(carrier, submit, carriers_id, stat, err) == 0
    receipt = client.receipt()
    assert (receipt.id, receipt.raw_stat, receipt.err) == (message_id, told, err)


def test_intermediate_receipts_change_nothing_and_repeated_ones_tell_once(gateway, scripted, carrier, client):
    client.submit(TO)
    submit, carriers_id = scripted.take_submit(carrier)
    for stat in ("ACCEPTD", "ENROUTE", "UNKNOWN"):
        assert scripted.deliver(carrier, submit, carriers_id, stat) == 0
    assert gateway.ledger()["in_flight"] == 1
    for _ in range(3):
        assert scripted.deliver(carrier, submit, carriers_id) == 0
    assert scripted.deliver(carrier, submit, carriers_id, "UNDELIV") == 0
    assert gateway.finals() == {"delivered": 1}
    assert client.receipt().raw_stat == "DELIVRD"
    _, last = deliver(scripted, carrier, client)
    assert client.receipt().id == last, "there was no second receipt before it"


def test_a_receipt_for_an_id_nobody_knows_is_acknowledged_and_fits_later(gateway, scripted, carrier, client):
    client.submit(TO)
    submit = carrier.take(SubmitSm)
    assert scripted.deliver(carrier, submit, "early") == 0
    assert gateway.ledger()["in_flight"] == 1
    carrier.respond(submit, message_id="early")
    assert client.receipt().raw_stat == "DELIVRD"


def test_registered_delivery_says_who_wants_to_know(scripted, carrier, client):
    for asked in (0, 2):
        deliver(scripted, carrier, client, registered_delivery=asked)
    failing = client.submit(TO, registered_delivery=2).message_id
    submit, carriers_id = scripted.take_submit(carrier)
    assert scripted.deliver(carrier, submit, carriers_id, "UNDELIV") == 0
    _, always = deliver(scripted, carrier, client, registered_delivery=1)
    receipts = [client.receipt() for _ in range(2)]
    assert [(one.id, one.raw_stat) for one in receipts] == [(failing, "UNDELIV"), (always, "DELIVRD")]


def test_receipts_wait_for_a_transmitter_to_bind_a_receiver(gateway, scripted, carrier):
    with bound(gateway.port, "tx") as transmitter:
        _, first = deliver(scripted, carrier, transmitter)
        with bound(gateway.port, "tx", "other") as other:
            deliver(scripted, carrier, other)
        with bound(gateway.port, "rx") as receiver:
            assert receiver.receipt().id == first
            _, second = deliver(scripted, carrier, transmitter)
            assert receiver.receipt().id == second, "and nobody else's"


def test_receipts_of_a_session_that_dies_go_to_the_next(gateway, scripted, carrier):
    with bound(gateway.port) as first:
        ids = {deliver(scripted, carrier, first)[1] for _ in range(3)}
        acknowledged = first.receipt().id
        first.take(DeliverSm)  # seen, not acknowledged
    wait_for(lambda: gateway.logged("session ended", account="interop"))
    with bound(gateway.port, "rx") as second:
        got = [second.receipt().id for _ in range(2)]
    assert sorted(got) == sorted(ids - {acknowledged})


def test_receipts_are_spread_over_the_sessions_of_an_account(gateway, scripted, carrier):
    with bound(gateway.port) as first, bound(gateway.port, "rx") as second:
        ids = {deliver(scripted, carrier, first)[1] for _ in range(6)}
        got = set()

        def everything():
            for one in (first, second):
                one.pump(0.01)
                while any(isinstance(event, DeliverSm) for event in one.events):
                    got.add(one.receipt().id)
            return len(got) == 6

        wait_for(everything)
        assert got == ids


def test_a_refused_receipt_comes_again(scripted, carrier, client):
    _, message_id = deliver(scripted, carrier, client)
    assert client.receipt(status=Status.RX_T_APPN).id == message_id
    assert client.receipt().id == message_id


def test_a_client_of_smpp_33(gateway, scripted, carrier):
    with bound(gateway.port, version=0x33) as client:
        _, message_id = deliver(scripted, carrier, client)
        assert re.fullmatch("[0-9a-fA-F]{8}", message_id)
        pdu = client.deliver_sm()
        assert f"id:{message_id} " in pdu.short_message.decode()
        assert pdu.tlvs == ()
        state = client.ask(QuerySm(message_id=message_id, source_addr=SOURCE)).message_state
        assert state == MessageState.DELIVERED


# -- the other ways to submit


def test_submit_multi(gateway, scripted, carrier, client):
    numbers = [TO, "8613800138000", "12"]
    multi = SubmitMulti(
        source_addr=SOURCE,
        destinations=tuple(Destination(1, 1, one) for one in numbers),
        registered_delivery=1,
        short_message=b"to all",
    )
    answer = client.ask(multi)
    assert answer.status == 0
    assert [(one.addr, one.status) for one in answer.unsuccess] == [("12", Status.RINVDSTADR)]
    submits = [scripted.take_submit(carrier) for _ in range(2)]
    assert {submit.destination_addr for submit, _ in submits} == set(numbers[:2])
    for submit, carriers_id in submits:
        scripted.deliver(carrier, submit, carriers_id)
    receipts = [client.deliver_sm() for _ in range(2)]
    assert {one.source_addr for one in receipts} == set(numbers[:2])
    assert all(f"id:{answer.message_id} ".encode() in one.short_message for one in receipts)
    assert gateway.ledger()["accepted"] == 2


def test_submit_multi_to_nobody(client):
    assert client.ask(SubmitMulti(source_addr=SOURCE)).status == Status.RINVNUMDESTS
    listed = SubmitMulti(source_addr=SOURCE, destinations=(Destination(dl_name="friends"),))
    assert client.ask(listed).status == Status.RINVDLNAME
    wrong = SubmitMulti(source_addr=SOURCE, destinations=(Destination(1, 1, "12"),))
    assert client.ask(wrong).status == Status.RINVDSTADR


def test_data_sm(scripted, carrier, client):
    data = DataSm(
        source_addr=SOURCE,
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=TO,
        registered_delivery=1,
        tlvs=((Tag.MESSAGE_PAYLOAD, b"in a payload"),),
    )
    answer = client.ask(data)
    assert answer.status == 0
    submit, carriers_id = scripted.take_submit(carrier)
    assert submit.short_message == b"in a payload"
    scripted.deliver(carrier, submit, carriers_id)
    assert client.receipt().id == answer.message_id


def test_validity_and_schedule_in_absolute_time(scripted, carrier, client):
    assert client.submit(TO, schedule_delivery_time="010101000000000+").status == 0, "a time long past means now"
    submit, _ = scripted.take_submit(carrier)
    assert submit.schedule_delivery_time == ""
    assert client.submit(TO, validity_period="370101000000032+").status == 0


# -- questions and wishes


def query(client, message_id, source=SOURCE):
    return client.ask(QuerySm(message_id=message_id, source_addr=source))


def test_query_sm_along_the_way(gateway, scripted, carrier, client):
    message_id = client.submit(TO, schedule_delivery_time=IN_A_SECOND).message_id
    answer = query(client, message_id)
    assert (answer.message_id, answer.message_state, answer.final_date) == (message_id, MessageState.SCHEDULED, "")
    submit, carriers_id = scripted.take_submit(carrier)
    assert query(client, message_id).message_state == MessageState.ENROUTE
    scripted.deliver(carrier, submit, carriers_id, "UNDELIV", "012")
    answer = query(client, message_id)
    assert (answer.message_state, answer.error_code) == (MessageState.UNDELIVERABLE, 12)
    assert re.fullmatch(r"\d{15}[+-]", answer.final_date)
    # Only the sender may ask, by the right address.
    assert query(client, message_id, "1234").status == Status.RQUERYFAIL
    assert query(client, "no such id").status == Status.RQUERYFAIL
    with bound(gateway.port, "tx", "other") as other:
        assert query(other, message_id).status == Status.RQUERYFAIL


def test_cancel_sm_before_and_after_it_left(gateway, scripted, carrier, client):
    waiting = client.submit(TO, schedule_delivery_time=IN_A_MINUTE).message_id
    cancel = CancelSm(message_id=waiting, source_addr=SOURCE, destination_addr=TO)
    with bound(gateway.port, "tx", "other") as other:
        assert other.ask(cancel).status == Status.RCANCELFAIL
    assert client.ask(cancel).status == 0
    receipt = client.receipt()
    assert (receipt.id, receipt.raw_stat) == (waiting, "DELETED")
    assert client.ask(cancel).status == Status.RCANCELFAIL, "once is enough"

    left = client.submit(TO).message_id
    submit, carriers_id = scripted.take_submit(carrier)
    assert submit.short_message == b"hello"
    assert client.ask(CancelSm(message_id=left, source_addr=SOURCE)).status == Status.RCANCELFAIL
    scripted.deliver(carrier, submit, carriers_id)
    assert client.receipt().raw_stat == "DELIVRD"
    assert gateway.finals() == {"delivered": 1, "cancelled": 1}


def test_cancel_sm_of_all_messages_to_a_number(gateway, client):
    ids = {client.submit(TO, schedule_delivery_time=IN_A_MINUTE).message_id for _ in range(3)}
    kept = client.submit("8613800138000", schedule_delivery_time=IN_A_MINUTE).message_id
    assert client.ask(CancelSm(source_addr=SOURCE, destination_addr=TO)).status == 0
    assert {client.receipt().id for _ in ids} == ids
    assert query(client, kept).message_state == MessageState.SCHEDULED
    assert gateway.finals() == {"cancelled": 3}


def test_replace_sm_before_and_after_it_left(scripted, carrier, client):
    message_id = client.submit(TO, schedule_delivery_time=IN_A_MINUTE).message_id
    replace = ReplaceSm(
        message_id=message_id,
        source_addr=SOURCE,
        schedule_delivery_time=IN_A_SECOND,
        registered_delivery=1,
        short_message=b"other text",
    )
    assert client.ask(replace).status == 0
    submit, carriers_id = scripted.take_submit(carrier)
    assert submit.short_message == b"other text"
    assert client.ask(ReplaceSm(message_id=message_id, source_addr=SOURCE)).status == Status.RREPLACEFAIL
    scripted.deliver(carrier, submit, carriers_id)
    assert client.receipt().id == message_id


def test_what_no_carrier_takes_in_time_expires(start):
    gateway = start.gateway(
        accounts=[account()], channels=[channel("down", free_port())], routes=[route("down")], secrets=SECRETS
    )
    with bound(gateway.port) as client:
        message_id = client.submit(TO, validity_period=IN_A_SECOND).message_id
        assert query(client, message_id).message_state == MessageState.ENROUTE
        receipt = client.receipt()
    assert (receipt.id, receipt.raw_stat) == (message_id, "EXPIRED")
    assert gateway.finals() == {"expired": 1}


# -- parts that the sender cut


def part(ref, total, seq, text=b"part", **fields):
    return {"esm_class": 0x40, "short_message": bytes((5, 0, 3, ref, total, seq)) + text, **fields}


def test_parts_wait_for_each_other(scripted, carrier, client):
    first = client.submit(TO, **part(7, 2, 2, b"second")).message_id
    deliver(scripted, carrier, client, short_message=b"overtakes")
    assert client.receipt().raw_stat == "DELIVRD"
    second = client.submit(TO, **part(7, 2, 1, b"first")).message_id
    submits = [scripted.take_submit(carrier) for _ in range(2)]
    assert [submit.short_message[6:] for submit, _ in submits] == [b"first", b"second"]
    assert all(submit.esm_class & 0x40 for submit, _ in submits)
    for submit, carriers_id in submits:
        scripted.deliver(carrier, submit, carriers_id)
    assert {client.receipt().id for _ in range(2)} == {first, second}, "one receipt for each part"


def test_parts_that_never_become_whole_are_rejected(gateway, client):
    ids = {client.submit(TO, **part(9, 3, seq)).message_id for seq in (1, 3)}
    receipts = [client.receipt() for _ in ids]
    assert {one.id for one in receipts} == ids
    assert {one.raw_stat for one in receipts} == {"REJECTD"}
    assert gateway.finals() == {"rejected": 2}


def two_ways(start, scripted, second):
    """A gateway with two scripted carriers, and their sessions by name."""
    gateway = start.gateway(
        accounts=[account()],
        channels=[channel("one", scripted.port, window=100), channel("two", second.port, window=100)],
        routes=[route("two", classes=["verification"]), route("one", "two")],
        secrets=SECRETS,
    )
    ways = {"one": scripted.accept(), "two": second.accept()}
    for name in ways:
        gateway.wait_channel(name)
    return gateway, ways


def test_parts_of_one_message_go_one_way(start, scripted, other_scripted):
    gateway, ways = two_ways(start, scripted, other_scripted)
    with bound(gateway.port) as client:
        for ref in range(20):
            for seq in (1, 2, 3):
                assert client.submit(TO, **part(ref, 3, seq)).status == 0
        seen = {name: [] for name in ways}

        def all_there():
            for name, peer in ways.items():
                peer.pump(0.01)
                seen[name] = [one.short_message[3:6] for one in peer.events if isinstance(one, SubmitSm)]
            return sum(map(len, seen.values())) == 60

        wait_for(all_there, lambda: str(seen))
    assert all(seen.values()), "both are used"
    references = {name: {one[0] for one in parts} for name, parts in seen.items()}
    assert not references["one"] & references["two"]


@pytest.mark.parametrize("earlier", ["down", "removed"])
def test_a_reference_that_comes_again_may_go_another_way(gateway, scripted, carrier, client, other_scripted, earlier):
    """References are few: the channel that took an earlier group holds no later one."""
    for seq in (1, 2):
        client.submit(TO, **part(3, 2, seq))
    for _ in range(2):
        scripted.take_submit(carrier)
    scripted.close()
    gateway.wait_channel("scripted", "down")
    both = [channel("scripted", scripted.port, mo_account="interop"), channel("two", other_scripted.port)]
    names = ["scripted", "two"] if earlier == "down" else ["two"]
    assert gateway.take_over(channels=both[-len(names) :], routes=[route(*names)]) == []
    session = other_scripted.accept()
    for seq in (1, 2):
        client.submit(TO, **part(3, 2, seq))
    for _ in range(2):
        submit, carriers_id = other_scripted.take_submit(session)
        other_scripted.deliver(session, submit, carriers_id)
    assert {client.receipt().raw_stat for _ in range(2)} == {"DELIVRD"}


def test_a_senders_tlvs_choose_the_class(start, scripted, other_scripted):
    gateway, ways = two_ways(start, scripted, other_scripted)
    with bound(gateway.port) as client:
        urgent = ((0x3E01, b"verification\0"), (0x3E03, b"shop"))
        for _ in range(8):
            assert client.submit(TO, tlvs=urgent).status == 0
        for _ in range(8):
            pdu = ways["two"].take(SubmitSm)
            assert {tag for tag, _ in pdu.tlvs} == {Tag.USER_MESSAGE_REFERENCE}, "they are between us and the sender"
        assert client.submit(TO, tlvs=((0x3E01, b"nonsense"),)).status == Status.RINVOPTPARAMVAL


# -- from subscribers


@pytest.mark.parametrize("text", [b"STOP", "退订".encode("utf-16-be")])
def test_a_subscribers_message_reaches_its_account(gateway, scripted, carrier, client, text):
    with bound(gateway.port, "rx", "other") as other:
        pdu = DeliverSm(source_addr=TO, destination_addr=SOURCE, data_coding=8, short_message=text)
        assert carrier.ask(pdu).status == 0
        got = client.deliver_sm()
        assert (got.source_addr, got.destination_addr) == (TO, SOURCE)
        assert (got.esm_class, got.data_coding, got.short_message) == (0, 8, text)
        other.pump(0.01)
        assert other.events == []


def test_a_subscribers_message_in_a_payload_and_without_receiver(gateway, scripted, carrier):
    text = b"x" * 400
    assert carrier.ask(DeliverSm(source_addr=TO, destination_addr=SOURCE, tlvs=((Tag.MESSAGE_PAYLOAD, text),))).status == 0
    with bound(gateway.port, "rx") as client:
        got = client.deliver_sm()
    assert dict(got.tlvs)[Tag.MESSAGE_PAYLOAD] == text


def test_text_that_looks_like_a_receipt_is_one_only_where_the_channel_says_so(gateway, scripted, carrier, client):
    client.submit(TO)
    _, carriers_id = scripted.take_submit(carrier)
    text = f"id:{carriers_id} sub:001 dlvrd:001 submit date:2611220300 done date:2611220300 stat:DELIVRD err:000 text:"
    typed = DeliverSm(source_addr=TO, destination_addr=SOURCE, short_message=text.encode())
    assert carrier.ask(typed).status == 0
    assert client.deliver_sm().esm_class == 0
    assert gateway.ledger()["in_flight"] == 1, "a subscriber can type anything"

    trusting = channel("trusting", scripted.port, receipt_trust_text=True)
    assert gateway.take_over(channels=[trusting], routes=[route("trusting")]) == []
    session = scripted.accept()
    client.submit(TO)
    _, carriers_id = scripted.take_submit(session)
    text = f"id:{carriers_id} stat:DELIVRD err:000"
    typed = DeliverSm(source_addr=TO, destination_addr=SOURCE, short_message=text.encode())
    assert session.ask(typed).status == 0
    assert client.receipt().raw_stat == "DELIVRD"
