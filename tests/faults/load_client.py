"""Senders under load, each with a ledger of what it was told: the first of the three ledgers.

One thread and one account for each class. Every submission has a recipient and a text of its own, so that the other ledgers can
be joined without ids. A lost session is bound again, and what got no answer is sent again as a new submission: it may have been
accepted, so the first one stays in the ledger as unanswered. Receipts are joined by their recipient; where several submissions
share one, by their id.
"""

import threading
import time
from dataclasses import dataclass, field

from esme_client import Client, submit_sm

from protocol import receipt
from protocol.events import Answered
from protocol.pdu import DeliverSm, QuerySm, response_to

WINDOW = 20
PUMP_S = 0.01
RETRY_S = 0.02
RECIPIENTS = {"verification": 8613000000000, "notification": 8613100000000, "marketing": 8613200000000}
CLASSES = tuple(RECIPIENTS)
SOURCE = "10690000"


@dataclass
class Told:
    """One receipt, acknowledged at `at` in the client's session number `session`."""

    stat: str
    id: str
    session: int
    at: float


@dataclass
class Submission:
    """One submit_sm. `fate` is ok, refused, unanswered or open (still waiting)."""

    class_: str
    recipient: str
    text: str
    fate: str = "open"
    id: str = ""
    status: int = 0
    told: list[Told] = field(default_factory=list)


class Sender(threading.Thread):
    """Submits until `pause`, takes receipts until `end`. `ended_at` holds when each session ended.

    `sharing`: so many submissions in a row have the same recipient.
    """

    def __init__(self, class_: str, port: int, rate: float, sharing: int = 1) -> None:
        super().__init__(name=f"sender of {class_}", daemon=True)
        self.class_ = class_
        self.port = port
        self.submissions: dict[str, Submission] = {}
        self.ended_at: list[float] = []
        self.strangers: list[str] = []
        """Receipts about recipients nothing was sent to."""
        self.error = ""
        self._rate = rate
        self._sharing = sharing
        self._by_id: dict[str, Submission] = {}
        self._again = 0
        self._open: dict[int, Submission] = {}
        self._paused = threading.Event()
        self._ending = threading.Event()

    @property
    def idle(self) -> bool:
        """Whether everything was answered, and nothing more is sent."""
        return self._paused.is_set() and not self._open and not self._again

    def pause(self) -> None:
        """Send nothing new; what got no answer is still sent again."""
        self._paused.set()

    def end(self) -> None:
        """Leave."""
        self._ending.set()
        self.join(20)

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                self._session()
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise

    def _session(self) -> None:
        try:
            with Client(self.port) as client:
                if client.bind(system_id=self.class_) == 0:
                    self._talk(client)
        except (OSError, AssertionError):  # nobody there, or gone before the bind was answered
            self._ending.wait(RETRY_S)
        finally:
            for submission in self._open.values():
                submission.fate = "unanswered"
            self._again += len(self._open)
            self._open.clear()
            self.ended_at.append(time.monotonic())

    def _talk(self, client: Client) -> None:
        started, sent = time.monotonic(), 0
        while client.ended is None and not self._ending.is_set():
            due = int((time.monotonic() - started) * self._rate) + 1
            while len(self._open) < WINDOW and (self._again or (sent < due and not self._paused.is_set())):
                sent += 1
                self._submit(client)
            client.pump(PUMP_S)
            self._take(client)

    def _submit(self, client: Client) -> None:
        number = len(self.submissions)
        recipient = str(RECIPIENTS[self.class_] + number // self._sharing)
        submission = Submission(self.class_, recipient, f"{self.class_} {number}")
        self._again = max(0, self._again - 1)
        self.submissions[recipient if self._sharing == 1 else submission.text] = submission
        token = client.tokens = client.tokens + 1
        self._open[token] = submission
        client.session.request(submit_sm(recipient, source_addr=SOURCE, short_message=submission.text.encode()), token, 0.0)
        client.flush()

    def _take(self, client: Client) -> None:
        events, client.events = client.events, []
        for event in events:
            if isinstance(event, Answered) and event.token in self._open:
                submission = self._open.pop(event.token)
                submission.status = event.answer.status
                submission.fate = "refused" if event.answer.status else "ok"
                submission.id = "" if event.answer.status else event.answer.message_id
                if submission.id:
                    self._by_id[submission.id] = submission
            elif isinstance(event, DeliverSm):
                self._note(event)
                client.session.respond(response_to(event))
        client.flush_quietly()

    def _note(self, pdu: DeliverSm) -> None:
        found = receipt.parse(pdu.esm_class, pdu.short_message, pdu.tlvs)
        submission = self.submissions.get(pdu.source_addr)
        if self._sharing > 1 and found is not None:
            submission = self._by_id.get(found.id or "")
        if found is None or submission is None or submission.recipient != pdu.source_addr:
            self.strangers.append(f"{pdu.source_addr}: {pdu.short_message!r}")
            return
        submission.told.append(Told(found.raw_stat or "", found.id or "", len(self.ended_at), time.monotonic()))


def query(port: int, class_: str, ids: list[str]) -> dict[str, int | None]:
    """The gateway's word on each id (query_sm's message_state); None when it does not know it."""
    with Client(port) as client:
        assert client.bind("tx", system_id=class_) == 0
        states: dict[str, int | None] = {}
        for at in range(0, len(ids), WINDOW):
            tokens = {client.send(QuerySm(message_id=one, source_addr=SOURCE)): one for one in ids[at : at + WINDOW]}
            for token, message_id in tokens.items():
                answer = client.answer(token)
                states[message_id] = None if answer.status else answer.message_state
        return states
