"""What the core was asked, as Prometheus families. README lists them."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gateway.link import ChannelView, HistogramView, Sums, Tallies, TallyView

STATES = ("up", "partly up", "down", "paused", "draining", "drained")
WINDOW = "5m"
"""Of shares: that of breaches."""


def of_messages(sums: Sums) -> Iterator[Metric]:
    """The ledger and what waits."""
    ledger = sums.ledger
    yield CounterMetricFamily("tensec_messages_accepted", "Messages accepted since the store was made", value=ledger.accepted)
    depth = GaugeMetricFamily("tensec_queue_depth", "Messages that wait for a channel", labels=["class"])
    for name, count in sums.waiting.items():
        depth.add_metric([name], count)
    yield depth
    oldest = GaugeMetricFamily(
        "tensec_queue_oldest_seconds", "How long the first message that waits for a channel has", labels=["class"]
    )
    for name, seconds in sums.oldest_s.items():
        oldest.add_metric([name], seconds)
    yield oldest
    states = GaugeMetricFamily("tensec_messages_open", "Messages that are not final", labels=["state"])
    for name in ("scheduled", "queued", "in_flight"):
        states.add_metric([name], getattr(ledger, name))
    yield states
    ended = CounterMetricFamily("tensec_messages_final", "Messages that ended, since the store was made", labels=["status"])
    for name, count in ledger.final.items():
        ended.add_metric([name], count)
    yield ended
    yield CounterMetricFamily("tensec_dead_letters", "Notices nobody took in time", value=sums.dead_letters)


def of_classes(tallies: list[TallyView]) -> Iterator[Metric]:
    """Ends by class and channel."""
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


def of_the_ten_seconds(tallies: Tallies) -> Iterator[Metric]:
    """Latencies since the start, shares of the last five minutes, breaches. Without a channel: on the user's clock."""
    latency = HistogramMetricFamily(
        "tensec_delivery_latency_seconds", "From when a message came or was due to its delivery", labels=["class"]
    )
    for class_, found in tallies.latencies.items():
        _add(latency, class_, found)
    yield latency
    labels = ["class", "channel"]
    ended = f"of messages for which these ended in the last {WINDOW}; with a channel, of what was written to it"
    within = GaugeMetricFamily("tensec_sla_within_ratio", f"Delivered within ten seconds, {ended}", labels=labels)
    arrival = GaugeMetricFamily("tensec_sla_arrival_ratio", f"Delivered within five minutes, {ended}", labels=labels)
    breached = GaugeMetricFamily("tensec_sla_breached", "1 while the ten seconds are in breach", labels=labels)
    rows = {(one.class_, one.channel): one for one in tallies.windows if (one.clock == "channel") is bool(one.channel)}
    for where, row in rows.items():
        for family, share in ((within, row.within), (arrival, row.arrival)):
            if share is not None:
                family.add_metric(where, share)
    for where in sorted({*rows, *tallies.breached}):
        breached.add_metric(where, where in tallies.breached)
    yield from (within, arrival, breached)


def of_channels(channels: list[ChannelView]) -> Iterator[Metric]:
    """States, counts and quality."""
    state = GaugeMetricFamily("tensec_channel_state", "1 for the state the channel is in", labels=["channel", "state"])
    for one in channels:
        for name in STATES:
            state.add_metric([one.name, name.replace(" ", "_")], one.state == name)
    yield state
    for gauge, about, field in (
        ("window_used", "Submits without an answer", "window_used"),
        ("window_size", "Most submits without an answer", "window_size"),
        ("queued", "Messages handed to the channel, not sent", "queued"),
        ("quality_score", "0 to 100, how well the channel delivers", "score"),
        ("trusted", "Whether the channel gets more than a try", "trusted"),
        ("rate", "submit_sm a second it is given; 0: no limit", "rate"),
    ):
        yield _each(GaugeMetricFamily(f"tensec_channel_{gauge}", about, labels=["channel"]), channels, field)
    for counter, about, field in (
        ("submitted", "submit_sm since the start", "submitted"),
        ("refused", "submit_sm the carrier refused", "refused"),
        ("throttled", "submit_sm the carrier refused for being too fast", "throttled"),
        ("throttle_wait_seconds", "Seconds in which the pace kept everything waiting", "paced_s"),
        ("unknown", "Attempts that left and whose outcome was not known in time", "unknown"),
        ("failovers", "Messages the channel got after another one had had them", "failovers"),
    ):
        yield _each(CounterMetricFamily(f"tensec_channel_{counter}", about, labels=["channel"]), channels, field)
    part = GaugeMetricFamily("tensec_channel_quality_part", "What the score is made of, as shares", labels=["channel", "part"])
    answers = HistogramMetricFamily("tensec_submit_response_seconds", "From a submit_sm to its answer", labels=["channel"])
    for one in channels:
        for name, value in one.parts.items():
            if name != "samples":
                part.add_metric([one.name, name], value)
        _add(answers, one.name, one.answers)
    yield from (part, answers)


def _each(family: GaugeMetricFamily | CounterMetricFamily, channels: list[ChannelView], field: str) -> Metric:
    for one in channels:
        family.add_metric([one.name], getattr(one, field))
    return family


def _add(family: HistogramMetricFamily, label: str, found: HistogramView) -> None:
    buckets = [(str(edge), float(count)) for edge, count in found.up_to]
    family.add_metric([label], [*buckets, ("+Inf", float(found.count))], found.sum_s)
