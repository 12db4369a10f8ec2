"""POST /v1/messages and /v1/batches: validated here, stored by the core, answered when that is done."""

import asyncio
from datetime import datetime
from hashlib import blake2b
from typing import NoReturn

from gateway.api.corelink import expect
from gateway.api.operation import Asked, Said
from gateway.api.problems import FieldError, ProblemError, invalid, unavailable
from gateway.api.refusals import refusal
from gateway.api.render import number
from gateway.api.schemas import BatchAccepted, BatchIn, ItemError, Meaning, MessageAccepted, MessageIn, Recipient
from gateway.api.templates import text_for
from gateway.api.texts import Encoded, encode, encoding_of, fill
from gateway.api.times import check_times
from gateway.calls.messages import Conflict, Draft, Item, Submit, Taken
from protocol.address import TON_INTERNATIONAL, sender
from protocol.errors import ContentError
from protocol.status import Status, status_name
from routing.records import MessageState

KEY_MAX = 255
BATCH_OCTETS_MAX = 8_000_000
"""Of all texts of a batch: a long one to many is a hundred times what came in."""
TURN = 50
"""Recipients prepared before other requests have their turn."""


async def send_message(asked: Asked) -> Said:
    """One message."""
    draft = one_draft(asked)
    taken = await _submitted(asked, [draft], batch=False)
    (item,) = taken.items
    if item.status:
        _refuse(item, taken)
    answer = _accepted(item, draft, taken.replayed)
    return Said(202, answer, (("Location", f"/v1/messages/{answer.id}"),))


def one_draft(asked: Asked) -> Draft:
    """The message in the body, as `POST /v1/messages` has it. Raises ProblemError."""
    body: MessageIn = asked.body
    try:
        text = text_for(asked, body.text, body.template_id, body.params)
    except ContentError as error:
        invalid("/params", "invalid_text", str(error))
    return _draft_of(asked, body, body.to, _encoded(text, body), body.client_ref)


async def send_batch(asked: Asked) -> Said:
    """The same to many; what is wrong with one recipient does not keep the others back."""
    body: BatchIn = asked.body
    drafts: list[Draft] = []
    places: list[int] = []
    errors: dict[int, ItemError] = {}
    shared = _encoded(body.text, body) if body.text and "{{" not in body.text else None
    octets = 0
    for at, one in enumerate(body.to):
        if at % TURN == TURN - 1:
            await asyncio.sleep(0)
        recipient = one if isinstance(one, Recipient) else Recipient(number=one)
        try:
            ready = shared or encode(_filled(asked, body, recipient), body.encoding)
            octets += len(ready.data)
            if octets > BATCH_OCTETS_MAX:
                what = f"at most {BATCH_OCTETS_MAX} octets of text in a batch: send it in several"
                raise ProblemError(413, "too_large", what)
            drafts.append(_draft_of(asked, body, recipient.number, ready, recipient.client_ref))
            places.append(at)
        except ContentError as error:
            errors[at] = ItemError(pointer=f"/to/{at}/params", code="invalid_text", detail=str(error))
    if not drafts:
        raise ProblemError(422, "invalid_request", "no recipient can be sent to", _field_errors(errors))
    taken = await _submitted(asked, drafts, batch=True, unready=len(errors))
    accepted: list[MessageAccepted] = []
    for at, item, draft in zip(places, taken.items, drafts, strict=True):
        if item.status:
            field, code, detail = refusal(item) or ("", "not_accepted", status_name(item.status))
            pointer = f"/to/{at}" if field in ("to", "") else f"/{field}"
            errors[at] = ItemError(pointer=pointer, code=code, detail=detail)
        else:
            accepted.append(_accepted(item, draft, replayed=False))
    if not accepted:
        first = next(item for item in taken.items if item.status)
        if refusal(first) is None or first.status == Status.RINVEXPIRY:
            _refuse(first, taken)
        raise ProblemError(422, "invalid_request", "no recipient can be sent to", _field_errors(errors))
    listed = [errors[at] for at in sorted(errors)]
    answer = BatchAccepted(
        id=taken.batch_id,
        accepted=len(accepted),
        refused=len(errors),
        messages=accepted,
        errors=listed,
        replayed=taken.replayed,
    )
    return Said(202, answer, (("Location", f"/v1/batches/{taken.batch_id}"),))


