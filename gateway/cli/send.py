"""`tensec send`: one message through a running gateway, without a key: whoever may read its data directory may send."""

import sys
import time
from typing import Annotated

import msgspec
from cyclopts import Parameter

from config.schema import MessageClass
from gateway.api.refusals import refusal
from gateway.api.texts import encode
from gateway.calls.messages import Draft, Find, Records, Submit, Taken
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, fail, read_config
from gateway.cli.message import show
from gateway.clock import SystemClock
from protocol.address import sender as check_sender
from protocol.errors import ContentError
from protocol.status import status_name

POLL_S = 0.1


def send(
    to: str,
    text: str,
    *,
    account: Annotated[str, Parameter(help="Whose message it is; the first one of the configuration.")] = "",
    source: Annotated[str, Parameter(name="--from", help="The sender.")] = "",
    class_: Annotated[MessageClass | None, Parameter(name="--class", help="Instead of the account's.")] = None,
    wait: Annotated[bool, Parameter(negative="", help="Until it is final, and print its trail.")] = False,
    timeout: Annotated[float, Parameter(help="Seconds to wait at most.")] = 60.0,
    config: ConfigPath = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Send one message, and print its id; with --wait its trail up to the receipt (exit 1 unless it was delivered)."""
    settings = read_config(config)
    if not settings.accounts:
        fail("the configuration has no account to send for", 2)
    account = account or settings.accounts[0].system_id
    try:
        encoded = encode(text)
        if source:
            check_sender(source)
    except ContentError as error:
        fail(str(error), 2)
    draft = Draft(to, encoded.data, encoded.data_coding, encoded.parts, source, class_ or "")
    clock = SystemClock()
    answer = call(settings, Submit(account, [draft], clock.now(), clock.utc()))
    assert isinstance(answer, Taken)
    (item,) = answer.items
    if item.status:
        refused = refusal(item)
        fail(f"{refused[1]}: {refused[2]}" if refused is not None else status_name(item.status))
    if not wait:
        print(msgspec.json.encode({"id": str(item.message_id), "to": f"+{item.to}"}).decode() if json else item.message_id)
        return
    deadline = time.monotonic() + timeout
    while True:
        found = call(settings, Find("", item.message_id))
        assert isinstance(found, Records)
        if not found.records:
            fail(f"message {item.message_id} is not there any more: the core has been started again with a store that forgets")
        record = found.records[0]
        if record.message.state.final or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    show(record, json=json)
    sys.exit(0 if record.message.state.name == "DELIVERED" else 1)
