"""What a session tells its owner, beside the PDUs of the peer."""

from typing import Any, TypeAlias

import msgspec

from protocol.pdu import Pdu


class Answered(msgspec.Struct, gc=False):
    """`answer` (a response or generic_nack) belongs to the request sent with `token` at `sent_at`."""

    token: Any
    answer: Pdu
    sent_at: float
    late: bool = False


class Unanswered(msgspec.Struct):
    """No answer to these within `response_timeout_s`: their outcome is unknown. An answer may still come (`late`)."""

    tokens: list[Any]


class BindAnswered(msgspec.Struct):
    """The SMSC answered our bind; `status` 0 means bound."""

    status: int
    system_id: str
    takes_tlvs: bool


class Violation(msgspec.Struct):
    """The peer did something wrong, and the session dealt with it. For one log line."""

    reason: str
    fatal: bool = False


class Ended(msgspec.Struct):
    """No request may be sent any more. Write what waits, then close. `clean` when an unbind was exchanged."""

    reason: str
    clean: bool = False


class UnbindWaits(msgspec.Struct):
    """The peer wants to go, and answers are outstanding: ours, after which its unbind is answered, or its own to requests of
    ours, which may still come until it closes. See `finished`.
    """


Event: TypeAlias = Pdu | Answered | Unanswered | BindAnswered | Violation | UnbindWaits | Ended
