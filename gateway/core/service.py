"""The core process as a whole: what it is made of, how it starts, takes over a new configuration, and ends.

Shutdown has two steps, two nested nurseries: first nothing new is accepted while what is in flight finishes, then the
carriers and clients are told to go; `drain_timeout_s` bounds both.
"""

import gc
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import trio

from config.doubts import doubts
from config.loader import ConfigError, load
from config.schema import Channel, Config
from gateway import compiled, link, log
from gateway.calls import frames
from gateway.calls.things import WEBHOOK, Webhook
from gateway.clock import Clock
from gateway.core.addressees import Addressees
from gateway.core.audit import Audit
from gateway.core.control import Control
from gateway.core.desk import Desk
from gateway.core.drafts import Drafts
from gateway.core.esme import EsmeFront
from gateway.core.inbox import Inbox
from gateway.core.incoming import Incoming
from gateway.core.lane import Lane
from gateway.core.long_texts import LongTexts
from gateway.core.notices import Notices
from gateway.core.outbox import Outbox
from gateway.core.pipeline import Pipeline
from gateway.core.questions import Questions
from gateway.core.rates import Rates
from gateway.core.reader import Reader
from gateway.core.replies import Replies
from gateway.core.rules import Rules
from gateway.core.slaevents import SlaEvents
from gateway.core.storage import Storage
from gateway.core.upkeep import keep_history, overwrite_store, pay_debts, sweep_store
from gateway.core.workers import Workers, batch_key
from gateway.listening import ListenError, listen
from gateway.store.offline import lock
from gateway.store.opening import Opened, open_parts
from gateway.store.recovery import Recovered, recover
from gateway.store.vault import VaultError
from protocol import hot
from routing.ids import IdMaker
from routing.records import Notice

POLL_S = 0.05
GOODBYE_S = 5.0
GC_THRESHOLDS = (10_000, 250, 1_000)
"""The first is how much is looked at in one go: 50,000 objects took 20 to 40 ms, in which nothing else happens."""
SWITCH_INTERVAL_S = 0.0005


class StartError(Exception):
    """The core cannot start; the text says what to do."""


