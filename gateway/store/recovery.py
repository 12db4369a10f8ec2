"""After a start: the maps as they were last folded, the journal's pages over them, and what a crash left open.

A page may be older than the row it is about; since all later pages are here too, the last word is right in the end. What is
told of a message that has neither row nor admission has been archived. Attempts whose octets may have been leaving are
unknown, and go on by their class.
"""

from typing import Any

import msgspec

from gateway.store.base import Abandoned, CarrierReceipt, Outcome, Settled, Unclear
from gateway.store.fetch import notice_key
from gateway.store.keeper import Keeper
from gateway.store.keys import OPEN, SEPARATOR
from gateway.store.pages import DamagedPageError, Page, apply_progress, read
from gateway.store.record import Record
from gateway.store.rollups import DAY_S, MINUTE_S, unspell
from gateway.store.sealing import unseal
from gateway.store.vault import LAST, Vault, VaultError
from routing.failover import RESEND_AFTER_S
from routing.records import AttemptState, Message, MessageState, Notice

_RECORD = msgspec.json.Decoder(Record)
_RECEIPT = msgspec.json.Decoder(CarrierReceipt)
ALL = 1 << 62
OTHERS = ("guards", "notices", "parked", "sums", "rollups", "documents", "requests")
"""What the journal holds beside messages."""


class Recovered(msgspec.Struct):
    """What goes on at once: `queued` messages in the order of their ids, without those of `settled.requeue`,
    `parts` of groups that were not whole yet, and what the crash decided: a receipt that came early may tell what became of an
    attempt that was sending.
    """

    queued: list[Message] = []
    parts: list[Message] = []
    settled: Settled = msgspec.field(default_factory=Settled)


def recover(keeper: Keeper, vault: Vault, utc: float) -> Recovered:
    """Bring an empty keeper to where its vault is. Raises VaultError when the journal is damaged."""
    pages = _read_pages(vault)
    _restore_totals(keeper, pages)
    _restore_small_maps(keeper, vault, utc)
    _Replay(keeper, vault, pages).run()
    _load_open(keeper, vault)
    settled = _settle_open(keeper, utc)
    return _hand_out(keeper, vault, settled)


def _read_pages(vault: Vault) -> list[tuple[int, Page]]:
    pages: list[tuple[int, Page]] = []
    for number, body in vault.pages():
        try:
            pages.append((number, read(body)))
        except DamagedPageError as error:
            raise VaultError(f"{vault.where}: page {number} of the journal is damaged: {error}; restore a backup") from None
    return pages


def _restore_totals(keeper: Keeper, pages: list[tuple[int, Page]]) -> None:
    if not pages:
        return
    totals = dict(pages[-1][1].totals)
    keeper.book.accepted = totals.pop("accepted", 0)
    keeper.book.dead_letters = totals.pop("dead", 0)
    keeper.book.newest_id = totals.pop("newest", 0)
    for state, count in totals.items():
        keeper.book.states[int(state)] = count


def _restore_small_maps(keeper: Keeper, vault: Vault, utc: float) -> None:
    book = keeper.book
    for name, value in vault.scan("sum", "", LAST, ALL):
        book.guards.sums[name] = int(value)
    rows = vault.scan("parked", "", LAST, ALL)
    book.parked.restore({int(number): _RECEIPT.decode(value) for number, value in rows})
    for key, value in vault.scan("document", "", LAST, ALL):
        book.documents.put(key, value)
    for kind, length in (("d", DAY_S), ("m", MINUTE_S)):
        start = f"{kind}{SEPARATOR}{int(utc // length):09d}"
        for key, value in vault.scan("rollup", start, kind + SEPARATOR + LAST, ALL):
            book.rollups.restore(unspell(key), msgspec.json.decode(value, type=list[int]))


