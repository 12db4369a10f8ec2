"""A channel with a real session against a carrier in memory: pace, window, what is lost, late, refused, and in parts."""

import pytest
import trio
from clock import START_UTC
from lane_stage import FakeOwner, long, messages, silent, stage
from makers import message
from msgspec.structs import astuple
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.lane import Lane
from gateway.core.slots import SHARE
from gateway.store.base import CarrierReceipt, NotSent, Refused, Sent, Unclear
from protocol import udh
from protocol.pdu import DeliverSm, SubmitSm
from protocol.status import Status
from protocol.tlv import Tag, get_int
from routing.records import AttemptKey, MessageState
from routing.slawindows import shares

# -- the way out


async def test_messages_go_out_and_the_answers_come_back(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.send(*messages(1, 5))
        await trio.sleep(1)
        assert [(one.key, one.carrier_id) for one in at.owner.of(Sent)] == [
            (AttemptKey(n, 1, 1), f"id-{n}") for n in range(1, 6)
        ]
        assert at.lane.submitted == 5
        assert at.lane.queued == at.lane.in_flight == 0


@pytest.mark.parametrize(("binds", "window"), [(1, 1), (1, 7), (3, 5)])
async def test_the_window_is_never_overfilled_and_always_filled(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, binds: int, window: int
) -> None:
    async with stage(monkeypatch, binds=binds, window=window, response_timeout_s=100) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 60))
        await trio.sleep(1)
        assert at.smsc.count == binds * window
        assert at.lane.in_flight == binds * (window + window // SHARE)
        assert [len(line.submits) for line in at.smsc.lines] == [window] * binds
        while at.smsc.count < 60:
            for line in at.smsc.lines:
                for held in list(line.held):
                    await line.respond(held.sequence, f"id-{held.sequence}-{id(line)}")
            await trio.sleep(0.1)
        assert [line.unanswered_max for line in at.smsc.lines] == [window] * binds


async def test_binds_with_uneven_windows_take_what_fits_each(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, binds=3, window=9, response_timeout_s=100) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 27))
        await trio.sleep(1)
        for line, count in zip(at.smsc.lines, (1, 8, 4), strict=True):
            for held in line.held[:count]:
                line.session.respond_submit(held.sequence, 0, f"{id(line)}-{held.sequence}")
        for line in at.smsc.lines:
            await line.flush()
        await wait_all_tasks_blocked()
        at.send(*messages(28, 60))
        await trio.sleep(1)
        assert at.owner.of(NotSent) == []
        assert at.smsc.count == 27 + 13
        assert at.lane.in_flight == 27 + 3 * (9 // SHARE)


async def test_attempts_are_stored_before_octets_leave(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.owner.begin_takes_s = 5.0
        at.send(*messages(1, 3))
        await trio.sleep(4)
        assert [at.state(number) for number in (1, 2, 3)] == [MessageState.IN_FLIGHT] * 3
        assert at.smsc.count == 0
        await trio.sleep(2)
        assert at.smsc.count == 3


async def test_what_the_store_forbids_does_not_leave(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.send(message(1), message(2, expires_utc=START_UTC), message(3))
        await trio.sleep(1)
        assert [int(one.key.message_id) for one in at.owner.of(Sent)] == [1, 3]
        assert at.smsc.count == 2


async def test_the_pace_is_the_channels(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, messages_per_second=10, window=100) as at:
        at.send(*messages(1, 100))
        for seconds in range(1, 10):
            await trio.sleep(1)
            assert 10 * seconds - 1 <= at.smsc.count <= 10 * seconds + 2
        await trio.sleep(2)
        assert at.smsc.count == 100


async def test_codes_overtake_what_waits_here(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=1, response_timeout_s=100) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 10, class_="marketing"))
        await trio.sleep(1)
        at.send(message(20), message(21, class_="verification"))
        order = []
        while at.smsc.line.held:
            held = at.smsc.line.held[0]
            await at.smsc.line.respond(held.sequence, f"id-{held.sequence}")
            await trio.sleep(0.1)
        order = [one.key.message_id for one in at.owner.of(Sent)]
        assert order == [1, 21, 20, *range(2, 11)]


async def test_room_shrinks_with_the_queue_codes_see_more_and_it_is_never_negative(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=1, response_timeout_s=100) as at:
        at.smsc.reply = silent
        room = at.lane.health("marketing").room
        assert at.lane.health("verification").room == 2 * room
        at.send(long(1, 200), *messages(2, 5))
        await trio.sleep(1)
        assert at.lane.queued > 2 * room
        assert (at.lane.health("marketing").room, at.lane.health("verification").room) == (0, 0)


async def test_a_message_that_cannot_be_expressed_is_rejected_alone(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        sources = {1: "Shop", 2: "漢字", 3: "Shop"}
        at.send(*[message(number, source=source, class_="verification") for number, source in sources.items()])
        await trio.sleep(1)
        assert [at.state(number) for number in (1, 2, 3)] == [
            MessageState.IN_FLIGHT,
            MessageState.REJECTED,
            MessageState.IN_FLIGHT,
        ]
        assert at.lane.submitted == 2
        assert [number for number, _, _ in at.owner.codes_written] == [1, 3]


# -- the way back


async def test_receipts_are_reported_with_the_session_that_must_acknowledge_them(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.send(message(1))
        await trio.sleep(1)
        text = b"id:id-1 sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:DELIVRD err:000 text:"
        await at.smsc.line.deliver(DeliverSm(esm_class=4, short_message=text, source_addr="8613800138000"))
        await trio.sleep(1)
        assert [one.candidates for one in at.owner.of(CarrierReceipt)] == [("id-1",)]
        assert at.smsc.line.answers == [], "not before it is stored"
        report = at.owner.reports[-1]
        assert report.source is not None
        report.source.acknowledge(report.requests, Status.ROK)
        await trio.sleep(1)
        assert [one.answer.status for one in at.smsc.line.answers] == [0]


async def test_what_subscribers_write_goes_another_way_and_is_acknowledged_there(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        receipt = DeliverSm(esm_class=4, short_message=b"id:x stat:DELIVRD")
        await at.smsc.line.deliver(DeliverSm(short_message=b"hello"), receipt)
        await trio.sleep(1)
        (heard,) = at.owner.heard
        (report,) = at.owner.reports
        assert [one.short_message for one in heard.pdus] == [b"hello"]
        assert report.requests == [2], "receipts do not wait for it"
        assert heard.source is not None
        heard.source.acknowledge(heard.pdus, Status.ROK)
        await trio.sleep(1)
        assert [one.token for one in at.smsc.line.answers] == [b"hello"]


async def test_a_receipt_of_a_session_that_is_gone_is_not_acknowledged_on_the_next(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        await at.smsc.line.deliver(DeliverSm(esm_class=4, short_message=b"id:x stat:DELIVRD"))
        await trio.sleep(1)
        at.smsc.line.drop()
        await trio.sleep(5)
        assert at.lane.up
        report = at.owner.reports[0]
        assert report.source is not None
        report.source.acknowledge(report.requests, Status.ROK)
        await trio.sleep(1)
        assert at.smsc.line.answers == []


async def test_throttling_pauses_the_whole_channel_and_is_free(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=1) as at:
        at.smsc.reply = lambda pdu: Status.RTHROTTLED if at.smsc.count == 1 else "ok"
        at.send(*messages(1, 3))
        await trio.sleep(0.5)
        assert at.smsc.count == 1
        assert at.lane.health("verification").room == 0
        (refused,) = at.owner.of(Refused)
        assert (refused.again, refused.free, refused.never_here) == (True, True, False)
        await trio.sleep(1)
        at.resend()
        await trio.sleep(1)
        assert at.smsc.count == 4
        assert at.lane.health("marketing").room > 0


async def test_a_refusal_of_the_session_binds_anew(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = lambda pdu: Status.RINVBNDSTS if len(at.smsc.lines) == 1 else "ok"
        at.send(message(1))
        await trio.sleep(5)
        (refused,) = at.owner.of(Refused)
        assert (refused.again, refused.free) == (True, True)
        assert len(at.smsc.lines) == 2
        at.resend()
        await trio.sleep(1)
        assert at.state(1) is MessageState.IN_FLIGHT


# -- unknown


async def test_a_code_without_answer_is_unknown_after_two_seconds_and_due_again_at_three(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(message(1, class_="verification"), message(2), message(3, class_="marketing"))
        start = trio.current_time()
        await trio.sleep(1.9)
        assert at.owner.of(Unclear) == []
        await trio.sleep(0.5)
        (code,) = at.owner.of(Unclear)
        assert code.key.message_id == 1
        assert code.resend_utc - START_UTC - start == pytest.approx(3.0, abs=0.01)
        await trio.sleep(9)
        resends = {one.key.message_id: one.resend_utc for one in at.owner.of(Unclear)}
        assert resends[2] - START_UTC - start == pytest.approx(30.0, abs=0.01)
        assert resends[3] is None


async def test_a_code_that_was_answered_in_time_is_not_unknown(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.send(*messages(1, 3, class_="verification"))
        await trio.sleep(5)
        assert at.owner.of(Unclear) == []


async def test_a_possible_duplicate_is_not_repeated_once_more(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(message(1, class_="verification", possible_duplicate=True))
        await trio.sleep(3)
        assert [one.resend_utc for one in at.owner.of(Unclear)] == [None]


async def test_a_late_answer_is_still_an_answer(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(message(1), message(2, class_="verification"))
        await trio.sleep(12)
        assert {one.key.message_id for one in at.owner.of(Unclear)} == {1, 2}
        for held in list(at.smsc.line.held):
            await at.smsc.line.respond(held.sequence, f"late-{held.sequence}")
        await trio.sleep(1)
        assert len(at.owner.of(Sent)) == 2


async def test_a_lost_link_gives_the_unsent_back_and_reports_the_rest_as_unknown(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, bound=False, window=1_000) as at:
        at.smsc.reply = silent
        at.smsc.refusing, at.smsc.buffer = False, 4_608
        await trio.sleep(5)
        assert at.lane.up
        at.smsc.reading = at.smsc.line.reading = trio.Event()
        at.send(*messages(1, 300, data=b"x" * 130))
        await trio.sleep(1)
        at.smsc.line.drop()
        await trio.sleep(0.5)
        unknown = {one.key.message_id for one in at.owner.of(Unclear)}
        unsent = {one.key.message_id for one in at.owner.of(NotSent)}
        assert unknown
        assert unsent
        assert unknown | unsent == set(range(1, 301))
        assert unknown.isdisjoint(unsent)
        assert max(unknown) < min(unsent), "what left first is what may have arrived"
        assert {one.id for one in at.owner.requeued} == unsent
        assert all(at.state(number) is MessageState.QUEUED for number in unsent)
        await trio.sleep(20)
        (waited_for,) = [one for _, one in filter(None, shares(at.owner.figures.channel, "5m", trio.current_time(), (), {}))]
        assert waited_for.due == len(unknown), "the ten seconds run for what left alone"


async def test_what_was_read_by_the_carrier_is_never_called_unsent(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=100) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 50))
        await trio.sleep(1)
        assert at.smsc.count == 50
        at.smsc.line.drop()
        await trio.sleep(0.5)
        assert len(at.owner.of(Unclear)) == 50
        assert at.owner.of(NotSent) == []


async def test_what_waits_goes_back_when_the_last_bind_is_down(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=2) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 8), long(9, 3))
        await trio.sleep(1)
        at.smsc.refusing = True
        at.smsc.line.drop()
        await trio.sleep(0.5)
        assert not at.lane.up
        assert [one.id for one in at.owner.back] == list(range(3, 10))
        assert at.lane.queued == 0
        assert at.owner.changes > 0


async def test_a_bind_comes_back_with_growing_delay_and_not_at_once_when_refused(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, bound=False, reconnect_min_s=1, reconnect_max_s=8) as at:
        await trio.sleep(60)
        gaps = [round(after - before, 2) for before, after in zip(at.smsc.connects, at.smsc.connects[1:], strict=False)]
        for gap, base in zip(gaps, [1, 2, 4, 8, 8, 8], strict=False):
            assert 0.75 * base <= gap <= 1.25 * base
        at.smsc.refusing, at.smsc.bind_status = False, int(Status.RINVPASWD)
        await trio.sleep(20)
        count = len(at.smsc.connects)
        await trio.sleep(60)
        assert len(at.smsc.connects) == count, "hammering with wrong credentials locks accounts"


# -- long messages


def reference(pdu: SubmitSm) -> tuple[int, int, int]:
    concat = udh.parse(pdu.short_message).concat
    assert concat is not None
    return concat.ref, concat.total, concat.seq


async def test_parts_go_in_order_under_one_reference_through_a_small_window(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=2) as at:
        at.send(long(1, 5), message(2), long(3, 3))
        await trio.sleep(1)
        first, second = (
            [reference(pdu) for pdu in at.smsc.submits if pdu.esm_class and reference(pdu)[1] == n] for n in (5, 3)
        )
        assert first == [(8, 5, seq) for seq in range(1, 6)]
        assert second == [(9, 3, seq) for seq in range(1, 4)]
        assert len(at.owner.of(Sent)) == 9


async def test_a_throttled_part_stays_on_the_channel_with_its_reference(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=10) as at:
        at.smsc.reply = lambda pdu: Status.RTHROTTLED if at.smsc.count in (2, 3) else f"id-{at.smsc.count}"
        at.send(long(1, 4))
        await trio.sleep(5)
        assert sorted(reference(pdu) for pdu in at.smsc.submits) == sorted((8, 4, seq) for seq in (1, 2, 2, 3, 3, 4))
        assert sorted(astuple(one.key) for one in at.owner.of(Sent)) == [(1, 1, seq) for seq in (1, 2, 3, 4)]
        assert at.state(1) is MessageState.IN_FLIGHT


async def test_unsent_parts_of_a_campaign_go_out_on_the_next_bind_with_the_same_reference(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, bound=False, window=1_000) as at:
        at.smsc.refusing, at.smsc.buffer = False, 4_608
        await trio.sleep(5)
        at.smsc.reply = silent
        at.smsc.reading = at.smsc.line.reading = trio.Event()
        at.send(long(1, 200, class_="marketing"))
        await trio.sleep(1)
        at.smsc.buffer = 1 << 20
        at.smsc.line.drop()
        at.smsc.reading = trio.Event()
        at.smsc.reading.set()
        at.smsc.reply = lambda pdu: f"id-{at.smsc.count}"
        await trio.sleep(10)
        unknown = {one.key.part for one in at.owner.of(Unclear)}
        sent = {one.key.part for one in at.owner.of(Sent)}
        assert unknown
        assert sent
        assert unknown | sent == set(range(1, 201))
        assert {reference(pdu)[:2] for pdu in at.smsc.submits} == {(8, 200)}
        assert [reference(pdu)[2] for pdu in at.smsc.line.submits] == sorted(sent)


async def test_a_code_half_out_when_its_channel_dies_is_queued_anew_and_whole(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=2) as at:
        at.smsc.reply = silent
        at.send(long(1, 5, class_="verification"), message(2))
        await trio.sleep(1)
        at.smsc.refusing = True
        at.smsc.line.drop()
        await trio.sleep(0.5)
        assert [one.id for one in at.owner.requeued] == [1]
        assert [one.id for one in at.owner.back] == [2]
        assert at.lane.queued == 0
        at.smsc.refusing, at.smsc.reply = False, lambda pdu: f"id-{at.smsc.count}"
        await trio.sleep(5)
        at.resend()
        await trio.sleep(1)
        assert [reference(pdu) for pdu in at.smsc.line.submits] == [(9, 5, seq) for seq in range(1, 6)]
        assert {one.key.number for one in at.owner.of(Sent)} == {2}


async def test_a_part_that_is_throttled_late_has_one_attempt(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(long(1, 2, class_="verification"))
        await trio.sleep(2.5)
        first, second = at.smsc.line.held
        at.smsc.reply = lambda pdu: "again"
        await at.smsc.line.respond(first.sequence, "id-1")
        await at.smsc.line.respond(second.sequence, Status.RTHROTTLED)
        await trio.sleep(5)
        assert [one.key.part for one in at.owner.store.attempts(1)] == [1, 2]
        assert [one.carrier_id for one in at.owner.store.attempts(1)] == ["id-1", "again"]


async def test_our_reference_is_stored_as_it_is_sent(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        at.send(long(1, 3))
        await trio.sleep(1)
        sent = [get_int(pdu.tlvs, Tag.USER_MESSAGE_REFERENCE) for pdu in at.smsc.submits]
        assert sent == [one.user_reference for one in at.owner.store.attempts(1)]
        assert {one.concat_reference for one in at.owner.store.attempts(1)} == {8}


# -- leaving


async def test_leaving_finishes_the_parts_of_a_campaigns_message_that_has_begun(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=2) as at:
        at.smsc.reply = silent
        at.send(long(1, 5, class_="marketing"), message(2, class_="marketing"))
        await trio.sleep(1)
        at.lane.leave()
        assert [one.id for one in at.owner.back] == [2]
        while at.smsc.line.held:
            await at.smsc.line.respond(at.smsc.line.held[0].sequence, f"id-{at.smsc.count}")
            await trio.sleep(0.1)
        assert len(at.owner.of(Sent)) == 5
        assert at.lane.queued == 0


async def test_leaving_gives_back_what_waits_and_unbinds(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=2) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 5))
        await trio.sleep(1)
        at.lane.leave()
        assert [one.id for one in at.owner.back] == [3, 4, 5]
        assert at.lane.health("verification").up is False
        for held in list(at.smsc.line.held):
            await at.smsc.line.respond(held.sequence, f"id-{held.sequence}")
        await trio.sleep(1)
        assert len(at.owner.of(Sent)) == 2
        at.lane.unbind()
        await trio.sleep(1)
        assert at.lane.gone
        assert len(at.smsc.connects) == 1


@pytest.mark.parametrize("receipts", [True, False])
async def test_a_carrier_without_receipts_is_not_judged_by_them(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, receipts: bool
) -> None:
    async with stage(monkeypatch, window=50, receipts=receipts) as at:
        at.send(*messages(1, 40))
        await trio.sleep(30)
        quality = at.lane.quality
        assert sum(second.accepted for second in quality.answers.seconds) == 40
        assert (quality.score.speed == 1.0) is not receipts


async def test_each_bind_has_a_rate_of_its_own(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, binds=2, window=100, bind_messages_per_second=5) as at:
        at.send(*messages(1, 100))
        await trio.sleep(4.5)
        by_line = [len(line.submits) for line in at.smsc.lines]
        assert sum(by_line) == at.smsc.count
        assert all(18 <= count <= 26 for count in by_line), by_line
        await trio.sleep(10)
        assert at.smsc.count == 100, "nothing wakes a lane but time"


async def test_a_vendor_s_status_means_what_the_channel_says(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, status_classes={"0x0000044d": "throttle", "0x0b": "channel_refuses"}) as at:
        at.smsc.reply = lambda pdu: 0x44D if at.smsc.count == 1 else int(Status.RINVDSTADR)
        at.send(message(1))
        await trio.sleep(0.5)
        at.send(message(2))
        await trio.sleep(3)
        busy, refused = at.owner.of(Refused)
        assert (busy.again, busy.free) == (True, True)
        assert (refused.again, refused.never_here) == (True, True), "else a wrong number, for good"


async def test_lost_links_and_slow_answers_count_against_a_channel(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, reconnect_min_s=1) as at:
        at.smsc.line.drop()
        await trio.sleep(3)
        assert at.lane.quality.score.steady == pytest.approx(0.9)
        at.smsc.reply = silent
        at.send(*messages(1, 5))
        await trio.sleep(4)
        for held in list(at.smsc.line.held):
            await at.smsc.line.respond(held.sequence, f"id-{held.sequence}")
        await trio.sleep(1.5)
        waited = sum(second.answer_s for second in at.lane.quality.answers.seconds)
        assert waited == pytest.approx(20, abs=1)
        at.lane.leave()
        at.lane.unbind()
        await trio.sleep(1)
        assert sum(second.drops for second in at.lane.quality.answers.seconds) == 1, "we left"


async def test_attempts_know_why_and_what_they_cost(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        monkeypatch.setattr(FakeOwner, "priced", True)
        monkeypatch.setattr(FakeOwner, "cost", lambda self, message, channel: 30_000 + message.id)
        at.send(message(1, why="b is down"))
        await trio.sleep(1)
        (attempt,) = at.owner.store.attempts(1)
        assert (attempt.why, attempt.cost) == ("b is down", 30_001)


async def test_planning_hears_when_a_code_is_to_be_expected(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch) as at:
        assert at.lane.health("verification").expected_s == 0.0
        at.lane.quality.usual_s["verification"] = 3.0
        assert at.lane.health("verification").expected_s == 4.0, "in coarse steps"
        assert at.lane.health("marketing").expected_s == 0.0
        at.lane.quality.usual_s["verification"] = 0.2
        assert at.lane.health("verification").expected_s == 0.0
        at.lane._per_s = 10.0
        at.lane.held = "pause"
        for one in messages(1, 20, class_="verification"):
            at.lane.enqueue(one)
        assert at.lane.health("verification").expected_s == 4.0, "2 s of codes before it"


async def test_a_dead_carrier_that_is_tried_again_and_again_moves_nothing_that_waits(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, bound=False, binds=5, reconnect_min_s=1, reconnect_max_s=2) as at:
        turns: list[int] = []
        monkeypatch.setattr(at.owner, "lane_turned", lambda: turns.append(at.smsc.count), raising=False)
        await trio.sleep(60)
        assert len(at.smsc.connects) > 50
        assert turns == []
        at.smsc.refusing = False
        await trio.sleep(5)
        assert at.lane.up
        assert len(turns) == 1, "it came up, once for all its binds"


async def test_a_channel_that_is_drained_does_not_bind_after_a_start(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        other = Lane(at.lane.channel, at.owner, at.owner.clock, 7, at.lane._incoming)
        other.hold("drain")
        before = len(at.smsc.connects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.run)
            await trio.sleep(30)
            assert len(at.smsc.connects) == before
            other.hold("")
            await trio.sleep(5)
            assert other.up
            nursery.cancel_scope.cancel()
