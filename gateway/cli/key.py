"""`tensec key`: keys for the HTTP API, of a running gateway."""

import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from gateway.calls.making import make_key, stored
from gateway.calls.messages import AskDocuments, DocumentsOf, PutDocument
from gateway.calls.things import KEY, ApiKey, Scope
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, Json, call, check_account, fail, read_config

app = App(name="key", help="Keys for the HTTP API.")
DAY_S = 86_400.0


@app.command
def create(
    *,
    account: str,
    scope: Annotated[tuple[Scope, ...], Parameter(help="send, read, ops or admin; repeatable.")] = ("send", "read"),
    name: str = "",
    days: Annotated[float, Parameter(help="How long it works; 0: for good.")] = 0.0,
    config: ConfigPath = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    settings = read_config(config)
    check_account(settings, account)
    utc = time.time()
    kept, secret = make_key(account, scope, utc, name, utc + days * DAY_S if days else 0.0)
    call(settings, PutDocument(KEY, kept.id, stored(kept)))
    print(msgspec.json.encode({"id": kept.id, "key": secret, "scopes": kept.scopes}).decode() if json else secret)


@app.command
def ls(*, config: ConfigPath = DEFAULT_CONFIG, json: Json = False) -> None:
    """Every key: its id, first characters, account and scopes."""
    keys = _keys(config)
    if json:
        print(msgspec.json.encode(keys).decode())
        return
    utc = time.time()
    for one in keys:
        over = "" if one.valid(utc) else "  EXPIRED"
        until = f"  until {datetime.fromtimestamp(one.expires_utc, UTC):%Y-%m-%d %H:%M}Z" if one.expires_utc else ""
        print(f"{one.id}  {one.prefix}...  {one.account}  {','.join(one.scopes)}  {one.name}{until}{over}")


@app.command
def revoke(key_id: str, *, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """A key works no longer, from now on."""
    if key_id not in {one.id for one in _keys(config)}:
        fail(f"no key has the id {key_id}: see `tensec key ls`")
    call(read_config(config), PutDocument(KEY, key_id, b""))


def _keys(config: ConfigPath) -> list[ApiKey]:
    answer = call(read_config(config), AskDocuments(KEY))
    assert isinstance(answer, DocumentsOf)
    return [msgspec.json.decode(value, type=ApiKey) for value in answer.documents.values()]
