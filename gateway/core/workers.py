"""The door for API workers: a Unix socket, a frame each way for whatever is there.

A frame's submits go to the pipeline as one batch and its other questions to `questions.py`; answers go back by number, one
write per worker. A request with an idempotency key is looked up first: one that was answered is answered again as then, one
that is under way is a conflict. The answer is remembered in the step that admits the messages.
"""

import socket
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

import msgspec
import trio

from config.schema import Account, Config
from gateway import log
from gateway.calls.frames import PUSHED, Call, FrameError, Reply, Splitter, calls_of, pack
from gateway.calls.messages import EVERYBODY, Answer, Ask, Conflict, Draft, Item, Submit, Taken, Tried, Unable, Watch
from gateway.calls.outbound import Documents, Events, Push
from gateway.clock import Clock
from gateway.core.drafts import Drafts
from gateway.core.mailbox import Signal
from gateway.core.outbox import Outbox
from gateway.core.pipeline import Pipeline
from gateway.core.questions import Questions
from gateway.core.rates import Rates
from gateway.core.reader import parts_of
from gateway.core.submission import AskedAs, Submission
from gateway.core.wire import Wire
from gateway.listening import private_socket
from gateway.store.base import Final, RequestRecord
from gateway.store.states import event_of
from protocol.status import Status
from protocol.text import encode_text
from routing.records import Notice

REPEATS_S = 86_400.0
"""How long a repeated request is recognised by its idempotency key."""
FULL_RETRY_S = 5.0
BUSY_RETRY_S = 1.0
PENDING_MAX, PENDING_OCTETS_MAX = 100_000, 128_000_000
"""Messages, and octets of their texts, that wait to be stored; while a disk stands still they must not fill the memory."""
ACCEPT_AGAIN_S = 0.1
WRITE_BUFFER_MAX = 128_000_000
OWN = 0
"""The session of messages nobody handed in; workers count from 1."""
_TAKEN = msgspec.msgpack.Decoder(Taken)
_ENCODER = msgspec.msgpack.Encoder()


def request_key(account: str, key: str) -> str:
    """Where the answer to a request with an idempotency key is remembered."""
    return f"i\x1f{account}\x1f{key}"


def batch_key(account: str, batch_id: str) -> str:
    """Where a batch is remembered."""
    return f"b\x1f{account}\x1f{batch_id}"


class Worker:
    """One API worker, or a command of an operator."""

    def __init__(self, number: int, wire: Wire) -> None:
        self.number = number
        self.wire = wire
        self.splitter = Splitter()
        self.watched: set[str] = set()
        self.can_deliver = False
        self._replies: list[Reply] = []

    def reply(self, number: int, answer: Answer | Push) -> None:
        """Say it with the next `flush`."""
        self._replies.append(Reply(number, answer))

    def flush(self) -> None:
        """One frame for everything."""
        if self._replies:
            self.wire.send(pack(self._replies))
            self._replies = []
            if self.wire.waiting > WRITE_BUFFER_MAX:
                self.wire.close()  # it does not read; it will come back


