"""What a worker hands in, as messages: the account's defaults unless it says otherwise, numbers as E.164, times as asked."""

from typing import Any

import pytest
from clock import START_UTC
from makers import TO, account, config

from gateway.calls.messages import Draft, Submit
from gateway.core.blanks import Blanks
from gateway.core.drafts import Drafts
from protocol.address import TON_INTERNATIONAL
from routing.ids import IdMaker
from routing.records import Message, MessageState


def made(*drafts: Draft, tell: bool = True, batch_id: str = "", **fields: Any) -> list[Message]:
    drafts_ = Drafts(config(), IdMaker(0, lambda: START_UTC), "boot")
    submit = Submit("shop", list(drafts), 5.0, START_UTC)
    return drafts_.messages(submit, account(**fields), batch_id, tell=tell)


def draft(to: str = TO, **fields: Any) -> Draft:
    return Draft(to, b"hi", 0, 1, **fields)


def test_the_account_speaks_where_the_message_does_not() -> None:
    plain, own = made(draft(), draft(class_="marketing", brand="mine"), class_="verification", brand="ours", business="b")
    assert (plain.class_, plain.brand, plain.business, plain.purpose) == ("verification", "ours", "b", "standard")
    assert (own.class_, own.brand, own.business) == ("marketing", "mine", "b")


@pytest.mark.parametrize("spelling", [TO, f"+{TO}", f"00{TO}", TO[2:]])
def test_numbers_are_e164(spelling: str) -> None:
    (one,) = made(draft(spelling), country_code="86")
    assert (one.destination, one.dest_ton, one.door) == (TO, TON_INTERNATIONAL, "http")


def test_what_is_no_number_and_no_sender_stays_for_the_screen() -> None:
    (one,) = made(draft("call me", source="a name far too long for any handset"))
    assert one.destination == "call me"
    assert len(one.source) <= 20


def test_a_time_to_come_is_waited_for_and_one_that_is_over_is_now() -> None:
    later, over = made(draft(due_utc=START_UTC + 60), draft(due_utc=START_UTC - 60))
    assert (later.state, later.not_before_utc, later.due_utc) == (MessageState.SCHEDULED, START_UTC + 60, START_UTC + 60)
    assert later.expires_utc == START_UTC + 60 + 86_400, "its validity counts from then"
    assert (over.state, over.due_utc, over.expires_utc) == (MessageState.QUEUED, 0.0, START_UTC + 86_400)


def test_ids_differ_and_events_are_asked_for_only_where_somebody_listens() -> None:
    several = made(*[draft()] * 600, tell=False, batch_id="b1")
    assert len({one.id for one in several}) == 600
    assert {(one.registered_delivery, one.batch_id) for one in several} == {(0, "b1")}
    assert all(one.public_id == str(one.id) for one in several)


def test_one_message_does_not_change_the_next_ones() -> None:
    blanks = Blanks("boot")
    shop = account(class_="marketing")
    assert blanks.of(shop) is blanks.of(shop)
    first, second = made(draft(tags=("a",), client_ref="r"), draft())
    assert (second.tags, second.client_ref) == ((), "")
    assert first.tags == ("a",)
