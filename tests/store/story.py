"""Short words for what happens to a message in a store: `Story` keeps the clock and builds records."""

from collections.abc import Sequence
from typing import Any

from gateway.store.base import Admission, Begun, CarrierReceipt, Due, Refused, RequestRecord, Sent, Settled, Store, Unclear
from gateway.store.vault import SUM_SIZE, sum_of
from protocol.receipt import MessageState as CarrierState
from routing.guards import Guard
from routing.records import Attempt, AttemptKey, AttemptState, Message, MessageState

START_UTC = 1_800_000_000.0
BOOT = "boot-1"
TO = "8613800138000"
VALIDITY_S = 300.0


def page_of(body: bytes) -> bytes:
    """A page as a vault takes it."""
    page = bytes(SUM_SIZE) + body
    return sum_of(page) + body


class Story:
    """One store and the time that passes for it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000.0
        self.utc = START_UTC
        self._ids = 0

    def wait(self, seconds: float) -> Due:
        """Let time pass, and have the store do what came due."""
        self.now += seconds
        self.utc += seconds
        due = self.store.take_due(self.utc)
        self.check()
        return due

    def check(self) -> None:
        """What holds after every step."""
        assert self.store.ledger().balanced

    def message(self, **fields: Any) -> Message:
        """A message that has just arrived, not admitted yet; it asks for a receipt."""
        self._ids += 1
        number = fields.pop("id", self._ids)
        defaults: dict[str, Any] = {
            "account": "shop",
            "public_id": str(number),
            "source": "Shop",
            "destination": TO,
            "registered_delivery": 1,
            "boot": BOOT,
            "arrival": self.now,
            "arrival_utc": self.utc,
            "expires_utc": self.utc + VALIDITY_S,
        }
        return Message(id=number, **{**defaults, **fields})

    def admit(self, message: Message, *guards: Guard) -> Guard | None:
        """What refused it; None when it was accepted."""
        (refused,) = self.store.admit([Admission(message, guards)], self.utc)
        self.check()
        return refused

    def admit_request(self, record: RequestRecord, *messages: Message) -> None:
        """Messages of one request, and what was answered to it."""
        self.store.admit([Admission(one) for one in messages], self.utc, lambda _: (record,))
        self.check()

    def accepted(self, **fields: Any) -> Message:
        """A message in the store."""
        message = self.message(**fields)
        assert self.admit(message) is None
        return message

    def attempt(self, message: Message, **fields: Any) -> Attempt:
        """The next attempt of a message, not begun yet."""
        number = fields.pop("number", self.state(message, "tries") + 1)
        part = fields.pop("part", 1)
        defaults = {"parts": 1, "channel": "a", "bind": 0, "user_reference": number}
        return Attempt(AttemptKey(message.id, number, part), **{**defaults, **fields})

    def begin(self, *attempts: Attempt) -> Begun:
        begun = self.store.begin(attempts, self.now, self.utc)
        self.check()
        return begun

    def begun(self, message: Message, **fields: Any) -> AttemptKey:
        """The next attempt, sending."""
        attempt = self.attempt(message, **fields)
        assert self.begin(attempt).may_leave == [True]
        return attempt.key

    def sent(self, message: Message, carrier_id: str = "", **fields: Any) -> AttemptKey:
        """The next attempt, accepted by the carrier."""
        key = self.begun(message, **fields)
        self.settle(self.answer(key, carrier_id or f"id-{message.id}-{key.number}-{key.part}"))
        return key

    def unclear(self, message: Message, resend_after: float | None = None, **fields: Any) -> AttemptKey:
        """The next attempt, unknown."""
        key = self.begun(message, **fields)
        self.settle(Unclear(key, None if resend_after is None else self.utc + resend_after))
        return key

    def settle(self, *outcomes: Any) -> Settled:
        settled = self.store.settle(outcomes, self.utc)
        self.check()
        return settled

    def answer(self, key: AttemptKey, carrier_id: str) -> Sent:
        return Sent(key, self.now, carrier_id, carrier_id.upper())

    def refusal(self, key: AttemptKey, *, again: bool = True, **fields: Any) -> Refused:
        return Refused(key, self.now, 0x45, "ESME_RSUBMITFAIL", again, **fields)

    def receipt(
        self, *ids: str, state: CarrierState = CarrierState.DELIVERED, channel: str = "a", **fields: Any
    ) -> CarrierReceipt:
        defaults = {"stat": state.name, "err": "000", "source": "Shop", "destination": TO}
        return CarrierReceipt(channel, ids, state, self.now, self.utc, **{**defaults, **fields})

    def found(self, message: Message) -> Message:
        (found,) = self.store.find([message.id])
        assert found is not None
        return found

    def state(self, message: Message, field: str = "state") -> Any:
        return getattr(self.found(message), field)

    def attempt_states(self, message: Message) -> list[AttemptState]:
        return [one.state for one in self.store.attempts(message.id)]

    def notices(self, account: str = "shop") -> list[tuple[int, MessageState]]:
        return [(notice.id, notice.state) for notice in self.store.notices(account, 1_000)]


def ids(messages: Sequence[Message]) -> list[int]:
    return [message.id for message in messages]
