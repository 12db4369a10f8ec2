"""What an API worker hands in, as messages: the account's defaults, its own wishes, ids, times."""

import msgspec

from config.schema import CLASSES, Account, Config
from gateway.calls.messages import Draft, Submit
from gateway.core.blanks import Blanks
from protocol.address import TON_INTERNATIONAL, TON_UNKNOWN, Address, sender
from protocol.errors import ContentError
from routing.ids import IdMaker
from routing.policy.numbers import normal_number
from routing.records import Content, Message, MessageState

OWN = ("class_", "purpose", "business", "brand", "industry")
"""What a message says itself where it does not go by its account."""


class Drafts:
    """Makes messages of drafts, by the configuration as it is now."""

    def __init__(self, config: Config, ids: IdMaker, boot: str) -> None:
        self._ids = ids
        self._boot = boot
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over accounts and defaults."""
        self._blanks = Blanks(self._boot)
        self._accounts = {one.system_id: one for one in config.accounts}
        self._validity = {name: getattr(config.classes, name).validity_s for name in CLASSES}

    def account(self, name: str) -> Account | None:
        """An account of the configuration."""
        return self._accounts.get(name)

    def batch_id(self) -> str:
        """A new one."""
        return f"b{self._ids.make('')}"

    def messages(self, submit: Submit, account: Account, batch_id: str, *, tell: bool) -> list[Message]:
        """A message for each draft. `tell`: somebody wants to hear what becomes of them."""
        blank = self._blanks.of(account)
        return [self._message(draft, submit, account, blank, batch_id, tell) for draft in submit.drafts]

    def _message(self, draft: Draft, submit: Submit, account: Account, blank: Message, batch_id: str, tell: bool) -> Message:
        utc = submit.arrival_utc
        to = normal_number(draft.to, account.country_code)
        dest_ton = TON_INTERNATIONAL if to else TON_UNKNOWN
        to = to or draft.to  # what is no number, the screen refuses
        number = self._ids.make(to)
        source = _source(draft.source)
        message = msgspec.structs.replace(
            blank,
            id=number,
            public_id=str(number),
            client_ref=draft.client_ref,
            batch_id=batch_id,
            campaign_id=draft.campaign_id,
            variant=draft.variant,
            template_id=draft.template_id,
            link_id=draft.link_id,
            priority=draft.priority,
            tags=draft.tags,
            source_ton=source.ton,
            source_npi=source.npi,
            source=source.addr,
            destination=to,
            dest_ton=dest_ton,
            dest_npi=1,
            content=Content(draft.data, draft.data_coding, parts=draft.parts),
            registered_delivery=int(tell),
            arrival=submit.arrival,
            arrival_utc=utc,
            door="http",
        )
        for name in OWN:
            if value := getattr(draft, name):
                setattr(message, name, value)
        due = draft.due_utc if draft.due_utc > utc else 0.0
        if due:
            message.not_before_utc = message.due_utc = due
            message.state = MessageState.SCHEDULED
        message.expires_utc = draft.expires_utc or (due or utc) + self._validity[message.class_]
        return message


def _source(raw: str) -> Address:
    """The sender's address; what fits none of the kinds goes as it is, for the screen to judge."""
    if not raw:
        return Address(0, 0, "")
    try:
        return sender(raw)
    except ContentError:
        return Address(0, 0, raw[:20])
