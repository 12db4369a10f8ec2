"""`tensec message`: what became of messages."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import App, Parameter, validators

from gateway.api.render import attempt_out, message_out
from gateway.api.trail import steps
from gateway.calls.messages import Cancel, Changed, Find, Records
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, fail, read_config
from gateway.store.record import Record

MessageId = Annotated[int, Parameter(validator=validators.Number(gte=0, lt=1 << 63))]
app = App(name="message", help="What became of messages.")


@app.command
def get(message_id: MessageId, *, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """One message with its trail: every attempt, channel, answer and receipt."""
    show(_found(config, message_id), json=json)


@app.command
def cancel(message_id: MessageId, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """End a message that has not left (exit 1: it has)."""
    answer = call(read_config(config), Cancel("", message_id))
    assert isinstance(answer, Changed)
    if answer.record is None:
        fail(f"there is no message {message_id}")
    if not answer.possible:
        fail(f"too late: it is {message_out(answer.record).status}")
    print("cancelled")


def _found(config: ConfigPath, message_id: int) -> Record:
    answer = call(read_config(config), Find("", message_id))
    assert isinstance(answer, Records)
    if not answer.records:
        fail(f"there is no message {message_id}")
    return answer.records[0]


def show(record: Record, *, json: bool) -> None:
    """Print a message and its trail."""
    message = message_out(record, with_text=False)
    attempts = [attempt_out(one) for one in record.attempts]
    if json:
        print(msgspec.json.encode({"message": message, "attempts": attempts}).decode())
        return
    print(f"{message.id} to {message.to}")
    for one in steps(record):
        at = f"{datetime.fromtimestamp(one.at_utc, UTC):%H:%M:%S.%f}" if one.at_utc else f"{'':15}"
        print(f"{at}  {one.what}{f' ({one.why})' if one.why else ''}")
    if message.latency_ms is not None:
        print(f"{'':15}  {message.latency_ms} ms after it was due")
    sys.stdout.flush()
