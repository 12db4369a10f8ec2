"""What the API keeps in the store: keys, webhooks, templates, and what operators set by hand. Their JSON is the stored form."""

from typing import Literal, TypeAlias

import msgspec

from routing.records import Notice

KEY, WEBHOOK, HELD, TEMPLATE, TUNED, PORTED = "key", "webhook", "held", "template", "tuned", "ported"
"""Kinds of documents."""

Scope: TypeAlias = Literal["send", "read", "ops", "admin"]
SCOPES: tuple[Scope, ...] = ("send", "read", "ops", "admin")
"""Submit and cancel; ask about one's messages; channels and ledger of the whole gateway; keys and webhooks."""


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of an account. Only its SHA-256 is kept, and its first characters, to be recognised by."""

    id: str
    account: str
    sha256: str
    prefix: str
    scopes: tuple[Scope, ...]
    name: str = ""
    created_utc: float = 0.0
    expires_utc: float = 0.0
    """0: never."""

    def valid(self, utc: float) -> bool:
        """Whether its time is not over."""
        return not self.expires_utc or utc < self.expires_utc


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where events of an account go. `events` empty: all. `secrets`: the newest first; two while they are rotated."""

    id: str
    account: str
    url: str
    secrets: tuple[str, ...]
    events: tuple[str, ...] = ()
    batch: bool = False
    enabled: bool = True
    why: str = ""
    """Why it was disabled."""
    created_utc: float = 0.0
    old_secret_until_utc: float = 0.0

    def wants(self, event: str) -> bool:
        """Whether an event of this name goes there."""
        return self.enabled and (not self.events or event in self.events)

    def signing(self, utc: float) -> tuple[str, ...]:
        """The secrets a delivery is signed with now."""
        return self.secrets if utc < self.old_secret_until_utc else self.secrets[:1]


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Liquid text of an account. `required`: variables that must be given."""

    id: str
    account: str
    text: str
    required: tuple[str, ...] = ()
    created_utc: float = 0.0


class Tuning(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator has set of a channel: it counts instead of the configuration's. `rate` in submit_sm a second."""

    weight: int | None = None
    rate: float | None = None


def event_name(notice: Notice) -> str:
    """What an event is called."""
    return notice.event or ("message.received" if notice.is_mo else f"message.{notice.state.name.lower()}")
