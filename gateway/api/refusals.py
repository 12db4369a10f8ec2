"""What is wrong with a message itself, as the core tells it."""

from gateway.calls.messages import Item
from protocol.status import Status
from routing.policy.verdict import FIELDS

_OTHERS = {
    int(Status.RINVMSGLEN): ("text", "too_long", "more than 255 segments"),
    int(Status.RSUBMITFAIL): ("", "refused", "the account may not send this"),
}


def refusal(item: Item) -> tuple[str, str, str] | None:
    """Field, code and words; None when it was refused for the gateway's own state, or not at all."""
    if item.reason:
        return FIELDS.get(item.reason, ""), item.reason, item.detail or item.rule  # type: ignore[call-overload]
    return _OTHERS.get(item.status)
