"""An endpoint as data: where it is, who may use it, what comes in and goes out. Dispatch goes by it, and so does OpenAPI."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from config.schema import Http
from gateway.api.corelink import CoreLink
from gateway.api.directory import Directory
from gateway.calls.things import ApiKey, Scope


class Services(msgspec.Struct):
    """What endpoints work with."""

    settings: Http
    core: CoreLink
    directory: Directory
    now: Callable[[], float]
    utc: Callable[[], float]
    try_webhook: "Callable[[Any, Any], Awaitable[tuple[int, str, float]]]"
    history: Any = None
    watchers: Any = None


class Asked(msgspec.Struct):
    """A request that has passed: whose it is, its parts decoded. `raw`: the body as it came, for the digest of a repeat."""

    services: Services
    key: ApiKey
    path: dict[str, str]
    body: Any
    query: Any
    raw: bytes
    headers: Any
    arrival: float
    arrival_utc: float

    @property
    def account(self) -> str:
        """Whose request it is."""
        return self.key.account


class Said(msgspec.Struct):
    """What is answered: a Struct as JSON, or octets of another kind, or a Starlette response."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


Handler: TypeAlias = Callable[[Asked], Awaitable[Any]]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `answers`: types by status, None for an empty body."""

    method: str
    path: str
    scope: Scope
    summary: str
    handler: Handler
    answers: dict[int, Any]
    body: Any = None
    query: Any = None
    tag: str
    repeatable: bool = False
    """Whether it takes an Idempotency-Key."""
    problems: tuple[int, ...] = ()
    """Statuses of its own errors, besides those any request may end with."""
