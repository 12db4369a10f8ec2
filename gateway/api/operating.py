"""For operators: channels, the ledger, the ten seconds. The whole gateway's, so they need the scope `ops`."""

from typing import Literal

import msgspec
from msgspec import UNSET

from gateway.api.corelink import expect
from gateway.api.operating_schemas import ChannelChange
from gateway.api.operation import Asked, Said
from gateway.api.problems import not_found
from gateway.api.schemas import ChannelList, ChannelOut, LedgerOut
from gateway.api.sla_schemas import SlaOut, SlaQuery, TallyOut, WindowOut
from gateway.calls import messages as calls
from gateway.link import ChannelView


async def list_channels(asked: Asked) -> Said:
    found = expect(await asked.services.core.ask(calls.AskChannels()), calls.ChannelList)
    return Said(200, ChannelList(data=[_channel(one) for one in found.channels.channels]))


def _channel(one: ChannelView) -> ChannelOut:
    return ChannelOut(
        name=one.name,
        address=one.address,
        state=one.state,
        window_used=one.window_used,
        window_size=one.window_size,
        queued=one.queued,
        rate_max=one.rate_max,
        submitted=one.submitted,
        refused=one.refused,
        final=one.final,
        delivered=one.delivered,
        within_10s=one.within_10s,
        share_10s=one.within_10s / one.final if one.final else None,
        score=one.score,
        score_parts=one.parts,
        trusted=one.trusted,
        rate=one.rate,
        weight=one.weight,
        last_error=one.last_error,
        binds=[
            {"number": bind.number, "kind": bind.kind, "state": bind.state, "last_error": bind.last_error} for bind in one.binds
        ],
    )


async def drain_channel(asked: Asked) -> Said:
    """Send nothing new there, and unbind when all is answered."""
    return await _steer(asked, "drain")


async def pause_channel(asked: Asked) -> Said:
    """Send nothing new there, and stay bound."""
    return await _steer(asked, "pause")


async def resume_channel(asked: Asked) -> Said:
    """Use it again."""
    return await _steer(asked, "resume")


async def _steer(asked: Asked, action: str) -> Said:
    return await _set(asked, calls.Steer(asked.path["name"], action, f"key {asked.key.id}"))


async def change_channel(asked: Asked) -> Said:
    """Its weight and rate count instead of the configuration's."""
    body: ChannelChange = asked.body
    fields: list[Literal["weight", "rate"]] = []
    weight, rate = body.weight, body.messages_per_second
    if weight is not UNSET:
        fields.append("weight")
    if rate is not UNSET:
        fields.append("rate")
    return await _set(
        asked,
        calls.Tune(
            asked.path["name"],
            tuple(fields),
            None if weight is UNSET else weight,
            None if rate is UNSET else rate,
            f"key {asked.key.id}",
            body.why,
        ),
    )


async def _set(asked: Asked, wish: calls.Steer | calls.Tune) -> Said:
    name = wish.channel
    done = expect(await asked.services.core.ask(wish), calls.Done)
    if done.error:
        not_found("channel")
    found = expect(await asked.services.core.ask(calls.AskChannels()), calls.ChannelList)
    view = next((one for one in found.channels.channels if one.name == name), None)
    if view is None:
        not_found("channel")
    return Said(200, _channel(view))


async def get_ledger(asked: Asked) -> Said:
    """The sums."""
    sums = expect(await asked.services.core.ask(calls.AskLedger()), calls.LedgerSums).sums
    ledger = sums.ledger
    return Said(
        200,
        LedgerOut(
            accepted=ledger.accepted,
            scheduled=ledger.scheduled,
            queued=ledger.queued,
            in_flight=ledger.in_flight,
            final=ledger.final,
            balanced=ledger.balanced,
            waiting=sums.waiting,
            dead_letters=sums.dead_letters,
        ),
    )


async def get_sla(asked: Asked) -> Said:
    """The ten seconds: sums since the start, and windows on both clocks."""
    query: SlaQuery = asked.query
    wanted = {"class": query.class_ or "", "channel": query.channel, "network": query.network, "account": query.account}
    only = {name: value for name, value in wanted.items() if value}
    by = tuple(query.by.split(",")) if query.by else ()
    question = calls.AskTallies(by, (query.window,) if query.window else (), only)
    found = expect(await asked.services.core.ask(question), calls.TallyList).tallies
    windows = [WindowOut(**msgspec.structs.asdict(one)) for one in found.windows]
    return Said(200, SlaOut(data=[TallyOut(**msgspec.structs.asdict(one)) for one in found.tallies], windows=windows))
