"""What is wrong with a message itself, as the core tells it."""

from gateway.calls.messages import Item
from protocol.status import Status
from routing.policy.verdict import FIELDS

_OTHERS = {
    int(Status.RINVDSTADR): ("to", "invalid_number", "not a number that can be written as E.164"),
    int(Status.RINVSRCADR): ("from", "sender_not_allowed", "the account may not use this sender"),
    int(Status.RINVMSGLEN): ("text", "too_long", "more than 255 segments"),
    int(Status.RINVEXPIRY): ("expire_at", "too_early", "over before the message can be sent"),
    int(Status.RSUBMITFAIL): ("", "refused", "the account may not send this"),
}


def refusal(item: Item) -> tuple[str, str, str] | None:
    """Field, code and words; None when it was refused for the gateway's own state, or not at all."""
    if item.reason:
        return FIELDS.get(item.reason, ""), item.reason, item.detail or item.rule  # type: ignore[call-overload]
    return _OTHERS.get(item.status)
