"""Accounts, channels, configurations, messages and outcomes with everything that does not matter filled in."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from clock import START_UTC

from config.schema import Account, Channel, Config, Core, Route, RouteChannel, Secret
from routing.records import Content, Message

TO = "8613800138000"
ResultT = TypeVar("ResultT")


def at_once(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What it gives, when it has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


def account(system_id: str = "shop", **fields: Any) -> Account:
    return Account(system_id=system_id, password_hash=Secret(fields.pop("password_hash", "$argon2-none")), **fields)


def channel(name: str = "a", **fields: Any) -> Channel:
    host = fields.pop("host", "carrier.test")
    return Channel(name=name, host=host, port=2775, system_id="t", password=Secret("secret"), **fields)


def route(*names: str, **match: Any) -> Route:
    return Route(channels=[RouteChannel(name=name) for name in names], **match)


def config(*routes: Route, core: Core | None = None, **fields: Any) -> Config:
    """One account and two channels, `a` and `b`, that every message may take."""
    return Config(
        accounts=[account()],
        channels=[channel("a"), channel("b")],
        routes=list(routes) or [route("a", "b")],
        core=core or Core(),
        **fields,
    )


def message(number: int = 1, data: bytes = b"hello", **fields: Any) -> Message:
    content = fields.pop("content", None) or Content(data, **{k: fields.pop(k) for k in CONTENT_FIELDS if k in fields})
    defaults: dict[str, Any] = {
        "account": "shop",
        "public_id": str(number),
        "source": "Shop",
        "destination": TO,
        "registered_delivery": 1,
        "boot": "virtual",
        "arrival_utc": START_UTC,
        "expires_utc": START_UTC + 300,
    }
    return Message(id=number, content=content, **{**defaults, **fields})


CONTENT_FIELDS = ("data_coding", "esm_class", "protocol_id", "tlvs", "parts")


class Alerts:
    """A log that keeps what operators are alerted of: what it is, and the values beside it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **values: Any) -> None:
        self.seen.append((event.removeprefix("alert: "), values))
