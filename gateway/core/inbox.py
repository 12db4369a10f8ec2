"""What subscribers write, on its way to accounts: put together, addressed, heard as a reply, stored, then acknowledged.

It is a task of its own between channels and settle, for whose a text is may have to be asked of the store: receipts do not wait
for that. A text and everything it changes go to the store as one report, with the requests to acknowledge after it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import trio

from gateway import log
from gateway.clock import Clock
from gateway.core.long_texts import BOX, OCTETS_MAX, PARTS_MAX, PAST_MAX, LongTexts, Step, Text, group_key
from gateway.core.mailbox import Mailbox
from gateway.core.reader import concat_of
from gateway.core.report import Acknowledger, Report
from gateway.store.base import MobileOriginated, Outcome
from protocol.pdu import DataSm, DeliverSm
from protocol.session import owed
from protocol.spoken import spoken_text
from protocol.validate import user_data
from routing.ids import IdMaker
from routing.records import Content, Notice, PartOf

TICK_S = 0.5


class Addressing(Protocol):
    """Who knows whose numbers are whose."""

    async def address(self, texts: Sequence[Text]) -> None:
        """Say in each notice whose it is; an account that stays empty is nobody's."""


class Hearing(Protocol):
    """Who listens to what subscribers reply."""

    async def prepare(self, texts: Sequence[Text]) -> None:
        """Look up what must be known before these are heard."""

    def hear(self, account: str, subscriber: str, destination: str, text: str, ton: int = 0) -> Sequence[Outcome]:
        """What the reply changes. `ton`: the subscriber's type of number."""


class Kept(Protocol):
    """The store, as far as parts are kept there."""

    async def notices(self, box: str, limit: int) -> list[Notice]:
        """Those of a box, the oldest first."""


class Heard(msgspec.Struct, gc=False):
    """Subscribers' messages of one read of one channel's bind."""

    channel: str
    pdus: Sequence[DeliverSm | DataSm]
    source: Acknowledger | None = None


class Inbox:
    """See the module. `to_webhook`: whether an account's messages go to one."""

    def __init__(
        self,
        clock: Clock,
        ids: IdMaker,
        addressees: Addressing,
        replies: Hearing,
        long_texts: LongTexts,
        report: Callable[[Report], None],
        to_webhook: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._addressees = addressees
        self._replies = replies
        self._long = long_texts
        self._report = report
        self._to_webhook = to_webhook
        self._mail: Mailbox[Heard] = Mailbox()
        self._log = log.logger()

    def take(self, heard: Heard) -> None:
        """Something has come; it is acknowledged when it is stored."""
        self._mail.put((heard,))

    async def run(self, store: Kept) -> None:
        """Take over the parts an earlier run has stored, then whatever comes, until cancelled."""
        stored = await store.notices(BOX, 2 * (PARTS_MAX + PAST_MAX))
        self._long.restore(stored, self._clock.now(), self._clock.utc())
        while True:
            heard: list[Heard] = []
            with trio.move_on_after(TICK_S):
                heard = await self._mail.take()
            for report in await self.read(heard):
                self._report(report)

    async def read(self, heard: Sequence[Heard]) -> list[Report]:
        """What is to be stored of all that came, and of what waited long enough."""
        now, utc = self._clock.now(), self._clock.utc()
        steps = [[self._one(one.channel, pdu, now, utc) for pdu in one.pdus] for one in heard]
        late = self._long.expire(now)
        texts = [text for several in [*steps, [late]] for step in several for text in step.texts]
        if texts:
            for text in texts:
                if text.whole:  # a part of a text is no reply
                    text.said = spoken_text(text.notice.data, text.notice.data_coding, text.notice.esm_class)
            await self._addressees.address(texts)
            await self._replies.prepare(texts)
        reports = [
            Report(self._outcomes(several), one.source, list(map(owed, one.pdus)))
            for one, several in zip(heard, steps, strict=True)
        ]
        if late.outcomes or late.texts:
            reports.append(Report(self._outcomes([late])))
        return reports

    def _one(self, channel: str, pdu: DeliverSm | DataSm, now: float, utc: float) -> Step:
        notice = Notice(
            id=self._ids.make(pdu.source_addr),
            account="",
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
        )
        concat = concat_of(Content(notice.data, esm_class=pdu.esm_class), pdu.tlvs)
        if concat is None or concat.total < 2 or len(notice.data) > OCTETS_MAX:
            return Step(texts=[Text(notice, channel, [], whole=concat is None or concat.total < 2)])
        key = group_key(channel, notice.source, notice.destination, concat.ref, concat.bits, concat.total)
        notice.door, notice.part_of = "parts", PartOf(key, concat.total, concat.seq)
        return self._long.add(notice, now)

    def _outcomes(self, steps: Sequence[Step]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for step in steps:
            outcomes += step.outcomes
            for text in step.texts:
                outcomes += text.outcomes
                outcomes += self._told(text)
        return outcomes

    def _told(self, text: Text) -> Sequence[Outcome]:
        """A text for its account, and what it changes there."""
        notice = text.notice
        account = notice.account
        if not account:
            self._log.warning(
                "a subscriber's message has no taker: list its number as an account's, or set the channel's mo_account",
                channel=text.channel,
                source=log.mask(notice.source),
            )
            return ()
        notice.door = "http" if self._to_webhook(account) else ""
        heard: Sequence[Outcome] = ()
        if text.whole:
            heard = self._replies.hear(account, notice.source, notice.destination, text.said, notice.source_ton)
        return (*heard, MobileOriginated(notice))
