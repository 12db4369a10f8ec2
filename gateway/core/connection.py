"""One SMPP client: its socket, its session and, once bound, its account."""

from collections.abc import Sequence

import trio

from config.schema import Account
from gateway import log
from gateway.core.pieces import Told
from gateway.core.wire import Wire
from protocol.pdu import DeliverSm
from protocol.session import Session


class Connection:
    """One client: its socket, its session and, once bound, its account."""

    def __init__(self, number: int, wire: Wire, session: Session, host: str) -> None:
        self.number = number
        self.wire = wire
        self.session = session
        self.host = host
        self.account: Account | None = None
        self.room = trio.Event()
        self.violations = log.Repeated()
        self.log = log.logger(peer=host, session=number)
        self.session_now = 0.0
        """The boot clock as of the last sweep or read: close enough for timers of seconds, and free."""

    def flush(self) -> None:
        """Hand what the session has to say to the socket; close when that was the last of it."""
        self.wire.send(self.session.data_to_send())
        if self.session.finished and not self.wire.waiting:
            self.wire.close()

    @property
    def account_name(self) -> str:
        """For logs and counts; empty before the bind."""
        return self.account.system_id if self.account is not None else ""

    @property
    def window_is_full(self) -> bool:
        """Whether it has as many submits unanswered as its account may have."""
        return self.account is not None and self.session.unanswered >= self.account.window

    @property
    def can_deliver(self) -> int:
        return self.session.can_send

    @property
    def takes_tlvs(self) -> bool:
        return self.session.takes_tlvs

    def deliver(self, notices: Sequence[Told], pdus: Sequence[DeliverSm]) -> list[Told]:
        """Receipts in one write; they come back as Answered with the notice. Gives those that cannot be encoded."""
        impossible = []
        for notice, error in self.session.request_all(pdus, notices, self.session_now):
            self.log.warning("notice cannot be expressed in SMPP, dropped", notice=notice.id, reason=str(error))
            impossible.append(notice)
        self.flush()
        return impossible
