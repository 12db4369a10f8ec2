"""What a carrier's answer means for the message: try again, where, or give up (the classes of SMPP practice).

Pure tables and functions. The pipeline asks `decide` once per refused attempt.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from protocol.status import Status

StatusClass: TypeAlias = Literal[
    "ok", "throttle", "temporary", "session", "channel_refuses", "permanent", "protocol", "unknown", "not_for_submit"
]


RESEND_AFTER_S = {"verification": 3.0, "notification": 30.0}
"""When an attempt whose outcome is unknown is repeated, counted from its write. Marketing never is."""


class Rule(msgspec.Struct, frozen=True):
    """May the message be tried again? `same` on the channel that refused it, `other_channel` elsewhere."""

    same: bool
    other_channel: bool
    same_not: frozenset[int] = frozenset()
    """Statuses of the class that must not go back to the same channel."""

    def same_channel(self, status: int) -> bool:
        return self.same and status not in self.same_not


STATUS_CLASSES: dict[StatusClass, Rule] = {
    "ok": Rule(same=False, other_channel=False),
    "throttle": Rule(same=True, other_channel=True),
    "temporary": Rule(
        same=True, other_channel=True, same_not=frozenset({Status.RSUBMITFAIL, Status.RDELIVERYFAILURE, Status.RUNKNOWNERR})
    ),
    "session": Rule(same=False, other_channel=True),
    "channel_refuses": Rule(same=False, other_channel=True),
    "permanent": Rule(same=False, other_channel=False),
    "protocol": Rule(same=False, other_channel=False),
    "not_for_submit": Rule(same=False, other_channel=False),
    "unknown": Rule(same=False, other_channel=True),
}

_S = Status
_MEMBERS: dict[StatusClass, tuple[Status, ...]] = {
    "ok": (_S.ROK,),
    "throttle": (_S.RMSGQFUL, _S.RTHROTTLED),
    "temporary": (_S.RSYSERR, _S.RSUBMITFAIL, _S.RX_T_APPN, _S.RDELIVERYFAILURE, _S.RUNKNOWNERR, _S.RSERTYPUNAVAIL),
    "session": (_S.RINVBNDSTS, _S.RALYBND, _S.RBINDFAIL, _S.RINVPASWD, _S.RINVSYSID, _S.RINVSYSTYP),
    "channel_refuses": (
        *(_S.RINVPRTFLG, _S.RINVREGDLVFLG, _S.RINVSRCADR, _S.RINVSERTYP, _S.RINVESMCLASS, _S.RINVSRCTON, _S.RINVSRCNPI),
        *(_S.RINVDSTTON, _S.RINVDSTNPI, _S.RINVSCHED, _S.RINVEXPIRY, _S.RX_R_APPN, _S.RSERTYPUNAUTH, _S.RPROHIBITED),
        *(_S.RSERTYPDENIED, _S.RINVDCS),
    ),
    "permanent": (
        *(_S.RINVMSGLEN, _S.RINVDSTADR, _S.RINVNUMDESTS, _S.RINVDLNAME, _S.RINVDESTFLAG, _S.RINVSUBREP, _S.RCNTSUBDL),
        *(_S.RINVREPFLAG, _S.RINVDFTMSGID, _S.RX_P_APPN),
    ),
    "protocol": (
        *(_S.RINVCMDLEN, _S.RINVCMDID, _S.RINVOPTPARSTREAM, _S.ROPTPARNOTALLWD, _S.RINVPARLEN, _S.RMISSINGOPTPARAM),
        _S.RINVOPTPARAMVAL,
    ),
    "not_for_submit": (_S.RINVMSGID, _S.RCANCELFAIL, _S.RREPLACEFAIL, _S.RINVNUMMSGS, _S.RQUERYFAIL),
}
_CLASS_OF: dict[int, StatusClass] = {status: kind for kind, members in _MEMBERS.items() for status in members}


def classify(status: int, overrides: Mapping[int, StatusClass] | None = None) -> StatusClass:
    """The class of a command_status; `overrides` are the channel's own (vendor codes)."""
    if overrides and status in overrides:
        return overrides[status]
    return _CLASS_OF.get(status, "unknown")


class Decision(msgspec.Struct, frozen=True):
    """What to do with a refused message.

    `again`: back into its queue. `never_here`: not to this channel any more. `free`: the attempt is not charged.
    `pause_channel`: the channel asked us to slow down. `rebind`: the session, not the message, is at fault.
    """

    again: bool
    never_here: bool = False
    free: bool = False
    pause_channel: bool = False
    rebind: bool = False


def decide(kind: StatusClass, status: int, *, refusals: int, attempts_max: int, alternatives: bool) -> Decision:
    """`refusals`: charged ones so far, this one not included. `alternatives`: another channel of its route is left."""
    if kind == "throttle":
        return Decision(again=True, free=True, pause_channel=True)
    if kind == "session":
        return Decision(again=True, free=True, rebind=True)
    rule = STATUS_CLASSES[kind]
    if refusals + 1 >= attempts_max:
        return Decision(again=False)
    if kind == "temporary":
        same = rule.same_channel(status)
        return Decision(again=same or alternatives, never_here=not same)
    if rule.other_channel:
        # A status nobody knows gets one other channel, not a tour of all of them.
        enough = kind == "unknown" and refusals >= 1
        return Decision(again=alternatives and not enough, never_here=True)
    return Decision(again=False)
