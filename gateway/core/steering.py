"""What operators change while the gateway runs: channels held back, their weights and rates, and numbers that have moved.

Each wish is stored before it is answered, survives a restart, and leaves a line in the audit.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gateway.calls import messages as calls
from gateway.calls.things import HELD, PORTED, TUNED, Tuning
from gateway.core.audit import Audit
from gateway.core.pipeline import Pipeline
from gateway.store.documents import document_key
from routing.policy.numbers import listed_number

ACTIONS = {"pause": "pause", "drain": "drain", "resume": ""}
WEIGHT_MAX, RATE_MAX = 10_000, 1_000_000.0
KINDS = (HELD, TUNED, PORTED)
_JSON = msgspec.json.Encoder()
_TEXT = msgspec.json.Decoder(str)
_TUNING = msgspec.json.Decoder(Tuning)


class Steering:
    """See the module. `put(kind, name, value)` keeps a document and then calls `take_over`."""

    def __init__(self, pipeline: Pipeline, put: Callable[[str, str, bytes], Awaitable[None]], audit: Audit) -> None:
        self._pipeline = pipeline
        self._put = put
        self._audit = audit

    async def answer(self, ask: calls.Ask) -> calls.Answer | None:
        """None: it is not about these."""
        match ask:
            case calls.Steer():
                return await self._steer(ask)
            case calls.Tune():
                return await self._tune(ask)
            case calls.Port():
                return await self._port(ask)
            case calls.AskNetwork():
                return self._network(ask)
        return None

    def take_over(self, kind: str, name: str, value: bytes) -> None:
        """Go by a document as it is now; an empty `value` is none."""
        pipeline, lane = self._pipeline, self._pipeline.lanes.get(name)
        if kind == PORTED:
            pipeline.operators.port(name, _TEXT.decode(value) if value else "")
        elif kind == HELD and lane is not None:
            lane.hold(_TEXT.decode(value) if value else "")
        elif kind == TUNED:
            tuning = _TUNING.decode(value) if value else Tuning()
            pipeline.dispatch.weigh(name, tuning.weight)
            if lane is not None:
                lane.limit(tuning.rate)

    def take_over_all(self, documents: Callable[[str], Mapping[str, bytes]]) -> None:
        """After a start, or when channels are new."""
        for kind in KINDS:
            for name, value in documents(kind).items():
                self.take_over(kind, name, value)

    # -- channels

    async def _steer(self, ask: calls.Steer) -> calls.Done:
        if ask.channel not in self._pipeline.lanes:
            return calls.Done(f"there is no channel {ask.channel}")
        if ask.action not in ACTIONS:
            return calls.Done(f"{ask.action} is none of {', '.join(ACTIONS)}")
        held = ACTIONS[ask.action]
        await self._put(HELD, ask.channel, _JSON.encode(held) if held else b"")
        self._audit.note(f"channel {ask.action}", by=ask.by, channel=ask.channel, why=ask.why)
        return calls.Done()

    async def _tune(self, ask: calls.Tune) -> calls.Done:
        if ask.channel not in self._pipeline.lanes:
            return calls.Done(f"there is no channel {ask.channel}")
        if ask.weight is not None and not 1 <= ask.weight <= WEIGHT_MAX:
            return calls.Done(f"weight {ask.weight}: 1 to {WEIGHT_MAX} is possible; to send nothing there, pause the channel")
        if ask.rate is not None and not 0 <= ask.rate <= RATE_MAX:
            return calls.Done(f"rate {ask.rate:g}: 0 (no limit) to {RATE_MAX:g} a second is possible")
        kept = self._pipeline.store.book.documents.get(document_key(TUNED, ask.channel))
        before = _TUNING.decode(kept) if kept else Tuning()
        after = Tuning(
            before.weight if "weight" not in ask.fields else ask.weight, before.rate if "rate" not in ask.fields else ask.rate
        )
        await self._put(TUNED, ask.channel, b"" if after == Tuning() else _JSON.encode(after))
        changes = {name: getattr(after, name) for name in ask.fields}
        self._audit.note("channel tuned", by=ask.by, channel=ask.channel, why=ask.why, **changes)
        return calls.Done()

    # -- numbers

    async def _port(self, ask: calls.Port) -> calls.Done:
        bad = 0
        for text, operator in ask.numbers:
            number = listed_number(text, "")
            if number:
                await self._put(PORTED, number, _JSON.encode(operator) if operator else b"")
            bad += not number
        good = len(ask.numbers) - bad
        if good:
            moves = [f"{number} {operator}".strip() for number, operator in ask.numbers]
            self._audit.note("numbers moved", by=ask.by, why=ask.why, numbers=moves)
        return calls.Done(f"{bad} are no numbers" if bad else "", good)

    def _network(self, ask: calls.AskNetwork) -> calls.Answer:
        number = listed_number(ask.number, "")
        if not number:
            return calls.Done(f"{ask.number} is no number")
        operators = self._pipeline.operators
        operator = operators.of(number)
        return calls.Network(number, operator.name, operator.country, operator.virtual, operators.moved(number))