class Service:
    """Everything of one core. `source` is the configuration file, read again on reload."""

    def __init__(self, config: Config, source: Path, clock: Clock) -> None:
        self.config = config
        self._source = source
        self._clock = clock
        self._ids = IdMaker(config.core.node, clock.utc)
        self._log = log.logger()
        self._lanes_nursery: trio.Nursery | None = None
        self._ground: trio.Nursery | None = None
        self._retiring: list[Lane] = []

    def _assemble(self, opened: Opened, recovered: Recovered) -> None:
        """Everything around the store."""
        config, clock = self.config, self._clock
        self._storage = Storage(opened, clock)
        self._notices = Notices(self._storage, clock)
        self.pipeline = Pipeline(config, self._storage, clock, self._deliver)
        desk, rates = Desk(self._storage, clock, self.pipeline.spread, lambda: self.pipeline.screens), Rates()
        self._front = EsmeFront(config, self.pipeline, self._notices, self._reader(config), desk, clock, rates)
        self._control = Control(self.pipeline, self.reload)
        self._outbox = Outbox(self._storage, clock, self.pipeline.report, self._disable)
        self._audit = Audit(Path(config.data_dir), clock)
        drafts = Drafts(config, self._ids, clock.boot)
        rules = Rules(self.pipeline, clock, drafts, self._audit)
        self._questions = Questions(self.pipeline, self._outbox, rules, self._audit, clock, batch_key)
        self._workers = Workers(config, self.pipeline, self._outbox, self._questions, rates, drafts, clock)
        self._questions.readers = self._workers
        guards = self._storage.book.guards
        replies = Replies(
            clock, self._storage, lambda: self.pipeline.screens, guards.is_member, self._workers.send_own, self._audit
        )
        self._addressees = Addressees(config, self._storage, lambda: self.pipeline.screens)
        long_texts = LongTexts(config.core.parts_timeout_s, self._ids)
        self._inbox = Inbox(
            clock, self._ids, self._addressees, replies, long_texts, self.pipeline.report, self._outbox.wants_received
        )
        self.pipeline.on_finals = self._workers.tell_finals
        self.pipeline.on_turns = SlaEvents(clock, self._ids, self._outbox.wants, self.pipeline.report, self._workers.tell).take
        self.pipeline.endings.on_memberships = rules.note_memberships
        for name, value in self._storage.book.documents.of(WEBHOOK):
            self._questions.take_over(WEBHOOK, name, value)
        self.pipeline.resume(recovered)

    def _deliver(self, notices: Sequence[Notice]) -> None:
        """Each to its door."""
        self._workers.tell_received(notices)
        events = [one for one in notices if one.door]
        if events:
            self._outbox.deliver(events)
        if len(events) < len(notices):
            self._notices.deliver([one for one in notices if not one.door] if events else notices)

    def _disable(self, webhook: Webhook, why: str) -> None:
        """A webhook said that it is gone."""
        self._log.warning("webhook disabled", webhook=webhook.id, account=webhook.account, reason=why)
        assert self._ground is not None
        self._ground.start_soon(self._questions.disable_webhook, webhook.id, why)

    def _reader(self, config: Config) -> Reader:
        return Reader(config, self._ids, self._clock.boot)

    # -- life

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain. Raises StartError."""
        data_dir = Path(self.config.data_dir)
        control = data_dir / link.SOCKET_NAME
        if len(str(control)) > link.PATH_MAX:
            raise StartError(f"data_dir {data_dir}: {control} is too long for a socket, at most {link.PATH_MAX} characters")
        try:
            held = lock(data_dir)
        except VaultError as error:
            raise StartError(str(error)) from None
        with held, _listen(self.config.smpp.listen) as listener:
            opened, recovered = self._open(data_dir)
            try:
                self._assemble(opened, recovered)
                with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
                    await self._serve(control, listener, signals)
            finally:
                opened.close()

    def _open(self, data_dir: Path) -> tuple[Opened, Recovered]:
        """The store, with everything that was in it."""
        started = self._clock.now()
        try:
            opened = open_parts(self.config.store, data_dir, self._clock.boot)
            if opened.keeper is None or opened.vault is None:
                return opened, Recovered()
            recovered = recover(opened.keeper, opened.vault, self._clock.utc())
        except VaultError as error:
            raise StartError(str(error)) from None
        self._ids.start_after(opened.keeper.book.newest_id)
        sums = opened.book.ledger()
        open_sums = {"scheduled": sums.scheduled, "queued": sums.queued, "in_flight": sums.in_flight}
        seconds = round(self._clock.now() - started, 2)
        self._log.info("store opened", kind=self.config.store.kind, accepted=sums.accepted, **open_sums, seconds=seconds)
        return opened, recovered

    async def _serve(self, control: Path, listener: socket.socket, signals: AsyncIterator[int]) -> None:
        _tune()
        async with trio.open_nursery() as floor:  # under everything that stores
            await floor.start(self._storage.run)
            async with trio.open_nursery() as ground:
                self._ground = ground
                if self._storage.durable:
                    ground.start_soon(pay_debts, self._storage)
                    for upkeep in (keep_history, sweep_store, overwrite_store):
                        ground.start_soon(upkeep, Path(self.config.data_dir), self.config.store)
                ground.start_soon(self.pipeline.run)
                ground.start_soon(self._notices.run, self.pipeline)
                ground.start_soon(self._outbox.run)
                ground.start_soon(self._inbox.run, self._storage)
                await ground.start(self._control.run, control)
                await ground.start(self._workers.run, control.with_name(frames.SOCKET_NAME))
                async with trio.open_nursery() as lanes:
                    self._lanes_nursery = lanes
                    self._start_lanes(self.config.channels)
                    self._tell_doubts()
                    ground.start_soon(self._front.run, listener)
                    host, port = listener.getsockname()[:2]
                    codec, path = ("compiled" if one else "python" for one in (hot.compiled, compiled.is_compiled()))
                    tls = self.config.smpp.tls is not None
                    self._log.info("listening", host=host, port=port, pid=os.getpid(), tls=tls, codec=codec, path=path)
                    await self._until_told(signals)
                    trio.lowlevel.notify_closing(listener)
                    listener.close()
                    await self._drain()
                    lanes.cancel_scope.cancel()
                await self._settle_last()
                ground.cancel_scope.cancel()
            floor.cancel_scope.cancel()
        sums = self._storage.ledger()
        left = sums.scheduled + sums.queued + sums.in_flight
        if left and not self._storage.durable:
            self._log.warning("the memory store forgets what was not final", messages=left)
        self._log.info("stopped", accepted=sums.accepted, **{name: n for name, n in sums.final.items() if n})

    async def _settle_last(self) -> None:
        """What was acknowledged or lost at the very end is stored, too."""
        done = self._notices.take_done()
        if done is not None:
            self.pipeline.report(done)
        with trio.move_on_after(GOODBYE_S):
            await _until(lambda: not self.pipeline.settling)
            await self._storage.pay()

    async def _until_told(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number != signal.SIGHUP:
                return
            self.reload()

    async def _drain(self) -> None:
        """Stop accepting, finish what is in flight, unbind."""
        timeout_s = self.config.core.drain_timeout_s
        self._log.info("draining", in_flight=self.pipeline.busy, timeout_s=timeout_s)
        self.pipeline.accepting = False
        if self._storage.durable:  # what waits is as safe in the store, and goes on after the next start
            self.pipeline.sending = False
            for lane in self.pipeline.lanes.values():
                lane.leave()
        with trio.move_on_after(timeout_s) as deadline:
            await _until(lambda: not self.pipeline.busy and not any(lane.in_flight for lane in self._retiring))
            await trio.sleep(POLL_S)  # senders are told what was settled last before they are sent away
        if deadline.cancelled_caught:
            self._log.warning("drain timed out", in_flight=self.pipeline.busy)
        for lane in self.pipeline.lanes.values():
            lane.unbind()
        self._front.unbind_all()
        with trio.move_on_after(min(GOODBYE_S, timeout_s)):
            await _until(lambda: not self._front.connections and all(lane.gone for lane in self.pipeline.lanes.values()))

    # -- configuration

    def reload(self) -> list[str]:
        """Take over the configuration file; gives its errors and keeps the old configuration when there are any."""
        try:
            config = load(self._source, os.environ)
        except ConfigError as error:
            for line in error.errors:
                self._log.error("configuration not taken over", error=line)
            return error.errors
        try:
            self._front.configure(config, self._reader(config))
            self._workers.configure(config)
            self._addressees.configure(config)
        except OSError as error:
            self._log.error("configuration not taken over", error=f"smpp.tls: {error}")
            return [f"{self._source}: smpp.tls: {error}"]
        fixed = [
            name
            for name, old, new in (
                ("smpp.listen", self.config.smpp.listen, config.smpp.listen),
                ("data_dir", self.config.data_dir, config.data_dir),
                ("core.node", self.config.core.node, config.core.node),
                ("core.cpus", self.config.core.cpus, config.core.cpus),
                ("log", self.config.log, config.log),
                ("store", self.config.store, config.store),
                ("http", self.config.http, config.http),
            )
            if old != new
        ]
        if fixed:
            self._log.warning("needs a restart to take effect", fields=fixed)
        self.config = config
        self._change_lanes(config.channels)
        self.pipeline.configure(config)
        self._tell_doubts()
        self._log.info("configuration taken over", channels=len(config.channels), accounts=len(config.accounts))
        return []

    def _tell_doubts(self) -> None:
        for doubt in doubts(self.config, self.pipeline.operators.moved_to()):
            self._log.warning("is it meant so?", setting=doubt)

    def _start_lanes(self, channels: list[Channel]) -> None:
        assert self._lanes_nursery is not None
        for channel in channels:
            incoming = Incoming(channel, self._clock, self._inbox.take)
            lane = Lane(channel, self.pipeline, self._clock, random.getrandbits(16), incoming)
            self.pipeline.lanes[channel.name] = lane
            self._lanes_nursery.start_soon(lane.run)
        self._questions.steering.take_over_all(self._storage.book.list_documents)

    def _change_lanes(self, channels: list[Channel]) -> None:
        """Channels that are gone or changed leave when their windows are empty; what they had waiting goes elsewhere."""
        assert self._lanes_nursery is not None
        wanted = {channel.name: channel for channel in channels}
        for name, lane in list(self.pipeline.lanes.items()):
            if wanted.get(name) != lane.channel:
                del self.pipeline.lanes[name]
                lane.leave()
                self._lanes_nursery.start_soon(self._retire, lane)
        self._start_lanes([channel for channel in channels if channel.name not in self.pipeline.lanes])

    async def _retire(self, lane: Lane) -> None:
        self._retiring.append(lane)
        with trio.move_on_after(self.config.core.drain_timeout_s):
            await _until(lambda: not lane.in_flight and not lane.queued)
        lane.unbind()
        self._retiring.remove(lane)


async def _until(condition: Callable[[], bool]) -> None:
    """Poll: shutdown waits for many things at once, and only once."""
    while not condition():  # noqa: ASYNC110 - no single event tells
        await trio.sleep(POLL_S)


def _listen(address: str) -> socket.socket:
    try:
        listener = listen("smpp.listen", address)
    except ListenError as error:
        raise StartError(str(error)) from None
    listener.setblocking(False)
    return listener


def _tune() -> None:
    """Fewer collections (records hold no cycles), shorter waits for the interpreter lock beside store threads, and as many
    connections as the system allows.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