class Workers:
    """All API workers. It is the pipeline's Front."""

    def __init__(
        self,
        config: Config,
        pipeline: Pipeline,
        outbox: Outbox,
        questions: Questions,
        rates: Rates,
        drafts: Drafts,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._outbox = outbox
        self._questions = questions
        self._rates = rates
        self._drafts = drafts
        self._clock = clock
        self._workers: dict[int, Worker] = {}
        self._numbers = count(1)
        self._running: dict[str, str] = {}
        self._pending = self._pending_octets = 0
        self._nursery: trio.Nursery | None = None
        self._gone = Signal()
        self._log = log.logger()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over accounts and defaults."""
        self._drafts.configure(config)
        self._batch_s = config.store.history_days * 86_400.0

    # -- connections

    async def run(self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve on `path` until cancelled."""
        with private_socket(path) as listener:
            listener.setblocking(False)
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                while True:
                    await trio.lowlevel.wait_readable(listener)
                    try:
                        sock = listener.accept()[0]
                    except OSError as error:  # it went again, or there are too many files open: the core goes on
                        self._log.warning("connection on the API's socket not taken", reason=str(error))
                        await trio.sleep(ACCEPT_AGAIN_S)
                        continue
                    nursery.start_soon(self._serve, sock)

    async def _serve(self, sock: socket.socket) -> None:
        assert self._nursery is not None
        worker = Worker(next(self._numbers), Wire(sock, self._nursery, self._clock.now))
        self._workers[worker.number] = worker
        try:
            while data := await worker.wire.receive():
                for body in worker.splitter.feed(data):
                    await self._handle(worker, calls_of(body))
        except FrameError as error:
            self._log.warning("not understood on the API's socket", reason=str(error))
        except Exception:  # noqa: BLE001 - one worker's trouble must not end the others
            self._log.exception("bug: worker's connection closed")
        finally:
            worker.wire.close()
            del self._workers[worker.number]
            if worker.can_deliver:
                self._outbox.left(worker.number)

    async def _handle(self, worker: Worker, calls: list[Call]) -> None:
        """Submits in order, in one batch; whatever else is asked takes its own time."""
        assert self._nursery is not None
        submits: list[tuple[int, Submit]] = []
        for call in calls:
            ask = call.ask
            if isinstance(ask, Submit):
                submits.append((call.number, ask))
            elif isinstance(ask, Tried):
                self._outbox.tried(ask.tries)
            elif isinstance(ask, Watch):
                self._watch(worker, ask)
            else:
                self._nursery.start_soon(self._ask, worker, call.number, ask)
        if submits:
            plain = [one for one in submits if not one[1].key]
            self._submit(worker, plain)
            worker.flush()
            keyed = [one for one in submits if one[1].key]
            if keyed and self._pipeline.store.trouble:  # a look-up could wait as long as that lasts
                for number, submit in keyed:
                    worker.reply(number, _refused(submit, Status.RSYSERR, BUSY_RETRY_S))
                worker.flush()
            elif keyed:  # these may have to wait for the store, and nobody with them
                self._nursery.start_soon(self._submit_once, worker, keyed)

    async def _ask(self, worker: Worker, number: int, ask: Ask) -> None:
        try:
            answer = await self._questions.answer(ask)
        except Exception:  # noqa: BLE001 - one question's trouble must not end the core
            self._log.exception("bug: question not answered", question=type(ask).__name__)
            answer = Unable("a bug of ours")
        worker.reply(number, answer)
        worker.flush()

    def _watch(self, worker: Worker, ask: Watch) -> None:
        """Workers that watch their own documents ("" as account) also deliver to webhooks: they are API processes."""
        if not ask.account:
            worker.can_deliver = True
            worker.reply(PUSHED, Documents(self._questions.documents(), all=True))
            worker.flush()
            self._outbox.joined(worker.number, lambda work: self._push((worker,), work))
        elif ask.on:
            worker.watched.add(ask.account)
        else:
            worker.watched.discard(ask.account)

    def _push(self, workers: Iterable[Worker], what: Push) -> None:
        for worker in workers:
            worker.reply(PUSHED, what)
            worker.flush()

    def tell_documents(self, put: list[tuple[str, str, bytes]]) -> None:
        """Documents have changed."""
        self._push([one for one in self._workers.values() if one.can_deliver], Documents(put))

    def tell_finals(self, finals: Sequence[Final]) -> None:
        """What became of messages, for those that watch."""
        watching = [one for one in self._workers.values() if one.watched]
        utc = self._clock.utc()
        for worker in watching:
            seen = [
                event_of(one.message, one.since_due, utc, correction=one.correction)
                for one in finals
                if one.message.account in worker.watched or EVERYBODY in worker.watched
            ]
            if seen:
                self._push((worker,), Events(seen))

    def tell_received(self, notices: Sequence[Notice]) -> None:
        """What subscribers wrote, of what is told to senders, for those that watch."""
        for worker in [one for one in self._workers.values() if one.watched]:
            seen = [one for one in notices if one.is_mo and (one.account in worker.watched or EVERYBODY in worker.watched)]
            if seen:
                self._push((worker,), Events(seen))

    def tell(self, notice: Notice) -> None:
        """An event that is about no message, for those that watch its account, or everybody."""
        watching = {notice.account, EVERYBODY}
        self._push([one for one in self._workers.values() if watching & one.watched], Events([notice]))

    # -- submits

    def _submit(self, worker: Worker, submits: Sequence[tuple[int, Submit]]) -> None:
        handed: list[Submission] = []
        now = self._clock.now()
        for number, submit in submits:
            account = self._drafts.account(submit.account)
            status, wait_s = self._may_come(submit, account, now)
            if status or account is None:
                worker.reply(number, _refused(submit, status, wait_s))
                self._running.pop(request_key(submit.account, submit.key), None)
                continue
            batch_id = self._drafts.batch_id() if submit.batch else ""
            messages = self._drafts.messages(submit, account, batch_id, tell=self._outbox.wanted(account.system_id))
            asked_as = AskedAs(submit.key, submit.digest, batch_id, submit.unready) if submit.key or batch_id else None
            octets = sum([len(one.content.data) for one in messages])
            handed.append(Submission(worker.number, number, 0, messages, octets=octets, asked_as=asked_as))
            self._pending += len(messages)
            self._pending_octets += octets
        if handed:
            self._pipeline.submit(self, handed)

    def send_own(self, account: str, to: str, source: str, text: str) -> None:
        """A message of our own in the account's name; nobody waits for its answer."""
        found = self._drafts.account(account)
        if found is None:
            return
        data_coding, data = encode_text(text)
        draft = Draft(to, data, data_coding, parts_of(data, data_coding, 0), source, "notification")
        submit = Submit(account, [draft], self._clock.now(), self._clock.utc())
        messages = self._drafts.messages(submit, found, "", tell=False)
        self._pending += len(messages)
        self._pipeline.submit(self, [Submission(OWN, 0, 0, messages)])

    def _may_come(self, submit: Submit, account: Account | None, now: float) -> tuple[int, float]:
        """(command_status, seconds) that refuse a request as a whole; repeats of an accepted one do not come here."""
        if account is None or not submit.drafts:
            return Status.RSUBMITFAIL, 0.0
        for one in submit.drafts:
            if one.expires_utc and one.expires_utc <= max(submit.arrival_utc, one.due_utc):
                return Status.RINVEXPIRY, 0.0
        if self._pending >= PENDING_MAX or self._pending_octets >= PENDING_OCTETS_MAX:
            return Status.RMSGQFUL, BUSY_RETRY_S
        wait_s = self._rates.take_whole(submit.account, len(submit.drafts), now)
        return (Status.RTHROTTLED, wait_s) if wait_s else (Status.ROK, 0.0)

    async def _submit_once(self, worker: Worker, submits: Sequence[tuple[int, Submit]]) -> None:
        """Requests that may be repeats."""
        fresh: list[tuple[int, Submit]] = []
        for number, submit in submits:
            key = request_key(submit.account, submit.key)
            running = self._running.get(key)
            if running is None:
                self._running[key] = submit.digest
                fresh.append((number, submit))
            else:
                worker.reply(number, Conflict(running=running == submit.digest))
        handed = False
        try:
            await self._repeat_or_submit(worker, fresh)
            handed = True
        except Exception:  # noqa: BLE001 - whatever it is, the core goes on; the worker asks anew
            self._log.exception("bug: worker's connection closed")
            worker.wire.close()
        finally:
            if not handed:  # else their clients would be told for ever that they are under way
                for _, submit in fresh:
                    self._running.pop(request_key(submit.account, submit.key), None)
            worker.flush()

    async def _repeat_or_submit(self, worker: Worker, fresh: Sequence[tuple[int, Submit]]) -> None:
        known = await self._pipeline.store.answers([request_key(one.account, one.key) for _, one in fresh])
        elsewhere = await self._pipeline.store.answers([one.see for one in known.values() if one.see])
        new: list[tuple[int, Submit]] = []
        for number, submit in fresh:
            key = request_key(submit.account, submit.key)
            record = known.get(key)
            if record is None:
                new.append((number, submit))
                continue
            del self._running[key]
            record = elsewhere.get(record.see, record)
            if record.answer and known[key].digest == submit.digest:
                taken = _TAKEN.decode(record.answer)
                taken.replayed = True
                worker.reply(number, taken)
            else:
                worker.reply(number, Conflict(running=False))
        self._submit(worker, new)

    def remembered(self, submissions: Sequence[Submission]) -> Sequence[RequestRecord]:
        """Answers of requests that go by a name, if anything was accepted: what was not may be tried again as if new."""
        utc = self._clock.utc()
        records: list[RequestRecord] = []
        for submission in submissions:
            asked, account = submission.asked_as, submission.messages[0].account if submission.messages else ""
            if asked is None or all(submission.statuses):
                continue
            answer = _ENCODER.encode(_taken(submission))
            batch = batch_key(account, asked.batch_id) if asked.batch_id else ""
            if batch:
                records.append(RequestRecord(batch, utc + max(self._batch_s, REPEATS_S), answer=answer))
            if asked.key:
                until = utc + REPEATS_S
                key = request_key(account, asked.key)
                records.append(RequestRecord(key, until, asked.digest, b"" if batch else answer, batch))
        return records

    def answer(self, submissions: Sequence[Submission]) -> None:
        touched: dict[int, Worker] = {}
        for submission in submissions:
            self._pending -= len(submission.messages)
            self._pending_octets -= submission.octets
            if submission.asked_as is not None and submission.asked_as.key and submission.messages:
                self._running.pop(request_key(submission.messages[0].account, submission.asked_as.key), None)
            worker = self._workers.get(submission.session)
            if submission.session == OWN and any(submission.statuses):
                why = next(map(str, submission.refusals.values()), "it could not be stored")
                self._log.warning("a message of our own was refused", account=submission.messages[0].account, reason=why)
            if worker is None:
                continue  # accepted is accepted: its client will ask again, with the same key
            touched[worker.number] = worker
            worker.reply(submission.sequence, _taken(submission))
        for worker in touched.values():
            worker.flush()


def _taken(submission: Submission) -> Taken:
    items = [
        Item(0 if status else message.id, status, message.destination, int(message.state), parts=message.content.parts)
        for message, status in zip(submission.messages, submission.statuses, strict=True)
    ]
    for at, refusal in submission.refusals.items():
        items[at].reason, items[at].rule, items[at].detail = refusal.reason, refusal.rule, refusal.detail
    retry_after_s = 0.0
    if Status.RMSGQFUL in submission.statuses:
        retry_after_s = FULL_RETRY_S
    elif Status.RSYSERR in submission.statuses:
        retry_after_s = BUSY_RETRY_S
    asked = submission.asked_as or AskedAs()
    return Taken(items, asked.batch_id, retry_after_s, unready=asked.unready)


def _refused(submit: Submit, status: int, wait_s: float) -> Taken:
    """All of it, before any message was made."""
    return Taken([Item(0, status, one.to) for one in submit.drafts], retry_after_s=wait_s)
