"""The operators' port: /livez, /readyz, /metrics. It asks for no key: it is for the operator's network alone."""

import asyncio
from collections.abc import Iterable

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import metrics
from gateway.api.corelink import CoreAwayError, CoreLink, expect
from gateway.calls import messages as calls

TEXT = "text/plain; version=0.0.4; charset=utf-8"
ANSWER_S = 2.0
"""Whoever asks whether all is well must hear that it is not."""


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
                asked = calls.AskTallies(("class", "channel"), (metrics.WINDOW,))
                tallies = expect(await self._core.ask(asked), calls.TallyList).tallies
        except (CoreAwayError, TimeoutError):
            up.add_metric([], 0)
            return families
        up.add_metric([], 1)
        families += metrics.of_messages(sums)
        families += metrics.of_classes(tallies.tallies)
        families += metrics.of_the_ten_seconds(tallies)
        families += metrics.of_channels(channels)
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