class _Replay:
    def __init__(self, keeper: Keeper, vault: Vault, pages: list[tuple[int, Page]]) -> None:
        self._keeper = keeper
        self._pages = pages
        mentioned = {str(one.message.id) for _, page in pages for one in page.admitted}
        mentioned |= {str(number) for _, page in pages for number, _, _ in page.changed}
        mentioned |= {str(one.id) for _, page in pages for one in page.ended}
        self._rows = {int(key): _RECORD.decode(value) for key, value in vault.get("message", list(mentioned)).items()}
        self._live: dict[int, Record] = {}
        self._first: dict[int, int] = {}
        self._notices: dict[int, Notice] = {}
        self._parked: dict[int, CarrierReceipt] = {}
        self._firsts: dict[str, dict[Any, int]] = {name: {} for name in OTHERS}
        self._told: list[str] = []

    def run(self) -> None:
        for number, page in self._pages:
            self._messages(number, page)
            self._notes(number, page)
            self._others(number, page)
        for number, record in self._live.items():
            self._keeper.restore(record, self._rows.get(number), self._first[number])
        book = self._keeper.book
        for notice in self._notices.values():
            book.hold(notice)
        self._keeper.note_retried(self._notices.values())
        book.parked.restore({number: one for number, one in self._parked.items() if book.parked.get(number) is None})
        last = self._pages[-1][0] if self._pages else 0
        if self._pages:  # the rows of the last write may be missing, and nothing else says these
            book.changes.dead.update({one.id: one for one in self._pages[-1][1].dead})
        self._keeper.restored(self._firsts, self._told, last)

    def _messages(self, number: int, page: Page) -> None:
        for record in page.admitted:
            self._live[record.message.id] = record
            self._first.setdefault(record.message.id, number)
        for message_id, values, attempts in page.changed:
            record_ = self._live.get(message_id)
            if record_ is None:
                row = self._rows.get(message_id)
                if row is None:
                    continue
                # A copy: the row as it is says which keys it stands under.
                record_ = msgspec.structs.replace(row, message=msgspec.structs.replace(row.message))
                self._live[message_id] = record_
            self._first.setdefault(message_id, number)
            apply_progress(record_.message, values)
            record_.attempts = attempts
        for ended in page.ended:
            if ended.id in self._live or ended.id in self._rows:
                self._first.setdefault(ended.id, number)
                self._live[ended.id] = unseal(ended)
        for message_id in page.void:
            self._live.pop(message_id, None)
            if message_id in self._rows:
                self._keeper.restore_gone(self._rows[message_id])

    def _notes(self, number: int, page: Page) -> None:
        for notice in page.notices:
            self._notices[notice.id] = notice
            self._firsts["notices"].setdefault(notice.id, number)
        for account, notice_id in page.told:
            self._notices.pop(notice_id, None)
            self._firsts["notices"].pop(notice_id, None)
            self._told.append(notice_key(account, notice_id))
        for parked, receipt in page.parked:
            self._parked[parked] = receipt
            self._firsts["parked"].setdefault(parked, number)
        for parked in page.unparked:
            self._parked.pop(parked, None)
            self._firsts["parked"].pop(parked, None)
            self._keeper.book.parked.forget(parked)

    def _others(self, number: int, page: Page) -> None:
        book = self._keeper.book
        for key, entries in page.guards.items():
            book.guards.held[key] = entries
            self._firsts["guards"].setdefault(key, number)
        for name, value in page.sums.items():
            book.guards.sums[name] = value
            self._firsts["sums"].setdefault(name, number)
        for key, row in page.rollups.items():
            book.rollups.restore(unspell(key), row)
            self._firsts["rollups"].setdefault(unspell(key), number)
        for key, document in page.documents.items():
            book.documents.put(key, document)
            self._firsts["documents"].setdefault(key, number)
        for request in page.requests:
            book.requests.held[request.key] = request
            self._firsts["requests"].setdefault(request.key, number)


def _load_open(keeper: Keeper, vault: Vault) -> None:
    """Rows that were folded while something in memory went on with them, and are not in the journal."""
    ids = {key.rsplit(SEPARATOR, 1)[1] for key in vault.under("find", [OPEN])}
    missing = [one for one in ids if int(one) not in keeper.book.records]
    for value in vault.get("message", missing).values():
        keeper.load_row(_RECORD.decode(value))


def _settle_open(keeper: Keeper, utc: float) -> Settled:
    """What was sending left us or did not: unknown. What was cut and only begun in part is sent anew, or not at all."""
    outcomes: list[Outcome] = []
    for record in list(keeper.book.records.values()):
        message = record.message
        for attempt in record.attempts:
            if attempt.state is AttemptState.SENDING:
                latest = message.state is MessageState.IN_FLIGHT and attempt.key.number == message.tries
                after = RESEND_AFTER_S.get(message.class_) if latest and not message.possible_duplicate else None
                outcomes.append(Unclear(attempt.key, None if after is None else utc + after))
        if message.state is MessageState.IN_FLIGHT:
            begun = [one for one in record.attempts if one.key.number == message.tries]
            if not begun or (len(begun) < begun[0].parts and message.class_ != "marketing"):
                outcomes.append(Abandoned(message.id, message.tries))
    return keeper.book.settle(outcomes, utc)


def _hand_out(keeper: Keeper, vault: Vault, settled: Settled) -> Recovered:
    recovered = Recovered(settled=settled)
    requeued = {message.id for message in settled.requeue}
    queued = []
    for number in sorted(keeper.book.records):
        message = keeper.book.records[number].message
        if message.state is MessageState.QUEUED and number not in requeued:
            queued.append(message)
        elif message.state is MessageState.SCHEDULED and message.part_of is not None and not message.group_whole:
            recovered.parts.append(message)
    keeper.count_waiting(vault)
    recovered.queued = keeper.ready(queued)
    return recovered
