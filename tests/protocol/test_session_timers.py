"""Time reaches a session through `tick` alone, and `next_deadline` says when it has to be called."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import to_bytes
from protocol.commands import Command
from protocol.errors import LocalProtocolError
from protocol.events import Ended, Event, Unanswered
from protocol.pdu import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
    UnbindResp,
)
from protocol.session import Session, Timers
from protocol.states import Role, State
from tests.protocol.test_session import hear, sent, session_in, submit

NEVER = float("inf")
QUIET = Timers(session_init_s=None, partial_pdu_s=None, enquire_link_s=None)


def ended(events: list[Event]) -> bool:
    return any(isinstance(event, Ended) for event in events)


@pytest.mark.parametrize("role", Role)
def test_a_connection_that_does_not_bind_is_closed(role: Role) -> None:
    session = Session(role, 100.0, timers=Timers(session_init_s=5.0))
    assert session.next_deadline() == 105.0
    assert session.tick(104.9) == []
    assert ended(session.tick(105.0))
    assert session.state is State.CLOSED


def test_a_bound_session_has_no_init_timer() -> None:
    session = Session(Role.SMSC, 0.0, timers=Timers(session_init_s=5.0, enquire_link_s=None))
    request = BindTransceiver(1)
    hear(session, request, now=4.0)
    session.accept_bind(request, "", 4.5)
    assert session.tick(500.0) == []
    assert session.next_deadline() == NEVER


def test_an_unfinished_pdu_does_not_wait_for_ever_even_if_octets_trickle_in() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(partial_pdu_s=10.0, enquire_link_s=None))
    raw = to_bytes(DeliverSm(1))
    for second in range(10):
        session.receive_data(raw[second : second + 1], 50.0 + second)
        assert session.tick(50.0 + second) == []
    assert session.next_deadline() == 60.0
    assert ended(session.tick(60.0))


def test_the_timer_of_an_unfinished_pdu_starts_with_that_pdu() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(partial_pdu_s=10.0, enquire_link_s=None))
    raw = to_bytes(DeliverSm(1))
    session.receive_data(raw[:10], 0.0)
    session.receive_data(raw[10:] + raw[:10], 9.0)
    assert session.next_deadline() == 19.0
    assert session.tick(18.9) == []
    session.receive_data(raw[10:], 18.9)
    assert session.next_deadline() == NEVER


def test_a_silent_peer_is_enquired_and_then_given_up() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(enquire_link_s=30.0, enquire_link_timeout_s=10.0))
    assert session.tick(29.9) == []
    assert session.tick(30.0) == []
    assert [pdu.command_id for pdu in sent(session)] == [Command.ENQUIRE_LINK]
    assert session.next_deadline() == 40.0
    assert ended(session.tick(40.0))


def test_an_answered_enquire_link_starts_the_silence_anew() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(enquire_link_s=30.0))
    session.tick(30.0)
    (enquiry,) = sent(session)
    assert hear(session, EnquireLinkResp(enquiry.sequence), now=31.0) == []
    assert session.next_deadline() == 61.0


def test_a_busy_peer_that_ignores_enquire_link_is_alive() -> None:
    """Any PDU proves the link; the enquire_link itself becoming overdue must not count against it."""
    session = session_in(State.BOUND_TRX, timers=Timers(enquire_link_s=30.0, enquire_link_timeout_s=10.0))
    session.tick(30.0)
    for second in range(31, 200, 9):
        hear(session, DeliverSm(second), now=float(second))
        assert session.tick(second + 8.9) == []
    assert session.state is State.BOUND_TRX


def test_inactivity_closes_only_when_it_is_asked_for() -> None:
    session = session_in(State.BOUND_TRX, Role.SMSC, timers=Timers(inactivity_s=60.0, enquire_link_s=None))
    hear(session, EnquireLink(1), now=10.0)
    assert session.next_deadline() == 70.0
    assert session.tick(69.9) == []
    assert ended(session.tick(70.0))
    assert session_in(State.BOUND_TRX, timers=QUIET).tick(1e9) == []


def test_an_unbind_nobody_answers_ends_by_itself() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(unbind_timeout_s=5.0))
    session.unbind(10.0)
    assert session.next_deadline() == 15.0
    assert ended(session.tick(15.0))


def test_nothing_is_due_after_an_answered_unbind() -> None:
    session = session_in(State.BOUND_TRX)
    session.unbind(0.0)
    assert ended(hear(session, UnbindResp(1)))
    assert session.next_deadline() == NEVER
    assert session.tick(1e6) == []


def test_requests_are_told_unanswered_once_and_oldest_first() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(response_timeout_s=10.0))
    submit(session, 2, now=1.0)
    session.request(SubmitSm(), "3", 2.0)
    assert session.next_deadline() == 11.0
    assert session.tick(11.0) == [Unanswered(["1", "2"])]
    (enquiry,) = [pdu for pdu in sent(session) if pdu.command_id == Command.ENQUIRE_LINK]
    hear(session, EnquireLinkResp(enquiry.sequence), now=11.0)
    assert session.tick(12.0) == [Unanswered(["3"])]
    assert session.tick(13.0) == []


instants = st.floats(0.0, 40.0)
timers = st.builds(
    Timers,
    session_init_s=st.none() | st.floats(0.1, 30.0),
    partial_pdu_s=st.none() | st.floats(0.1, 30.0),
    enquire_link_s=st.none() | st.floats(0.1, 30.0),
    enquire_link_timeout_s=st.floats(0.1, 30.0),
    inactivity_s=st.none() | st.floats(0.1, 30.0),
    response_timeout_s=st.floats(0.1, 30.0),
    unbind_timeout_s=st.floats(0.1, 30.0),
)


def happen(session: Session, what: str, now: float) -> None:
    """One thing that can happen to a session; what it cannot do now, it refuses."""
    try:
        if what == "bind":
            session.bind(BindTransceiver(), now)
        elif what == "bound":
            hear(session, BindTransceiverResp(1), now=now)
        elif what == "submit":
            session.request(SubmitSm(), "token", now)
        elif what == "answer":
            hear(session, *(SubmitSmResp(number) for number in range(1, 9)), now=now)
        elif what == "alive":
            hear(session, *(EnquireLinkResp(number) for number in range(1, 9)), now=now)
        elif what == "part":
            session.receive_data(to_bytes(DeliverSm(1))[:20], now)
        elif what == "unbind":
            session.unbind(now)
        else:
            hear(session, DeliverSm(1), now=now)
    except LocalProtocolError:
        pass


happenings = st.sampled_from(("bind", "bound", "submit", "answer", "alive", "part", "unbind", "deliver", "tick"))


@given(timers, st.lists(st.tuples(st.floats(0.0, 8.0), happenings), max_size=14), st.floats(0.0, 50.0))
@settings(max_examples=400)
def test_the_next_deadline_is_when_tick_acts_and_not_later(
    limits: Timers, story: list[tuple[float, str]], pause: float
) -> None:
    """Earlier would make the owner spin, later would let a timeout slip."""
    now = 0.0
    session = Session(Role.ESME, now, timers=limits, window=3)
    for wait, what in story:
        now += wait
        if what == "tick":
            session.tick(now)
        else:
            happen(session, what, now)
    session.tick(now)
    session.data_to_send()
    due = session.next_deadline()
    assert due > now
    if now + pause < due:
        assert session.tick(now + pause) == []
        assert session.data_to_send() == b""
    if due < NEVER:
        assert session.tick(due) or session.data_to_send() or session.state is State.CLOSED
        assert session.next_deadline() > due
