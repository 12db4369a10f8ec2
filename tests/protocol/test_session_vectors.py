"""The `session` records of the conformance corpus are stories in words. Those one session can tell are told here, each in a
test named after its record; the others belong to the parts that know stores, channels and accounts.
"""

from collections.abc import Callable

from protocol.commands import Command
from protocol.events import Answered, BindAnswered, Ended, Unanswered, Violation
from protocol.pdu import BindTransceiver, BindTransceiverResp, DeliverSm, DeliverSmResp, GenericNack, SubmitSmResp, UnbindResp
from protocol.receipt import RECEIPT, MessageState, parse
from protocol.session import Session, Timers
from protocol.states import Role, State
from tests.protocol.test_session import hear, sent, session_in, submit
from tests.protocol.test_vectors import records


def receipt_for(message_id: str, stat: str, sequence: int = 50) -> DeliverSm:
    return DeliverSm(sequence, esm_class=RECEIPT, short_message=f"id:{message_id} stat:{stat} err:000 text:".encode())


def test_v_session_001_a_peer_that_closes_instead_of_answering_our_unbind_is_a_clean_end() -> None:
    session = session_in(State.BOUND_TRX)
    session.unbind(0.0)
    assert session.receive_eof() == [Ended("closed by the peer", clean=True)]
    assert session.tick(100.0) == []


def test_v_session_002_the_second_of_two_equal_answers_moves_nothing() -> None:
    session = session_in(State.BOUND_TRX, first_sequence=2)
    submit(session, 1)
    (answered,) = hear(session, SubmitSmResp(2))
    assert isinstance(answered, Answered)
    before = session.can_send
    assert [type(event) for event in hear(session, SubmitSmResp(2))] == [Violation]
    assert session.can_send == before


def test_v_session_003_a_receipt_that_crosses_our_unbind_is_acknowledged() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(unbind_timeout_s=5.0))
    session.unbind(0.0)
    receipt = receipt_for("x", "DELIVRD")
    assert hear(session, receipt) == [receipt]
    session.respond(DeliverSmResp(receipt.sequence))
    assert sent(session)[-1] == DeliverSmResp(receipt.sequence)
    assert session.next_deadline() == 5.0
    assert hear(session, UnbindResp(1)) == [Ended("unbound", clean=True)]


def test_v_session_004_a_silent_client_is_closed_by_the_session_init_timer() -> None:
    session = Session(Role.SMSC, 0.0, timers=Timers(session_init_s=5.0))
    assert [type(event) for event in session.tick(session.next_deadline())] == [Ended]
    assert session.state is State.CLOSED


def test_v_session_005_a_receipt_that_comes_twice_is_acknowledged_twice() -> None:
    session = session_in(State.BOUND_TRX)
    for sequence in (50, 51):
        for event in hear(session, receipt_for("x", "DELIVRD", sequence)):
            assert isinstance(event, DeliverSm)
            session.respond(DeliverSmResp(event.sequence))
    assert sent(session) == [DeliverSmResp(50), DeliverSmResp(51)]


def test_v_session_006_accepted_is_not_final_and_delivered_is() -> None:
    states = []
    for stat in ("ACCEPTD", "DELIVRD"):
        pdu = receipt_for("x", stat)
        found = parse(pdu.esm_class, pdu.short_message, pdu.tlvs)
        assert found is not None
        states.append((found.state, found.final))
    assert states == [(MessageState.ACCEPTED, False), (MessageState.DELIVERED, True)]


def test_v_session_007_a_late_answer_still_brings_its_id() -> None:
    session = session_in(State.BOUND_TRX, first_sequence=4, timers=Timers(response_timeout_s=10.0))
    submit(session, 1)
    assert session.tick(10.0) == [Unanswered(["1"])]
    (late,) = hear(session, SubmitSmResp(4, message_id="Y"), now=11.0)
    assert isinstance(late, Answered)
    assert (late.token, late.late, late.answer) == ("1", True, SubmitSmResp(4, message_id="Y"))


def test_v_session_008_a_delivery_instead_of_an_enquire_link_resp_proves_the_link() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(enquire_link_s=30.0, enquire_link_timeout_s=10.0))
    session.tick(30.0)
    hear(session, receipt_for("x", "DELIVRD"), now=39.0)
    assert session.tick(48.9) == []
    assert session.state is State.BOUND_TRX


def test_v_session_009_a_nack_without_a_number_fails_no_submit() -> None:
    session = session_in(State.BOUND_TRX, timers=Timers(response_timeout_s=10.0))
    submit(session, 2)
    (event,) = hear(session, GenericNack(0, 2), now=1.0)
    assert isinstance(event, Violation)
    assert not event.fatal
    assert session.tick(10.0) == [Unanswered(["1", "2"])]


