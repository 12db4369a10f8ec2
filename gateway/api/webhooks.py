"""Webhooks of an account: made, changed, tried, their deliveries and repeats."""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.api.corelink import expect, put_document
from gateway.api.destinations import BadDestinationError, check_url
from gateway.api.operation import Asked, Said
from gateway.api.problems import invalid, not_found, unavailable
from gateway.api.render import event_id, moment, sure_moment
from gateway.api.schemas import (
    DeliveryList,
    DeliveryOut,
    DeliveryQuery,
    Event,
    EventData,
    ReplayIn,
    ReplayOut,
    RotateIn,
    TestOut,
    WebhookChange,
    WebhookIn,
    WebhookList,
    WebhookOut,
)
from gateway.calls.making import make_webhook, new_id, new_secret, stored
from gateway.calls.messages import AskDeliveries, Deliveries, Done, Replay
from gateway.calls.things import WEBHOOK, Webhook

WEBHOOKS_MAX = 50
TRIES = 5


def _out(hook: Webhook, secret: str = "") -> WebhookOut:
    return WebhookOut(
        id=hook.id,
        url=hook.url,
        events=list(hook.events),
        batch=hook.batch,
        enabled=hook.enabled,
        created_at=sure_moment(hook.created_utc),
        disabled_because=hook.why,
        secret=secret,
    )


def _own(asked: Asked) -> Webhook:
    hook = asked.services.directory.webhook(asked.account, asked.path["id"])
    if hook is None:
        not_found("webhook")
    return hook


async def _changed(asked: Asked, change: Callable[[Webhook], Webhook]) -> Webhook:
    """Another worker may change it at the same time, or take it away: neither is undone."""
    for _ in range(TRIES):
        before = _own(asked)
        hook = change(before)
        if await put_document(asked.services.core, WEBHOOK, hook.id, stored(hook), stored(before)):
            return hook
    raise unavailable("it is changed by others all the time")


def _checked(asked: Asked, url: str) -> str:
    try:
        check_url(url, asked.services.settings.webhooks)
    except BadDestinationError as error:
        invalid("/url", "not_allowed", str(error))
    return url


async def list_webhooks(asked: Asked) -> Said:
    return Said(200, WebhookList(data=[_out(one) for one in asked.services.directory.webhooks(asked.account)]))


async def create_webhook(asked: Asked) -> Said:
    """A new one; events of messages that come from now on."""
    body: WebhookIn = asked.body
    if sum(1 for _ in asked.services.directory.webhooks(asked.account)) >= WEBHOOKS_MAX:
        invalid("", "too_many", f"an account has at most {WEBHOOKS_MAX} webhooks")
    url = _checked(asked, body.url)
    hook = make_webhook(asked.account, url, asked.services.utc(), tuple(body.events), batch=body.batch)
    await put_document(asked.services.core, WEBHOOK, hook.id, stored(hook))
    return Said(201, _out(hook, hook.secrets[0]), (("Location", f"/v1/webhooks/{hook.id}"),))


async def get_webhook(asked: Asked) -> Said:
    return Said(200, _out(_own(asked)))


async def change_webhook(asked: Asked) -> Said:
    """What is given changes; enabling one hands it what has waited."""
    body: WebhookChange = asked.body
    fields: dict[str, Any] = {}
    _own(asked)
    if body.url is not None:
        fields["url"] = _checked(asked, body.url)
    if body.events is not None:
        fields["events"] = tuple(dict.fromkeys(body.events))
    if body.batch is not None:
        fields["batch"] = body.batch
    if body.enabled is not None:
        fields |= {"enabled": body.enabled, "why": "" if body.enabled else "switched off"}
    return Said(200, _out(await _changed(asked, lambda hook: msgspec.structs.replace(hook, **fields))))


async def delete_webhook(asked: Asked) -> Said:
    """What it has not taken is forgotten."""
    await put_document(asked.services.core, WEBHOOK, _own(asked).id, b"")
    return Said(204)


async def rotate_secret(asked: Asked) -> Said:
    """A new secret; while both work, deliveries carry two signatures."""
    body: RotateIn = asked.body
    secret = new_secret()
    until = asked.services.utc() + body.overlap_s

    def rotated(hook: Webhook) -> Webhook:
        return msgspec.structs.replace(hook, secrets=(secret, hook.secrets[0]), old_secret_until_utc=until)

    return Said(200, _out(await _changed(asked, rotated), secret))


async def list_deliveries(asked: Asked) -> Said:
    """The latest attempts, since the core started."""
    query: DeliveryQuery = asked.query
    found = expect(await asked.services.core.ask(AskDeliveries(_own(asked).id, query.limit)), Deliveries)
    tries = [
        DeliveryOut(
            event_id=event_id(one.notice_id),
            http_status=one.status,
            at=sure_moment(one.at_utc),
            took_ms=round(one.took_s * 1000),
            failures=one.failures,
            detail=one.said,
            next_at=moment(one.next_utc),
        )
        for one in found.tries
    ]
    return Said(200, DeliveryList(data=tries, waiting=found.waiting))


async def replay_events(asked: Asked) -> Said:
    """Events that were taken or given up before, once more."""
    body: ReplayIn = asked.body
    ids = tuple(int(one) for one in body.message_ids if int(one) < 1 << 63)
    done = expect(await asked.services.core.ask(Replay(asked.account, _own(asked).id, ids, body.dead)), Done)
    return Said(202, ReplayOut(replayed=done.count))


async def try_webhook(asked: Asked) -> Said:
    """A made-up event, at once, and what the receiver answers."""
    utc = asked.services.utc()
    data = EventData(id="0", status="delivered", to="+8613800138000", client_ref="test", done_at=sure_moment(utc))
    event = Event(type="message.delivered", id=new_id("evt_test"), timestamp=sure_moment(utc), data=data)
    status, detail, took_s = await asked.services.try_webhook(_own(asked), event)
    return Said(200, TestOut(http_status=status, detail=detail, took_ms=round(took_s * 1000)))
