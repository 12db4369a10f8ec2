"""Receipts and MO on their way to clients: any receiving bind of the account will do, and what no bind takes waits."""

import time
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from bench.carrier.counters import Counters
from bench.carrier.ledger import Entry, Ledger
from bench.carrier.options import Options
from bench.carrier.receipts import Mo, Writer, mobile_originated
from bench.carrier.wheel import Wheel
from protocol.pdu import Pdu
from protocol.status import Status

if TYPE_CHECKING:
    from bench.carrier.connection import Connection

Delivery: TypeAlias = Entry | Mo

RETRY_S = 1.0
"""A receipt answered with a temporary error is repeated after this."""
_AGAIN = frozenset({Status.RSYSERR, Status.RMSGQFUL, Status.RTHROTTLED, Status.RX_T_APPN})


class Account:
    """One system_id: its receiving binds, and the deliveries none of them could take yet."""

    def __init__(self) -> None:
        self.receivers: list[Connection] = []
        self.waiting: deque[Delivery] = deque()
        self._turn = 0

    def take_receiver(self) -> "Connection | None":
        """The next receiving bind with room, in turn: a receipt may come on any bind of its account."""
        receivers = self.receivers
        for _ in receivers:
            self._turn = (self._turn + 1) % len(receivers)
            if receivers[self._turn].has_room:
                return receivers[self._turn]
        return None


class Deliveries:
    """All accounts, and what is to be delivered to them."""

    def __init__(self, options: Options, counters: Counters, ledger: Ledger, wheel: Wheel) -> None:
        self.counters = counters
        self.ledger = ledger
        self.wheel = wheel
        self._accounts: dict[str, Account] = {}
        self.become(options)

    def become(self, options: Options) -> None:
        """Write receipts as `options` say from now on."""
        self.options = options
        self._writer = Writer(options)

    def account(self, system_id: str) -> Account:
        """The account of a system_id, made when it is first heard of."""
        found = self._accounts.get(system_id)
        if found is None:
            found = self._accounts[system_id] = Account()
        return found

    def deliver(self, delivery: Delivery, now: float) -> None:
        """Send on any receiving bind of the account, or keep it until one has room."""
        account = self.account(delivery.system_id)
        connection = account.take_receiver() if not account.waiting else None
        if connection is not None:
            self.send(connection, delivery, now)
            return
        account.waiting.append(delivery)
        if isinstance(delivery, Entry):
            delivery.receipt = "waiting"
        while len(account.waiting) > self.options.dlr_waiting_max:
            self._give_up(account.waiting.popleft())

    def _give_up(self, delivery: Delivery) -> None:
        self.counters.receipts_dropped += 1
        if isinstance(delivery, Entry):
            delivery.receipt_open -= 1
            delivery.receipt = "dropped"
            self.ledger.settle(delivery)

    def drain(self, account: Account, now: float) -> None:
        """Send what waits, as far as there is room."""
        while account.waiting:
            connection = account.take_receiver()
            if connection is None:
                break
            self.send(connection, account.waiting.popleft(), now)

    def send(self, connection: "Connection", delivery: Delivery, now: float) -> None:
        """Send on `connection`, which must have room."""
        if isinstance(delivery, Mo):
            self.counters.mo_sent += 1
            connection.request(mobile_originated(delivery), delivery, now)
            return
        utc = time.time()
        delivery.receipt_at = utc
        delivery.receipt = "sent"
        self.counters.receipts_sent += 1
        self.counters.receipts_repeated += delivery.receipt_sent > 0 and self.options.dlr_timing != "twice"
        delivery.receipt_sent += 1
        connection.request(self._writer.receipt(delivery, utc), delivery, now)

    def acknowledged(self, delivery: Delivery, answer: Pdu, now: float) -> None:
        """A deliver_sm was answered."""
        counters = self.counters
        if isinstance(delivery, Mo):
            counters.mo_acknowledged += 1
            return
        delivery.receipt_status = answer.status
        if answer.status in _AGAIN:
            delivery.receipt = "due"
            self.wheel.add(now + RETRY_S, self._deliver_again, delivery)
            return
        delivery.receipt_open -= 1
        delivery.acknowledged_at = time.time()
        if answer.status:
            delivery.receipt = "refused"
            counters.receipts_refused += 1
        else:
            delivery.receipt = "acknowledged"
            counters.receipts_acknowledged += 1
        self.ledger.settle(delivery)

    def _deliver_again(self, delivery: Delivery, _b: None, now: float) -> None:
        self.deliver(delivery, now)

    def send_mo(self, now: float) -> None:
        """One mobile-originated message to every account that is bound to receive."""
        options = self.options
        for system_id, account in self._accounts.items():
            if account.receivers:
                self.deliver(Mo(system_id, options.mo_from, options.mo_to, options.mo_text), now)

    @property
    def waiting(self) -> int:
        """Receipts no bind could take yet."""
        return sum(isinstance(one, Entry) for account in self._accounts.values() for one in account.waiting)

    @property
    def queued(self) -> int:
        """Receipts and MO no bind could take yet; cheaper to ask for than `waiting`."""
        return sum(len(account.waiting) for account in self._accounts.values())
