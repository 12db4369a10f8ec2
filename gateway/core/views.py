"""The gateway as an operator sees it: channels and sums. For the command line and the API alike."""

from gateway import link
from gateway.core.lane import Lane
from gateway.core.pipeline import Pipeline


def channels(pipeline: Pipeline) -> link.Channels:
    """Every channel."""
    return link.Channels([_channel(pipeline, lane) for lane in pipeline.lanes.values()])


def sums(pipeline: Pipeline) -> link.Sums:
    """The ledger, and what waits."""
    store = pipeline.store
    return link.Sums(store.ledger(), pipeline.dispatch.waiting(), store.book.dead_letters)


def _channel(pipeline: Pipeline, lane: Lane) -> link.ChannelView:
    tally = pipeline.figures.sla.of_channel(lane.name)
    channel = lane.channel
    errors = [bind.last_error for bind in lane.binds if bind.last_error]
    return link.ChannelView(
        lane.name,
        f"{channel.host}:{channel.port}",
        _state(lane),
        [link.BindView(bind.number, bind.kind, bind.state, bind.last_error) for bind in lane.binds],
        lane.in_flight,
        channel.window * sum(bind.kind != "rx" for bind in lane.binds),
        lane.queued,
        channel.messages_per_second,
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
    )


def _state(lane: Lane) -> str:
    up = sum(bind.state == "bound" for bind in lane.binds)
    if lane.held == "pause":
        return "paused"
    if lane.held == "drain":
        return "draining" if up else "drained"
    return "up" if up == len(lane.binds) else "partly up" if lane.up else "down"
