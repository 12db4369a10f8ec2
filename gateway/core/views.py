"""The gateway as an operator sees it: channels and sums. For the command line and the API alike."""

from itertools import accumulate

from config.schema import CLASSES
from gateway import link
from gateway.core.lane import Lane
from gateway.core.lanecounts import ANSWER_EDGES_S, LaneCounts
from gateway.core.pipeline import Pipeline


def channels(pipeline: Pipeline) -> link.Channels:
    """Every channel."""
    return link.Channels([_channel(pipeline, lane) for lane in pipeline.lanes.values()])


def sums(pipeline: Pipeline) -> link.Sums:
    """The ledger, and what waits."""
    store = pipeline.store
    handed = pipeline.dispatch.waiting()
    waiting: dict[str, int] = {name: handed[name] + store.waiting(name) for name in CLASSES}
    return link.Sums(store.ledger(), waiting, store.book.dead_letters, pipeline.dispatch.oldest_s())


def _channel(pipeline: Pipeline, lane: Lane) -> link.ChannelView:
    tally = pipeline.figures.sla.of_channel(lane.name)
    channel = lane.channel
    errors = [bind.last_error for bind in lane.binds if bind.last_error]
    return link.ChannelView(
        lane.name,
        f"{channel.host}:{channel.port}",
        _state(lane),
        [link.BindView(bind.number, bind.kind, bind.state, bind.last_error) for bind in lane.binds],
        lane.slots.unanswered,
        channel.window * sum(bind.kind != "rx" for bind in lane.binds),
        lane.queued + lane.in_flight - lane.slots.unanswered,
        lane.pace.ceiling,
        lane.submitted,
        lane.refused,
        tally.final,
        tally.delivered,
        tally.within,
        errors[-1] if errors else "",
        round(lane.quality.score.value, 1),
        {name: round(value, 3) for name, value in lane.quality.score._asdict().items() if name != "value"},
        not lane.quality.breaker.is_open,
        round(lane.pace.rate, 1),
        pipeline.dispatch.weight(lane.name),
        answers=_answers(lane.counts),
        throttled=lane.counts.throttled,
        unknown=lane.counts.unknown,
        failovers=lane.counts.failovers,
        paced_s=lane.counts.paced_s,
    )


def _answers(counts: LaneCounts) -> link.HistogramView:
    up_to = list(zip(ANSWER_EDGES_S, accumulate(counts.answers), strict=False))
    return link.HistogramView(up_to, sum(counts.answers), counts.answers_s)


def _state(lane: Lane) -> str:
    up = sum(bind.state == "bound" for bind in lane.binds)
    if lane.held == "pause":
        return "paused"
    if lane.held == "drain":
        return "draining" if up else "drained"
    return "up" if up == len(lane.binds) else "partly up" if lane.up else "down"
