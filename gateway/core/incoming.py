"""What carriers deliver: receipts, and messages of subscribers (MO), as outcomes for the store."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from config.schema import Channel
from gateway import log
from gateway.clock import Clock
from gateway.core.submission import concat_of
from gateway.store.base import CarrierReceipt, MobileOriginated, Outcome
from protocol import receipt
from protocol.ids import canonical_id
from protocol.pdu import DataSm, DeliverSm
from protocol.spoken import spoken_text
from protocol.tlv import Tag, get_int
from protocol.validate import user_data
from routing.ids import IdMaker
from routing.records import Content, Notice

_DELIVERED = receipt.MessageState.DELIVERED
_USER_MESSAGE_REFERENCE = int(Tag.USER_MESSAGE_REFERENCE)


class Hearing(Protocol):
    """Who listens to what subscribers reply."""

    def account_of(self, destination: str) -> str:
        """The account whose number a subscriber wrote to; empty when it is nobody's."""

    def hear(self, account: str, subscriber: str, destination: str, text: str, ton: int = 0) -> Sequence[Outcome]:
        """What the reply changes. `ton`: the subscriber's type of number."""


def bare_error(err: str) -> str:
    """Carriers write 27, 027 and 0027."""
    return err.strip().lstrip("0").upper()


class Incoming:
    """Reads deliver_sm and data_sm of one channel, by its rules. `to_webhook`: whether an account's messages go to one."""

    def __init__(
        self,
        channel: Channel,
        clock: Clock,
        ids: IdMaker,
        replies: "Hearing | None" = None,
        to_webhook: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._to_webhook = to_webhook
        self._replies = replies
        self._channel = channel
        self._temporary = frozenset(map(bare_error, channel.temporary_errors))
        self._clock = clock
        self._ids = ids
        self._log = log.logger(channel=channel.name)

    def read(self, pdus: Iterable[DeliverSm | DataSm], now: float) -> list[Outcome]:
        """The outcome of each PDU; none for a subscriber's message that no account wants."""
        utc = self._clock.utc()
        name, rule, trust_text = self._channel.name, self._channel.receipt_id, self._channel.receipt_trust_text
        outcomes: list[Outcome] = []
        for pdu in pdus:
            text = pdu.short_message if isinstance(pdu, DeliverSm) else b""
            found = receipt.parse(pdu.esm_class, text, pdu.tlvs, trust_text=trust_text)
            if found is None:
                outcomes += self._mobile_originated(pdu, utc)
                continue
            outcomes.append(
                CarrierReceipt(
                    name,
                    tuple([canonical_id(one, rule) for one in found.candidates]),
                    found.state,
                    now,
                    utc,
                    found.raw_stat or "",
                    found.err or "",
                    pdu.destination_addr,  # a receipt's addresses are the message's, swapped
                    pdu.source_addr,
                    get_int(pdu.tlvs, _USER_MESSAGE_REFERENCE),
                    found.state is not _DELIVERED and bare_error(found.err or "") in self._temporary,
                )
            )
        return outcomes

    def _mobile_originated(self, pdu: DeliverSm | DataSm, utc: float) -> Sequence[Outcome]:
        account = self._channel.mo_account
        heard: Sequence[Outcome] = ()
        if self._replies is not None:
            account = self._replies.account_of(pdu.destination_addr) or account
            data = user_data(pdu)
            if concat_of(Content(data, esm_class=pdu.esm_class), pdu.tlvs) is None:  # a part of a text is no reply
                text = spoken_text(data, pdu.data_coding, pdu.esm_class)
                heard = self._replies.hear(account, pdu.source_addr, pdu.destination_addr, text, pdu.source_addr_ton)
        if not account:
            self._log.warning(
                "a subscriber's message has no taker: set mo_account for the channel", source=log.mask(pdu.source_addr)
            )
            return ()
        notice = Notice(
            id=self._ids.make(pdu.source_addr),
            account=account,
            source_ton=pdu.source_addr_ton,
            source_npi=pdu.source_addr_npi,
            source=pdu.source_addr,
            dest_ton=pdu.dest_addr_ton,
            dest_npi=pdu.dest_addr_npi,
            destination=pdu.destination_addr,
            submitted_utc=utc,
            data=user_data(pdu),
            data_coding=pdu.data_coding,
            esm_class=pdu.esm_class,
            is_mo=True,
            door="http" if self._to_webhook(account) else "",
        )
        return (*heard, MobileOriginated(notice))
