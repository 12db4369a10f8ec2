"""The operators' port: /livez, /readyz, /metrics. It asks for no key: it is for the operator's network alone."""

import asyncio
from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.corelink import CoreAwayError, CoreLink, expect
from gateway.calls import messages as calls
from gateway.link import ChannelView, Sums, TallyView

TEXT = "text/plain; version=0.0.4; charset=utf-8"
ANSWER_S = 2.0
"""Whoever asks whether all is well must hear that it is not."""
STATES = ("up", "partly up", "down", "paused", "draining", "drained")


class Readiness(msgspec.Struct):
    """Why new messages are refused; empty when they are not."""

    ready: bool
    why: str = ""


class Ops:
    """See the module."""

    def __init__(self, core: CoreLink) -> None:
        self._core = core

    def application(self) -> Starlette:
        """For a server of its own."""
        return Starlette(routes=[Route("/livez", self.livez), Route("/readyz", self.readyz), Route("/metrics", self.metrics)])

    async def livez(self, _request: Request) -> Response:
        """This process answers."""
        return Response("ok\n", media_type="text/plain")

    async def readyz(self, _request: Request) -> Response:
        """Whether messages are accepted."""
        found = await self._readiness()
        body = msgspec.json.encode(found)
        return Response(body, 200 if found.ready else 503, media_type="application/json")

    async def _readiness(self) -> Readiness:
        try:
            async with asyncio.timeout(ANSWER_S):
                health = expect(await self._core.ask(calls.AskHealth()), calls.Health)
        except CoreAwayError as error:
            return Readiness(False, str(error))
        except TimeoutError:
            return Readiness(False, f"the core has not answered within {ANSWER_S:g} s")
        if not health.accepting:
            return Readiness(False, "shutting down")
        return Readiness(not health.trouble, health.trouble)

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text format; of a core that is away only that it is."""
        registry = CollectorRegistry()
        registry.register(_Fixed(await self._families()))
        return Response(generate_latest(registry), headers={"Content-Type": TEXT})

    async def _families(self) -> list[Metric]:
        up = GaugeMetricFamily("tensec_core_up", "Whether the core answers")
        families: list[Metric] = [up]
        try:
            async with asyncio.timeout(ANSWER_S):
                health = expect(await self._core.ask(calls.AskHealth()), calls.Health)
                sums = expect(await self._core.ask(calls.AskLedger()), calls.LedgerSums).sums
                channels = expect(await self._core.ask(calls.AskChannels()), calls.ChannelList).channels.channels
                tallies = expect(await self._core.ask(calls.AskTallies()), calls.TallyList).tallies.tallies
        except (CoreAwayError, TimeoutError):
            up.add_metric([], 0)
            return families
        up.add_metric([], 1)
        families += _of_messages(sums)
        families += _of_classes(tallies)
        families += _of_channels(channels)
        families.append(GaugeMetricFamily("tensec_store_trouble", "Nothing can be stored", value=bool(health.trouble)))
        refused = CounterMetricFamily("tensec_messages_blocked", "Messages that rules refused", labels=["class", "reason"])
        for class_, reason, count in health.refused:
            refused.add_metric([class_, reason], count)
        families.append(refused)
        low = GaugeMetricFamily("tensec_prefixes_low", "Prefixes whose codes are not used", labels=["account"])
        for account, count in health.low:
            low.add_metric([account], count)
        families.append(low)
        families.append(
            GaugeMetricFamily("tensec_webhook_backlog", "Events a webhook has not taken", value=health.webhook_backlog)
        )
        return families


class _Fixed:
    """What was asked for just now, for the library's way of asking."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_messages(sums: Sums) -> Iterator[Metric]:
    ledger = sums.ledger
    yield CounterMetricFamily("tensec_messages_accepted", "Messages accepted since the store was made", value=ledger.accepted)
    depth = GaugeMetricFamily("tensec_queue_depth", "Messages that wait for a channel", labels=["class"])
    for name, count in sums.waiting.items():
        depth.add_metric([name], count)
    yield depth
    states = GaugeMetricFamily("tensec_messages_open", "Messages that are not final", labels=["state"])
    for name in ("scheduled", "queued", "in_flight"):
        states.add_metric([name], getattr(ledger, name))
    yield states
    ended = CounterMetricFamily("tensec_messages_final", "Messages that ended, since the store was made", labels=["status"])
    for name, count in ledger.final.items():
        ended.add_metric([name], count)
    yield ended
    yield CounterMetricFamily("tensec_dead_letters", "Notices nobody took in time", value=sums.dead_letters)


def _of_classes(tallies: list[TallyView]) -> Iterator[Metric]:
    labels = ["class", "channel"]
    final = CounterMetricFamily("tensec_deliveries_final", "Final messages since the start", labels=labels)
    delivered = CounterMetricFamily("tensec_deliveries_delivered", "Delivered since the start", labels=labels)
    within = CounterMetricFamily("tensec_deliveries_within_10s", "Delivered within ten seconds of being due", labels=labels)
    for one in tallies:
        where = [one.class_, one.channel]
        final.add_metric(where, one.final)
        delivered.add_metric(where, one.delivered)
        within.add_metric(where, one.within_10s)
    yield from (final, delivered, within)


def _of_channels(channels: list[ChannelView]) -> Iterator[Metric]:
    state = GaugeMetricFamily("tensec_channel_state", "1 for the state the channel is in", labels=["channel", "state"])
    used = GaugeMetricFamily("tensec_channel_window_used", "Submits without an answer", labels=["channel"])
    size = GaugeMetricFamily("tensec_channel_window_size", "Most submits without an answer", labels=["channel"])
    queued = GaugeMetricFamily("tensec_channel_queued", "Messages handed to the channel, not sent", labels=["channel"])
    submitted = CounterMetricFamily("tensec_channel_submitted", "submit_sm since the start", labels=["channel"])
    refused = CounterMetricFamily("tensec_channel_refused", "submit_sm the carrier refused", labels=["channel"])
    for one in channels:
        for name in STATES:
            state.add_metric([one.name, name.replace(" ", "_")], one.state == name)
        used.add_metric([one.name], one.window_used)
        size.add_metric([one.name], one.window_size)
        queued.add_metric([one.name], one.queued)
        submitted.add_metric([one.name], one.submitted)
        refused.add_metric([one.name], one.refused)
    yield from (state, used, size, queued, submitted, refused)
    score = GaugeMetricFamily("tensec_channel_quality_score", "0 to 100, how well the channel delivers", labels=["channel"])
    trusted = GaugeMetricFamily("tensec_channel_trusted", "Whether the channel gets more than a try", labels=["channel"])
    rate = GaugeMetricFamily("tensec_channel_rate", "submit_sm a second it is given; 0: no limit", labels=["channel"])
    for one in channels:
        score.add_metric([one.name], one.score)
        trusted.add_metric([one.name], one.trusted)
        rate.add_metric([one.name], one.rate)
    yield from (score, trusted, rate)
