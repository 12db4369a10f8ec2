"""`tensec webhook`: where events of accounts go, of a running gateway."""

import time
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from gateway.api.destinations import BadDestinationError, check_url
from gateway.api.schemas import EVENTS
from gateway.calls.making import make_webhook, stored
from gateway.calls.messages import AskDeliveries, AskDocuments, Deliveries, DocumentsOf, Done, PutDocument, Replay
from gateway.calls.things import WEBHOOK, Webhook
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, check_account, fail, read_config
from gateway.cli.message import MessageId

app = App(name="webhook", help="Where events of accounts go.")


@app.command
def add(
    url: str,
    *,
    account: str,
    event: Annotated[tuple[str, ...], Parameter(help="Such as message.delivered; repeatable. None: all.")] = (),
    batch: Annotated[bool, Parameter(negative="", help="Several events in one request.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Make a webhook; prints its id and the secret its deliveries are signed with."""
    settings = read_config(config)
    check_account(settings, account)
    strangers = set(event) - set(EVENTS)
    if strangers:
        fail(f"{', '.join(sorted(strangers))}: no event; there are {', '.join(EVENTS)}", 2)
    try:
        check_url(url, settings.http.webhooks)
    except BadDestinationError as error:
        fail(f"{url}: {error}", 2)
    hook = make_webhook(account, url, time.time(), event, batch=batch)
    call(settings, PutDocument(WEBHOOK, hook.id, stored(hook)))
    print(msgspec.json.encode({"id": hook.id, "secret": hook.secrets[0]}).decode() if json else f"{hook.id}  {hook.secrets[0]}")


@app.command
def ls(*, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Every webhook, and how many events wait for it."""
    settings = read_config(config)
    found = []
    for hook in _webhooks(config):
        answer = call(settings, AskDeliveries(hook.id, 1))
        assert isinstance(answer, Deliveries)
        found.append((hook, answer))
    if json:
        shown = [
            {"id": hook.id, "account": hook.account, "url": hook.url, "events": hook.events, "batch": hook.batch}
            | {"enabled": hook.enabled, "why": hook.why, "waiting": answer.waiting}
            for hook, answer in found
        ]
        print(msgspec.json.encode(shown).decode())
        return
    for hook, answer in found:
        state = "enabled" if hook.enabled else f"disabled ({hook.why})"
        events = ",".join(hook.events) or "all events"
        print(f"{hook.id}  {hook.account}  {hook.url}  {events}  {state}  waiting {answer.waiting}")
        for one in answer.tries:
            print(f"    last: {one.status or 'no answer'} {one.said}".rstrip())


@app.command
def rm(webhook_id: str, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Take a webhook away; what it has not taken is forgotten."""
    call(read_config(config), PutDocument(WEBHOOK, _one(config, webhook_id).id, b""))


@app.command
def replay(webhook_id: str, *message_id: MessageId, dead: bool = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Hand events over again: of these messages, or with --dead all that were given up."""
    hook = _one(config, webhook_id)
    answer = call(read_config(config), Replay(hook.account, hook.id, message_id, dead))
    assert isinstance(answer, Done)
    print(f"{answer.count} events are on their way")


def _one(config: ConfigPath, webhook_id: str) -> Webhook:
    found = next((one for one in _webhooks(config) if one.id == webhook_id), None)
    if found is None:
        fail(f"no webhook has the id {webhook_id}: see `tensec webhook ls`")
    return found


def _webhooks(config: ConfigPath) -> list[Webhook]:
    answer = call(read_config(config), AskDocuments(WEBHOOK))
    assert isinstance(answer, DocumentsOf)
    return [msgspec.json.decode(value, type=Webhook) for value in answer.documents.values()]
