"""Which ends say that a number is dead: receipts for good, not those about time, the network, or a phone that is off."""

from typing import Any

import pytest
from ruled import message

from config.policy import Suppression
from protocol.receipt import MessageState as CarrierState
from routing.policy.suppression import SuppressionRule
from routing.records import MessageState, PartOf


def failed(state: MessageState, said: CarrierState | None = None, rule: Any = None, **fields: Any) -> bool | None:
    return SuppressionRule(rule or Suppression(failures=3)).failed(message(state=state, **fields), said)


@pytest.mark.parametrize(
    ("state", "said", "expected"),
    [
        (MessageState.UNDELIVERED, CarrierState.UNDELIVERABLE, True),
        (MessageState.REJECTED, CarrierState.REJECTED, True),
        (MessageState.UNDELIVERED, CarrierState.DELETED, True),
        (MessageState.UNDELIVERED, CarrierState.SKIPPED, None),
        (MessageState.EXPIRED, CarrierState.EXPIRED, None),
        (MessageState.UNKNOWN, None, None),
        (MessageState.REJECTED, None, None),
        (MessageState.EXPIRED, None, None),
        (MessageState.CANCELLED, None, None),
        (MessageState.BLOCKED, None, None),
        (MessageState.DELIVERED, CarrierState.DELIVERED, False),
    ],
)
def test_only_a_receipt_for_good_is_a_failure_of_the_number(
    state: MessageState, said: CarrierState | None, expected: bool | None
) -> None:
    assert failed(state, said) is expected


def test_errors_of_the_moment_do_not_count() -> None:
    rule = SuppressionRule(Suppression(failures=3))
    one = message(state=MessageState.UNDELIVERED)
    assert rule.failed(one, CarrierState.UNDELIVERABLE, temporary=True) is None
    assert rule.failed(one, CarrierState.UNDELIVERABLE) is True


def test_classes_that_do_not_count_still_prove_that_a_number_is_there() -> None:
    rule = Suppression(failures=3, classes=["marketing"])
    assert failed(MessageState.UNDELIVERED, CarrierState.UNDELIVERABLE, rule=rule) is None
    assert failed(MessageState.UNDELIVERED, CarrierState.UNDELIVERABLE, rule=rule, class_="marketing") is True
    assert failed(MessageState.DELIVERED, CarrierState.DELIVERED, rule=rule) is False


def test_a_message_its_sender_cut_fails_once() -> None:
    told = [failed(MessageState.UNDELIVERED, CarrierState.UNDELIVERABLE, part_of=PartOf("k", 3, seq)) for seq in (1, 2, 3)]
    assert told == [True, None, None]
