"""Lists of recipients, what would become of a message, and what is told about messages afterwards."""

from gateway.api.corelink import expect
from gateway.api.operation import Asked, Said
from gateway.api.problems import invalid, not_found
from gateway.api.render import moment, number
from gateway.api.rule_schemas import (
    ComplaintIn,
    FeedbackIn,
    OptOutDone,
    OptOutIn,
    OptOutPage,
    OptOutQuery,
    PreviewChannel,
    PreviewOut,
    PreviewStep,
)
from gateway.api.submits import one_draft
from gateway.api.texts import encoding_of, text_of
from gateway.calls.messages import ChangeMembers, Done, Explain, Explained, Find, ListMembers, MemberPage, Note, Records
from gateway.store.record import Record
from protocol.address import TON_INTERNATIONAL, international
from protocol.errors import ContentError
from routing.records import Message

LISTED = 20
"""Characters of a message that phones show in their list."""


async def list_optouts(asked: Asked) -> Said:
    """Recipients on a list, in order."""
    query: OptOutQuery = asked.query
    ask = ListMembers(query.list_, asked.account, query.cursor, query.limit + 1)
    page = expect(await asked.services.core.ask(ask), MemberPage)
    shown = page.numbers[: query.limit]
    more = shown[-1] if len(page.numbers) > query.limit else None
    return Said(200, OptOutPage(data=[f"+{one}" for one in shown], total=page.total, next_cursor=more))


async def add_optouts(asked: Asked) -> Said:
    """Recipients that get no campaigns, or nothing at all."""
    body: OptOutIn = asked.body
    ask = ChangeMembers(body.list_, asked.account, list(body.numbers), [], f"key {asked.key.id}", body.why)
    done = expect(await asked.services.core.ask(ask), Done)
    return Said(200, OptOutDone(changed=done.count, detail=done.error))


async def remove_optout(asked: Asked) -> Said:
    """A recipient that may be sent to again."""
    query: OptOutQuery = asked.query
    try:
        digits = international(asked.path["number"]).addr
    except ContentError:
        not_found("number")
    ask = ChangeMembers(query.list_, asked.account, [], [f"+{digits}"], f"key {asked.key.id}")
    expect(await asked.services.core.ask(ask), Done)
    return Said(204)


async def preview_message(asked: Asked) -> Said:
    """Each rule's verdict, the text as it would leave, its parts, cost and channels. Nothing is sent or counted."""
    answer = await asked.services.core.ask(Explain(asked.account, one_draft(asked)))
    found: Explained = expect(answer, Explained)
    message = found.record.message
    said = text_of(message.content)
    return Said(
        200,
        PreviewOut(
            allowed=not any(refused for _, _, refused in found.steps),
            steps=[PreviewStep(rule=rule, verdict=verdict, refused=refused) for rule, verdict, refused in found.steps],
            to=number(TON_INTERNATIONAL, message.destination),
            text=said,
            listed=said[:LISTED],
            segments=message.content.parts,
            encoding=encoding_of(message.content.data_coding),
            channels=[PreviewChannel(name=name, weight=weight, state=state) for name, weight, state in found.channels],
            channel=found.channel,
            why=found.why,
            cost=message.price,
            currency=message.currency,
            next_send_at=moment(found.next_send_utc),
        ),
    )


async def give_feedback(asked: Asked) -> Said:
    """A recipient did something with a message."""
    body: FeedbackIn = asked.body
    message = await _message_of(asked, body.message_id)
    fields = {"event": body.event, "value": str(body.value), "currency": body.currency}
    fields["at"] = body.at.isoformat() if body.at is not None else ""
    await asked.services.core.ask(Note("feedback", asked.account, message.id, message.campaign_id, fields, message))
    return Said(204)


async def complain(asked: Asked) -> Said:
    """A recipient complained."""
    body: ComplaintIn = asked.body
    campaign = body.campaign_id
    if body.message_id is not None:
        campaign = campaign or (await _message_of(asked, body.message_id)).campaign_id
    fields = {"received_at": body.received_at.isoformat(), "source": body.source, "text": body.text}
    fields["answered_at"] = body.answered_at.isoformat() if body.answered_at is not None else ""
    await asked.services.core.ask(Note("complaint", asked.account, int(body.message_id or 0), campaign, fields))
    return Said(204)


async def _message_of(asked: Asked, text: str) -> Message:
    """One that must be the account's."""
    found: list[Record] = []
    if int(text) < 1 << 63:
        found = expect(await asked.services.core.ask(Find(asked.account, int(text))), Records).records
    if not found:
        invalid("/message_id", "unknown_message", "the account has no such message")
    return found[0].message
