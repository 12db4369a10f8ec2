"""What the core has told this worker of keys and webhooks: looked up here, without asking."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from gateway import log
from gateway.calls.making import hashed
from gateway.calls.outbound import Documents
from gateway.calls.things import KEY, TEMPLATE, WEBHOOK, ApiKey, Template, Webhook

_KEY = msgspec.json.Decoder(ApiKey)
_TEMPLATE = msgspec.json.Decoder(Template)
_WEBHOOK = msgspec.json.Decoder(Webhook)
ThingT = TypeVar("ThingT", ApiKey, Webhook, Template)


class Directory:
    """See the module."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._by_hash: dict[str, ApiKey] = {}
        self._webhooks: dict[str, Webhook] = {}
        self._templates: dict[str, Template] = {}
        self._log = log.logger()

    def take(self, documents: Documents) -> None:
        """What has changed, or everything."""
        if documents.all:
            for several in (self._keys, self._by_hash, self._webhooks, self._templates):
                several.clear()
        for kind, name, value in documents.put:
            try:
                self._put(kind, name, value)
            except msgspec.MsgspecError as error:  # one that cannot be read must not hide the others
                self._log.error("a document of the core was not understood", kind=kind, name=name, reason=str(error))

    def _put(self, kind: str, name: str, value: bytes) -> None:
        if kind == KEY:
            self._put_key(name, _KEY.decode(value) if value else None)
        elif kind == WEBHOOK and value:
            self._webhooks[name] = _WEBHOOK.decode(value)
        elif kind == WEBHOOK:
            self._webhooks.pop(name, None)
        elif kind == TEMPLATE and value:
            self._templates[name] = _TEMPLATE.decode(value)
        elif kind == TEMPLATE:
            self._templates.pop(name, None)

    def _put_key(self, name: str, key: ApiKey | None) -> None:
        before = self._keys.pop(name, None)
        if before is not None:
            self._by_hash.pop(before.sha256, None)
        if key is not None:
            self._keys[name] = self._by_hash[key.sha256] = key

    def key_of(self, secret: str, utc: float) -> ApiKey | None:
        """Whose key that is; None when it is nobody's, or over."""
        found = self._by_hash.get(hashed(secret))
        return found if found is not None and found.valid(utc) else None

    def key(self, account: str, name: str) -> ApiKey | None:
        """One of the account's."""
        return _own(self._keys, account, name)

    def webhook(self, account: str, name: str) -> Webhook | None:
        """One of the account's; of any with an empty account."""
        return _own(self._webhooks, account, name)

    def template(self, account: str, name: str) -> Template | None:
        """One of the account's."""
        return _own(self._templates, account, f"{account}/{name}")

    def templates(self, account: str) -> Iterator[Template]:
        """Those of an account, oldest first."""
        return (one for one in self._templates.values() if one.account == account)

    def keys(self, account: str) -> Iterator[ApiKey]:
        """Those of an account, oldest first."""
        return (one for one in self._keys.values() if one.account == account)

    def webhooks(self, account: str) -> Iterator[Webhook]:
        """Those of an account, oldest first."""
        return (one for one in self._webhooks.values() if one.account == account)


def _own(things: dict[str, ThingT], account: str, name: str) -> ThingT | None:
    found = things.get(name)
    return found if found is not None and account in ("", found.account) else None
