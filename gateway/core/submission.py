"""A request of a client on its way through the intake, and what answers it."""

import msgspec

from protocol.commands import Command
from protocol.fields import Unsuccess
from protocol.pdu import DataSmResp, Pdu, SubmitMultiResp, SubmitSmResp
from protocol.tlv import Tag, Tlvs
from routing.policy.verdict import Refusal
from routing.records import Message

INFO_MAX = 255


class AskedAs(msgspec.Struct, frozen=True, gc=False):
    """What a request goes by: an idempotency key with the digest of its payload, the id of a batch, or both."""

    key: str = ""
    digest: str = ""
    batch_id: str = ""
    unready: int = 0
    """Recipients of the batch that were refused before."""


class Submission(msgspec.Struct, gc=False):
    """One request of a client: its session number, what answers it, and its messages (several for submit_multi).

    `statuses` has a command_status for each message; the intake fills it. `asked_as`: the request goes by a name, and its
    answer is remembered (HTTP).
    """

    session: int
    sequence: int
    command_id: int
    messages: list[Message]
    statuses: list[int] = []
    refusals: dict[int, Refusal] = {}
    """Which rule refused a message, by its place."""
    octets: int = 0
    """Of texts as they came; rules may change these."""
    asked_as: AskedAs | None = None


def response_of(submission: Submission) -> Pdu:
    """The answer to a submit_multi or data_sm."""
    first = submission.messages[0]
    failed = [
        Unsuccess(message.dest_ton, message.dest_npi, message.destination, status)
        for message, status in zip(submission.messages, submission.statuses, strict=True)
        if status
    ]
    if submission.command_id == Command.DATA_SM:
        status = submission.statuses[0]
        tlvs = told(submission.refusals[0]) if submission.refusals else ()
        return DataSmResp(submission.sequence, status, tlvs, message_id="" if status else first.public_id)
    if len(failed) == len(submission.messages):
        return SubmitMultiResp(submission.sequence, failed[0].status)
    return SubmitMultiResp(submission.sequence, message_id=first.public_id, unsuccess=tuple(failed))


def refused_submit(sequence: int, refusal: Refusal) -> SubmitSmResp:
    """The answer to a submit_sm that a rule refused; the rule is named in additional_status_info_text (5.0 section 4.8.4.1)."""
    return SubmitSmResp(sequence, refusal.status, told(refusal))


def told(refusal: Refusal) -> Tlvs:
    """The rule in words."""
    words = str(refusal).encode("ascii", "replace")[:INFO_MAX] + b"\0"
    return ((int(Tag.ADDITIONAL_STATUS_INFO_TEXT), words),)
