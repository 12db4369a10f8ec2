"""One session: who may say what when, whose answer is whose, what becomes of requests when the link dies."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import to_bytes
from protocol.commands import RESPONSE_BIT, UNANSWERED, Command
from protocol.errors import LocalProtocolError, WindowFullError
from protocol.events import Answered, BindAnswered, Ended, Event, Unanswered, UnbindWaits, Violation
from protocol.framing import Framer
from protocol.pdu import (
    BY_COMMAND,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    response_to,
)
from protocol.session import Session, Timers, owed
from protocol.states import BOUND, BOUND_BY, MAY_SEND, Role, State, may_send
from protocol.status import Status
from protocol.tlv import Tag
from protocol.window import SEQUENCE_MAX
from tests.protocol.strategies import streams

ESME, SMSC = Role.ESME, Role.SMSC
BINDS = frozenset(BOUND_BY)
OWN = BINDS | {Command.ENQUIRE_LINK, Command.UNBIND}
"""Requests the session sends or answers by itself."""


def session_in(state: State, role: Role = ESME, **options: Any) -> Session:
    session = Session(role, 0.0, **options)
    session.state = state
    return session


def sent(session: Session) -> list[Pdu]:
    """What the session wants to say, decoded."""
    return [pdu for pdu in Framer().feed(session.data_to_send()) if isinstance(pdu, Pdu)]


def hear(session: Session, *pdus: Pdu, now: float = 0.0) -> list[Event]:
    return session.receive_data(b"".join(map(to_bytes, pdus)), now)


def submit(session: Session, count: int, now: float = 0.0) -> list[int]:
    """Requests with tokens "1", "2", ...; gives their sequence numbers."""
    return [session.request(SubmitSm(), str(number), now) for number in range(1, count + 1)]


# -- the state table

EVERY_CASE = [
    pytest.param(role, command, state, id=f"{role.value}-{command.name.lower()}-{state.value}")
    for role in Role
    for command in MAY_SEND
    for state in State
    if state is not State.CLOSED
]


@pytest.mark.parametrize(("role", "command", "state"), EVERY_CASE)
def test_we_send_only_what_the_table_allows(role: Role, command: Command, state: State) -> None:
    session = session_in(state, role)
    if may_send(role, command, state):
        session.request(BY_COMMAND[command](), "token", 0.0)
        assert [pdu.command_id for pdu in sent(session)] == [command]
    else:
        with pytest.raises(LocalProtocolError):
            session.request(BY_COMMAND[command](), "token", 0.0)
        assert session.data_to_send() == b""


@pytest.mark.parametrize(("role", "command", "state"), EVERY_CASE)
def test_the_peer_is_held_to_the_table(role: Role, command: Command, state: State) -> None:
    """`role` sends; the other end takes it as an event, answers by itself, or refuses with a response of the same type.

    One leniency: what a carrier delivers behind its unbind is taken, it would only come again.
    """
    session = session_in(state, SMSC if role is ESME else ESME)
    request = BY_COMMAND[command](77)
    events = hear(session, request)
    answers = sent(session)
    behind_unbind = role is SMSC and state is State.UNBOUND and may_send(role, command, State.BOUND_TRX)
    if may_send(role, command, state) or (behind_unbind and command is not Command.UNBIND):
        if command in (Command.ENQUIRE_LINK, Command.UNBIND):
            assert answers == [response_to(request)]
        else:
            assert (events, answers) == ([request], [])
        return
    assert [type(event) for event in events] == [Violation]
    status = Status.RALYBND if command in BINDS and state in BOUND else Status.RINVBNDSTS
    assert answers == ([] if command in UNANSWERED else [response_to(request, status)])
    assert session.state is state


@pytest.mark.parametrize("role", Role)
def test_a_closed_session_hears_and_does_nothing(role: Role) -> None:
    session = session_in(State.CLOSED, role)
    assert hear(session, EnquireLink(1), DeliverSm(2), SubmitSm(3)) == []
    assert session.tick(1e9) == session.receive_eof() == []
    assert session.data_to_send() == b""
    assert session.next_deadline() == float("inf")


# -- binding


@pytest.mark.parametrize("command", sorted(BINDS))
def test_a_bind_is_the_owners_to_accept(command: Command) -> None:
    session = Session(SMSC, 0.0)
    request = BY_COMMAND[command](1, interface_version=0x34)  # type: ignore[call-arg]
    assert hear(session, request) == [request]
    assert session.data_to_send() == b""
    session.accept_bind(request, "tensec", 1.0)
    (answer,) = sent(session)
    assert (answer.command_id, answer.status, answer.sequence) == (command | RESPONSE_BIT, 0, 1)
    assert answer.tlvs == ((Tag.SC_INTERFACE_VERSION, b"\x34"),)
    assert session.state is BOUND_BY[command]


def test_a_peer_of_3_3_gets_no_tlv() -> None:
    session = Session(SMSC, 0.0)
    request = BindTransceiver(1, interface_version=0x33)
    hear(session, request)
    session.accept_bind(request, "tensec", 0.0)
    assert sent(session)[0].tlvs == ()
    assert not session.takes_tlvs


def test_a_second_bind_is_refused_as_already_bound_even_while_the_first_waits() -> None:
    session = Session(SMSC, 0.0)
    first = BindTransceiver(1)
    hear(session, first)
    hear(session, BindTransceiver(2))
    session.accept_bind(first, "", 0.0)
    hear(session, BindTransceiver(3))
    assert [(p.sequence, p.status) for p in sent(session)] == [(2, Status.RALYBND), (1, 0), (3, Status.RALYBND)]


def test_a_refused_bind_may_be_tried_again() -> None:
    session = Session(SMSC, 0.0)
    hear(session, BindTransceiver(1))
    session.refuse_bind(BindTransceiver(1), Status.RBINDFAIL)
    again = BindTransceiver(2)
    assert hear(session, again) == [again]
    session.accept_bind(again, "", 0.0)
    assert session.state is State.BOUND_TRX


def test_a_bind_accepted_after_the_session_ended_binds_nothing() -> None:
    session = Session(SMSC, 0.0)
    request = BindTransceiver(1)
    hear(session, request)
    session.receive_eof()
    session.accept_bind(request, "", 0.0)
    assert session.state is State.CLOSED
    assert session.data_to_send() == b""


@pytest.mark.parametrize(("status", "state"), [(0, State.BOUND_TRX), (0x0E, State.OPEN), (0x05, State.OPEN)])
def test_the_answer_to_our_bind_decides_the_state(status: int, state: State) -> None:
    session = Session(ESME, 0.0)
    session.bind(BindTransceiver(), 0.0)
    tlvs = ((int(Tag.SC_INTERFACE_VERSION), b"\x34"),)
    assert hear(session, BindTransceiverResp(1, status, tlvs, b"", "carrier")) == [BindAnswered(status, "carrier", True)]
    assert session.state is state


def test_a_bind_refused_by_generic_nack_is_a_refused_bind() -> None:
    session = Session(ESME, 0.0)
    session.bind(BindTransceiver(), 0.0)
    assert hear(session, GenericNack(1, 3)) == [BindAnswered(3, "", False)]
    assert session.state is State.OPEN
    session.bind(BindTransceiver(), 0.0)


def test_an_answer_of_another_type_does_not_bind() -> None:
    session = Session(ESME, 0.0)
    session.bind(BindTransceiver(), 0.0)
    events = hear(session, BindReceiverResp(1), EnquireLinkResp(1), SubmitSmResp(1))
    assert [type(event) for event in events] == [Violation] * 3
    assert session.state is State.OPEN


def test_a_busy_carrier_may_deliver_and_enquire_before_its_bind_response() -> None:
    session = Session(ESME, 0.0)
    session.bind(BindTransceiver(), 0.0)
    deliver = DeliverSm(5)
    events = hear(session, EnquireLink(4), deliver, BindTransceiverResp(1))
    session.respond(DeliverSmResp(5))
    assert events == [deliver, BindAnswered(0, "", False)]
    assert [pdu.command_id for pdu in sent(session)] == [
        Command.BIND_TRANSCEIVER,
        Command.ENQUIRE_LINK_RESP,
        Command.DELIVER_SM_RESP,
    ]


def test_we_bind_once_at_a_time() -> None:
    session = Session(ESME, 0.0)
    session.bind(BindTransceiver(), 0.0)
    with pytest.raises(LocalProtocolError):
        session.bind(BindTransceiver(), 0.0)
    with pytest.raises(LocalProtocolError):
        Session(SMSC, 0.0).bind(BindTransceiver(), 0.0)


# -- answers


def test_answers_find_their_requests_in_any_order() -> None:
    session = session_in(State.BOUND_TRX)
    first, second, third = submit(session, 3)
    events = hear(session, SubmitSmResp(third), SubmitSmResp(first, 0x58), SubmitSmResp(second, message_id="b"))
    answers = [(e.token, e.answer.status, e.late) for e in events if isinstance(e, Answered)]
    assert answers == [("3", 0, False), ("1", 0x58, False), ("2", 0, False)]


def test_a_repeated_answer_changes_nothing() -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 1)
    events = hear(session, SubmitSmResp(1), SubmitSmResp(1))
    assert [type(event) for event in events] == [Answered, Violation]
    assert len(session.window) == 0


@pytest.mark.parametrize("wrong", [DataSmResp(1), DeliverSmResp(1), EnquireLinkResp(1), SubmitSmResp(2), GenericNack(0, 2)])
def test_an_answer_of_another_type_or_number_completes_nothing(wrong: Pdu) -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 1)
    session.data_to_send()
    assert [type(event) for event in hear(session, wrong)] == [Violation]
    assert len(session.window) == 1
    assert session.data_to_send() == b""


def test_generic_nack_with_a_number_answers_that_request() -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 2)
    (event,) = hear(session, GenericNack(2, 3))
    assert isinstance(event, Answered)
    assert (event.token, event.answer) == ("2", GenericNack(2, 3))


@given(
    st.sampled_from([command for command in Command if command & RESPONSE_BIT]),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(State),
)
def test_a_response_is_never_answered(command: Command, status: int, state: State) -> None:
    for role in Role:
        session = session_in(state, role)
        hear(session, BY_COMMAND[command](1, status))
        assert session.data_to_send() == b""


# -- the window


def test_a_full_window_refuses_and_sends_nothing() -> None:
    session = session_in(State.BOUND_TRX, window=2)
    submit(session, 2)
    octets = session.queued_octets
    session.data_to_send()
    assert session.can_send == 0
    with pytest.raises(WindowFullError):
        session.request(SubmitSm(), "3", 0.0)
    assert (session.data_to_send(), session.queued_octets) == (b"", octets)
    hear(session, SubmitSmResp(1))
    assert session.can_send == 1


def test_our_own_enquire_link_takes_no_slot() -> None:
    session = session_in(State.BOUND_TRX, window=1, timers=Timers(enquire_link_s=1.0))
    session.tick(1.0)
    assert [pdu.command_id for pdu in sent(session)] == [Command.ENQUIRE_LINK]
    assert session.can_send == 1
    submit(session, 1)
    assert session.can_send == 0


def test_sequence_numbers_wrap_to_1_and_skip_those_in_flight() -> None:
    session = session_in(State.BOUND_TRX, first_sequence=SEQUENCE_MAX - 1)
    assert submit(session, 3) == [SEQUENCE_MAX - 1, SEQUENCE_MAX, 1]
    session.window._next = SEQUENCE_MAX - 1
    assert submit(session, 1) == [2]


def test_an_unanswered_request_keeps_its_slot_until_the_peer_proves_it_is_alive() -> None:
    session = session_in(State.BOUND_TRX, window=1, timers=Timers(response_timeout_s=2.0, enquire_link_s=None))
    (number,) = submit(session, 1, now=10.0)
    assert session.tick(11.9) == []
    assert session.tick(12.0) == [Unanswered(["1"])]
    assert session.can_send == 0
    enquiry = sent(session)[-1]
    assert enquiry.command_id == Command.ENQUIRE_LINK
    hear(session, DeliverSm(9), now=12.5)  # alive, but what it dropped may still be under way
    assert session.can_send == 0
    hear(session, EnquireLinkResp(enquiry.sequence), now=13.0)
    assert session.can_send == 1
    (late,) = hear(session, SubmitSmResp(number, message_id="y"), now=60.0)
    assert isinstance(late, Answered)
    assert (late.token, late.late, late.sent_at) == ("1", True, 10.0)


def test_an_enquire_link_answered_proves_nothing_about_requests_sent_after_it() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(response_timeout_s=2.0, enquire_link_s=5.0))
    session.tick(5.0)
    enquiry = sent(session)[0]
    submit(session, 1, now=6.0)
    session.tick(8.0)
    hear(session, EnquireLinkResp(enquiry.sequence), now=8.0)
    assert session.window.has_overdue
    session.tick(8.0)
    again = sent(session)[-1]
    assert again.command_id == Command.ENQUIRE_LINK
    hear(session, EnquireLinkResp(again.sequence), now=9.0)
    assert not session.window.has_overdue


def test_a_peer_that_answers_neither_requests_nor_enquire_link_is_given_up_however_busy_it_is() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(response_timeout_s=2.0, enquire_link_timeout_s=3.0))
    submit(session, 1)
    session.tick(2.0)
    hear(session, DeliverSm(1), now=4.9)
    assert session.tick(4.9) == []
    assert [type(event) for event in session.tick(5.0)] == [Ended]


# -- leaving


def test_the_peers_unbind_is_answered_and_late_answers_still_count() -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 2)
    session.data_to_send()
    events = hear(session, SubmitSmResp(1), Unbind(5), SubmitSmResp(2))
    assert [type(event) for event in events] == [Answered, UnbindWaits, Answered]
    assert (sent(session), session.finished) == ([UnbindResp(5)], True)
    assert session.can_send == 0
    with pytest.raises(LocalProtocolError):
        session.request(SubmitSm(), "3", 0.0)


def test_the_peers_unbind_is_answered_after_the_requests_it_sent_before() -> None:
    session = session_in(State.BOUND_TRX, SMSC)
    assert hear(session, SubmitSm(1), SubmitSm(2), Unbind(3)) == [SubmitSm(1), SubmitSm(2), UnbindWaits()]
    session.respond_submit(1, 0, "a")
    assert (sent(session), session.finished) == ([SubmitSmResp(1, message_id="a")], False)
    session.respond_submit(2, 0, "b")
    assert (sent(session), session.finished) == ([SubmitSmResp(2, message_id="b"), UnbindResp(3)], True)
    assert session.tick(1000.0) == []


def test_a_peers_unbind_does_not_wait_for_ever_for_our_answers() -> None:
    session = session_in(State.BOUND_TRX, SMSC, timers=Timers(unbind_timeout_s=5.0))
    hear(session, SubmitSm(1), Unbind(2), now=10.0)
    assert session.next_deadline() == 15.0
    assert [type(event) for event in session.tick(15.0)] == [Ended]


def test_requests_outstanding_at_the_peers_unbind_have_an_unknown_outcome() -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 2)
    written = len(session.data_to_send())
    hear(session, Unbind(5))
    assert session.lost(written) == ([], ["1", "2"])


def test_our_unbind_stops_requests_and_answers_what_still_comes() -> None:
    session = session_in(State.BOUND_TRX)
    submit(session, 1)
    session.unbind(0.0)
    session.unbind(0.0)
    assert [pdu.command_id for pdu in sent(session)] == [Command.SUBMIT_SM, Command.UNBIND]
    assert session.can_send == 0
    with pytest.raises(LocalProtocolError):
        session.request(SubmitSm(), "2", 0.0)
    deliver = DeliverSm(7)
    events = hear(session, deliver, SubmitSmResp(1), UnbindResp(2))
    assert [type(event) for event in events] == [DeliverSm, Answered, Ended]
    session.respond(DeliverSmResp(7))
    assert sent(session) == [DeliverSmResp(7)]


def test_unbinds_that_cross_end_the_session_once() -> None:
    session = session_in(State.BOUND_TRX)
    session.unbind(0.0)
    events = hear(session, Unbind(9), UnbindResp(1))
    assert [(type(event), event.clean) for event in events if isinstance(event, Ended)] == [(Ended, True)]
    assert session.tick(100.0) == []


def test_the_end_of_the_stream_inside_a_pdu_says_so() -> None:
    session = session_in(State.BOUND_TRX)
    session.receive_data(to_bytes(DeliverSm(1))[:20], 0.0)
    (ended,) = session.receive_eof()
    assert isinstance(ended, Ended)
    assert (ended.clean, ended.reason) == (False, "closed by the peer inside a PDU")


def test_of_several_requests_those_that_can_be_encoded_are_sent() -> None:
    session = session_in(State.BOUND_TRX, window=3)
    pdus = [SubmitSm(), SubmitSm(source_addr="x" * 21), SubmitSm(short_message=b"3")]
    (failed,) = session.request_all(pdus, ["1", "2", "3"], 0.0)
    assert failed[0] == "2"
    assert "21 characters" in str(failed[1])
    octets = session.data_to_send()
    assert [pdu.sequence for pdu in Framer().feed(octets)] == [1, 3]
    assert session.queued_octets == len(octets)
    assert session.can_send == 1
    with pytest.raises(WindowFullError):
        session.request_all([SubmitSm(), SubmitSm()], ["4", "5"], 0.0)
    assert session.data_to_send() == b""
    assert session.lost(len(octets) - 1) == (["3"], ["1"])


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.data())
def test_only_requests_that_left_us_whole_have_an_unknown_outcome(texts: list[bytes], data: st.DataObject) -> None:
    session = session_in(State.BOUND_TRX, window=100)
    hear(session, EnquireLink(1))  # an answer of ours moves the offsets too
    ends = []
    for number, text in enumerate(texts):
        session.request(SubmitSm(short_message=text), number, 0.0)
        ends.append(session.queued_octets)
    answered = data.draw(st.sets(st.sampled_from(range(len(texts)))))
    hear(session, *(SubmitSmResp(number + 1) for number in answered))
    assert len(session.data_to_send()) == session.queued_octets
    written = data.draw(st.integers(0, session.queued_octets) | st.sampled_from(ends))
    unsent, unknown = session.lost(written)
    open_still = [number for number in range(len(texts)) if number not in answered]
    assert unsent == [number for number in open_still if ends[number] > written]
    assert unknown == [number for number in open_still if ends[number] <= written]
    assert session.state is State.CLOSED


def test_a_lost_link_hands_back_none_of_the_sessions_own_requests() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(enquire_link_s=1.0))
    session.tick(1.0)
    session.unbind(1.0)
    assert session.lost(0) == ([], [])


# -- wrong octets


def test_a_lost_stream_position_is_answered_once_and_ends_the_session() -> None:
    session = session_in(State.BOUND_TRX)
    events = session.receive_data(b"HTTP/1.1 400 Bad Request\r\n", 0.0)
    assert [type(event) for event in events] == [Violation, Ended]
    assert sent(session) == [GenericNack(0, Status.RINVCMDLEN)]
    assert hear(session, EnquireLink(1)) == []


@given(st.sampled_from(Role), st.sampled_from(State), st.lists(st.binary(max_size=80), max_size=6))
def test_random_octets_give_events_and_never_an_exception(role: Role, state: State, chunks: list[bytes]) -> None:
    session = session_in(state, role)
    for now, chunk in enumerate(chunks):
        session.receive_data(chunk, float(now))
        session.tick(float(now))
    session.data_to_send()


@pytest.mark.parametrize("count", [1, 3])
def test_requests_without_answer_yet_are_counted(count: int) -> None:
    session = session_in(State.BOUND_TRX)
    hear(session, *(DeliverSm(number) for number in range(1, count + 1)))
    assert session.unanswered == count
    session.respond(DeliverSmResp(1))
    assert session.unanswered == count - 1


@settings(max_examples=200)
@given(st.data(), st.sampled_from(Role), st.sampled_from(State))
def test_damaged_pdus_give_events_and_at_most_one_answer_each(data: st.DataObject, role: Role, state: State) -> None:
    stream = data.draw(streams)
    session = session_in(state, role)
    session.receive_data(stream, 0.0)
    for answer in sent(session):
        assert answer.command_id & RESPONSE_BIT
    items = Framer().feed(stream)
    requests = [item for item in items if not getattr(item, "command_id", RESPONSE_BIT) & RESPONSE_BIT]
    again = session_in(state, role)
    again.receive_data(stream, 0.0)
    assert len(sent(again)) <= len(requests)


def test_a_session_lingers_behind_the_peers_unbind_for_answers_to_us() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(unbind_timeout_s=5.0, enquire_link_s=None))
    submit(session, 2)
    session.data_to_send()
    assert hear(session, Unbind(5), now=10.0) == [UnbindWaits()]
    assert [type(event) for event in hear(session, SubmitSmResp(1, message_id="a"))] == [Answered]
    assert not session.finished
    assert session.next_deadline() <= 15.0
    assert Ended("the unbind was not completed in time") in session.tick(15.0)


@pytest.mark.parametrize("status", [Status.ROK, Status.RMSGQFUL])
@pytest.mark.parametrize("mixed", [True, False])
def test_requests_are_answered_together_each_by_its_own_kind(status: Status, mixed: bool) -> None:
    session = session_in(State.BOUND_TRX)
    requests = [DeliverSm(5), *([DataSm(6)] if mixed else []), DeliverSm(7)]
    hear(session, *requests)
    session.respond_all([owed(one) for one in requests], status)
    assert sent(session) == [response_to(one, status) for one in requests]