def _filled(asked: Asked, body: BatchIn, recipient: Recipient) -> str:
    """The text for one recipient."""
    if body.text:
        return fill(body.text, recipient.params)
    return text_for(asked, "", body.template_id, recipient.params)


def _field_errors(errors: dict[int, ItemError]) -> tuple[FieldError, ...]:
    return tuple(FieldError(one.pointer, one.code, one.detail) for _, one in sorted(errors.items()))


def _encoded(text: str, body: Meaning) -> Encoded:
    try:
        return encode(text, body.encoding)
    except ContentError as error:
        invalid("/text", "invalid_text", str(error))


def _draft_of(asked: Asked, body: MessageIn | BatchIn, to: str, encoded: Encoded, client_ref: str) -> Draft:
    due, expires = _time(body.send_at), _time(body.expire_at)
    check_times(asked.arrival_utc, due, expires)
    if body.from_:
        try:
            sender(body.from_)
        except ContentError as error:
            invalid("/from", "invalid_sender", str(error))
    return Draft(
        to.strip(),
        encoded.data,
        encoded.data_coding,
        encoded.parts,
        body.from_,
        body.class_ or "",
        body.purpose or "",
        body.business,
        body.brand,
        body.industry,
        body.priority,
        tuple(body.tags),
        client_ref,
        body.campaign_id,
        body.variant,
        body.template_id,
        body.link_id,
        due,
        expires,
    )


def _time(moment: datetime | None) -> float:
    """0 where nothing was asked; what is long over, and before 1970, is as good as the first second after it."""
    return 0.0 if moment is None else max(1.0, moment.timestamp())


async def _submitted(asked: Asked, drafts: list[Draft], *, batch: bool, unready: int = 0) -> Taken:
    """What the core made of it. Raises ProblemError when the request is a repeat that does not fit."""
    key = idempotency_key(asked)
    digest = blake2b(asked.raw, digest_size=16, person=b"batch" if batch else b"message").hexdigest() if key else ""
    submit = Submit(asked.account, drafts, asked.arrival, asked.arrival_utc, key, digest, batch, unready)
    answer = await asked.services.core.ask(submit)
    if isinstance(answer, Conflict):
        if answer.running:
            raise ProblemError(409, "idempotency_running", "repeat it in a moment", permanent=False, retry_after_s=1)
        raise ProblemError(422, "idempotency_mismatch", "use a new key for a new request")
    taken: Taken = expect(answer, Taken)
    return taken


def idempotency_key(asked: Asked) -> str:
    """Of the request; a quoted one (a structured field) and a bare one are the same."""
    key = asked.headers.get("idempotency-key", "").strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > KEY_MAX or not key.isprintable():
        raise ProblemError(400, "invalid_request", f"Idempotency-Key: at most {KEY_MAX} printable characters")
    return str(key)


def _accepted(item: Item, draft: Draft, replayed: bool) -> MessageAccepted:
    return MessageAccepted(
        id=str(item.message_id),
        status="scheduled" if item.state == MessageState.SCHEDULED else "accepted",
        to=number(TON_INTERNATIONAL, item.to),
        segments=item.parts or draft.parts,
        encoding=encoding_of(draft.data_coding),
        client_ref=draft.client_ref,
        replayed=replayed,
    )


def _refuse(item: Item, taken: Taken) -> NoReturn:
    """Nothing of the request was accepted."""
    refused = refusal(item)
    if refused is not None:
        field, code, detail = refused
        invalid(f"/{field}" if field else "", code, detail)
    if item.status == Status.RTHROTTLED:
        raise ProblemError(
            429,
            "rate_limited",
            "more than the account's messages_per_second",
            permanent=False,
            retry_after_s=taken.retry_after_s,
        )
    if item.status == Status.RMSGQFUL:
        raise unavailable("the queue is full", taken.retry_after_s)
    raise unavailable("nothing can be stored now", taken.retry_after_s)