def test_v_session_011_an_answer_behind_a_receipt_in_the_same_read_is_matched() -> None:
    session = session_in(State.BOUND_TRX, first_sequence=2)
    submit(session, 1)
    receipt = receipt_for("x", "DELIVRD")
    answer = SubmitSmResp(2, message_id="x")
    assert hear(session, receipt, answer) == [receipt, Answered("1", answer, 0.0)]


def test_v_session_012_wrong_credentials_reach_the_owner_as_they_are() -> None:
    for status in (0x0E, 0x0F, 0x53, 0x0D):
        session = Session(Role.ESME, 0.0)
        session.bind(BindTransceiver(), 0.0)
        assert hear(session, BindTransceiverResp(1, status)) == [BindAnswered(status, "", False)]
        assert [pdu.command_id for pdu in sent(session)] == [Command.BIND_TRANSCEIVER]


def test_v_session_013_a_session_never_binds_again_by_itself() -> None:
    session = Session(Role.ESME, 0.0, timers=Timers(session_init_s=None))
    session.bind(BindTransceiver(), 0.0)
    session.data_to_send()
    assert hear(session, BindTransceiverResp(1, 5)) == [BindAnswered(5, "", False)]
    assert session.tick(1000.0) == []
    assert session.data_to_send() == b""


def test_v_session_014_a_receipt_before_its_answer_comes_out_first() -> None:
    session = session_in(State.BOUND_TRX, first_sequence=2)
    submit(session, 1)
    session.data_to_send()
    receipt = receipt_for("x", "DELIVRD")
    assert hear(session, receipt) == [receipt]
    session.respond(DeliverSmResp(receipt.sequence))
    assert sent(session) == [DeliverSmResp(receipt.sequence)]
    answer = SubmitSmResp(2, message_id="x")
    assert hear(session, answer) == [Answered("1", answer, 0.0)]


TOLD_HERE: tuple[Callable[[], None], ...] = (
    test_v_session_001_a_peer_that_closes_instead_of_answering_our_unbind_is_a_clean_end,
    test_v_session_002_the_second_of_two_equal_answers_moves_nothing,
    test_v_session_003_a_receipt_that_crosses_our_unbind_is_acknowledged,
    test_v_session_004_a_silent_client_is_closed_by_the_session_init_timer,
    test_v_session_005_a_receipt_that_comes_twice_is_acknowledged_twice,
    test_v_session_006_accepted_is_not_final_and_delivered_is,
    test_v_session_007_a_late_answer_still_brings_its_id,
    test_v_session_008_a_delivery_instead_of_an_enquire_link_resp_proves_the_link,
    test_v_session_009_a_nack_without_a_number_fails_no_submit,
    test_v_session_011_an_answer_behind_a_receipt_in_the_same_read_is_matched,
    test_v_session_012_wrong_credentials_reach_the_owner_as_they_are,
    test_v_session_013_a_session_never_binds_again_by_itself,
    test_v_session_014_a_receipt_before_its_answer_comes_out_first,
)
TOLD_ELSEWHERE = {
    "v-session-005": "gateway: tests/core, one state change and one notice for a receipt that comes twice",
    "v-session-006": "gateway: tests/core, the SLA clock stops at DELIVRD",
    "v-session-007": "gateway: tests/core, what a late answer does to a message already sent again",
    "v-session-010": "gateway: tests/core, several binds of one account share its receipts",
    "v-session-012": "gateway: tests/core, alarm and slow retry after wrong credentials",
    "v-session-013": "gateway: tests/core, growing delay after ESME_RALYBND",
    "v-session-014": "gateway: tests/core, early receipts are parked and joined or become orphans",
    "v-session-015": "gateway: tests/core, a throttled part goes back to its channel with its reference",
    "v-session-016": "routing: tests/routing, the rate of a throttled channel falls and recovers",
    "v-session-017": "gateway: tests/core, receipts wait for a receiver bind",
}
"""What the rest of a story needs, by record."""


def test_every_session_record_is_told_here_or_has_a_place_elsewhere() -> None:
    here = {test.__name__.removeprefix("test_")[:13].replace("_", "-") for test in TOLD_HERE}
    known = here | TOLD_ELSEWHERE.keys()
    missing = {r.id for r in records() if r.values[0]["kind"] == "session"} - known
    assert not missing, f"session records without a scenario: {sorted(missing)}"
