"""`tensec explain`: what would become of a message, rule by rule; nothing is sent and nothing is counted."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from config.schema import MessageClass, Purpose
from gateway.api.texts import encode, encoding_of, text_of
from gateway.calls.messages import Draft, Explain, Explained
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, fail, money, read_config
from protocol.errors import ContentError


def explain(
    *,
    account: str,
    to: str,
    text: str,
    source: Annotated[str, Parameter(name="--from", help="The sender.")] = "",
    class_: Annotated[MessageClass | None, Parameter(name="--class", help="Instead of the account's.")] = None,
    purpose: Annotated[Purpose | None, Parameter(help="Instead of the account's.")] = None,
    brand: str = "",
    industry: str = "",
    config: ConfigPath = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Say each rule's verdict, the text as it would leave, its parts, cost and channels (exit 1: it would be refused)."""
    try:
        encoded = encode(text)
    except ContentError as error:
        fail(str(error), 2)
    draft = Draft(
        to, encoded.data, encoded.data_coding, encoded.parts, source, class_ or "", purpose or "", "", brand, industry
    )
    answer = call(read_config(config), Explain(account, draft), errors_too=True)
    if not isinstance(answer, Explained):
        fail(getattr(answer, "error", "no answer"), 2)
    message = answer.record.message
    allowed = not any(refused for _, _, refused in answer.steps)
    said = text_of(message.content)
    if json:
        steps = [{"rule": rule, "verdict": verdict, "refused": refused} for rule, verdict, refused in answer.steps]
        shown = {"allowed": allowed, "steps": steps, "to": message.destination, "text": said, "segments": message.content.parts}
        way = {"channels": answer.channels, "channel": answer.channel, "why": answer.why}
        print(msgspec.json.encode(shown | {"cost": message.price} | way).decode())
    else:
        for rule, verdict, refused in answer.steps:
            print(f"{'REFUSED' if refused else 'ok':<8} {rule:<28} {verdict}")
        print(f"text     {said!r}: {message.content.parts} segments, {encoding_of(message.content.data_coding)}")
        if message.price:
            print(f"cost     {money(message.price)} {message.currency}".rstrip())
        channels = ", ".join(f"{name} (weight {weight}, {state})" for name, weight, state in answer.channels)
        print(f"route    {channels or 'no route'}")
        print(f"channel  {answer.channel or '-'}: {answer.why}")
        if answer.next_send_utc:
            print(f"goes     {datetime.fromtimestamp(answer.next_send_utc, UTC):%Y-%m-%d %H:%M:%S}Z")
    sys.exit(0 if allowed else 1)
