"""A refusal: the rule, a reason programs go by, and the command_status an SMPP client sees."""

from typing import Literal, NamedTuple, TypeAlias

from protocol.status import Status

Reason: TypeAlias = Literal[
    "account",
    "invalid_number",
    "sender_not_allowed",
    "country",
    "blacklisted",
    "opted_out",
    "consent",
    "suppressed",
    "keyword",
    "signature",
    "opt_out_hint",
    "link",
    "too_long",
    "quiet_hours",
    "duplicate",
    "frequency_cap",
    "mark",
    "velocity",
    "quota",
]

STATUSES: dict[Reason, Status] = {
    "invalid_number": Status.RINVDSTADR,
    "sender_not_allowed": Status.RINVSRCADR,
    "country": Status.RINVDSTADR,
    "too_long": Status.RINVMSGLEN,
    "quiet_hours": Status.RINVSCHED,
    "frequency_cap": Status.RTHROTTLED,
    "velocity": Status.RTHROTTLED,
}
"""All others: RSUBMITFAIL, with the rule in additional_status_info_text."""

FIELDS: dict[Reason, str] = {
    "invalid_number": "to",
    "country": "to",
    "blacklisted": "to",
    "opted_out": "to",
    "consent": "to",
    "suppressed": "to",
    "sender_not_allowed": "from",
    "keyword": "text",
    "signature": "text",
    "opt_out_hint": "text",
    "link": "text",
    "mark": "text",
    "too_long": "text",
    "quiet_hours": "send_at",
    "duplicate": "text",
    "frequency_cap": "to",
    "velocity": "to",
}
"""The field of a request it is about."""


class Refusal(NamedTuple):
    """Why a message may not be sent. `rule` as the configuration names it; `detail` says what the sender can do."""

    reason: Reason
    rule: str
    detail: str = ""

    @property
    def status(self) -> Status:
        """For SMPP."""
        return STATUSES.get(self.reason, Status.RSUBMITFAIL)

    @property
    def field(self) -> str:
        """For HTTP; empty when it is about no field."""
        return FIELDS.get(self.reason, "")

    def __str__(self) -> str:
        return f"{self.reason}: {self.rule}" + (f" ({self.detail})" if self.detail else "")
