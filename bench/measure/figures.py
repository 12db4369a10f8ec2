"""Named numbers of a result: what `--assert` asks about, what is compared, what tables show.

A figure has one value, and the values it varied between (`runs`: seconds of one run, or rounds), from which a comparison
takes its spread.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from bench.measure.result import Percentiles, Result

Better = Literal["higher", "lower", "neither"]


class Figure(msgspec.Struct):
    """One number."""

    name: str
    value: float
    unit: str = ""
    better: Better = "neither"
    runs: list[float] = msgspec.field(default_factory=list)


def figures(result: Result) -> list[Figure]:
    """Every figure of a load run; what was not measured is left out."""
    total, ledger, counts = result.total, result.ledger, result.total.counts
    steady = [second for second in result.seconds if second.due]
    steady = steady[1:-1] or steady  # the first and the last are not whole
    found = [
        Figure("rate_sent", result.rate_sent, "/s", "higher", [float(second.sent) for second in steady]),
        Figure("rate_accepted", result.rate_accepted, "/s", "higher", [float(second.accepted) for second in steady]),
    ]
    found += [Figure(name, float(getattr(counts, name))) for name in counts.__struct_fields__]
    found.append(Figure("errors", float(sum(result.errors.values())), "", "lower"))
    if result.plan.receipts:
        found.append(Figure("without_receipt", float(ledger.without_receipt), "", "lower"))
    if result.plan.receipts or ledger.carriers:
        found.append(Figure("lost", float(ledger.lost), "", "lower"))
    if ledger.carriers:
        found += [Figure(name, float(getattr(ledger, name)), "", "lower") for name in ("duplicated", "unknown", "strange")]
    found += _share("sla_10s", total.sla_10s)
    found += _percentiles(
        "accept", total.accept, [second.accept_p50_ms for second in steady], [second.accept_p99_ms for second in steady]
    )
    found += _percentiles(
        "carrier", total.carrier, [second.carrier_p50_ms for second in steady], [second.carrier_p99_ms for second in steady]
    )
    found += _percentiles(
        "receipt", total.receipt, [second.receipt_p50_ms for second in steady], [second.receipt_p99_ms for second in steady]
    )
    for one in result.classes:
        found += _share(f"{one.name}.sla_10s", one.sla_10s)
        if result.plan.receipts or ledger.carriers:
            found.append(Figure(f"{one.name}.lost", float(one.lost), "", "lower"))
        if ledger.carriers:
            found.append(Figure(f"{one.name}.duplicated", float(one.duplicated), "", "lower"))
        found += _percentiles(f"{one.name}.accept", one.accept)
        found += _percentiles(f"{one.name}.carrier", one.carrier)
        found += _percentiles(f"{one.name}.receipt", one.receipt)
    for channel in result.channels:
        found.append(Figure(f"{channel.name}.share", channel.share))
        found += _share(f"{channel.name}.sla_10s", channel.within_10s)
    if result.target is not None:
        target = result.target
        if target.cpu_us_per_message is not None:
            each = [second.cpu * 1e6 / second.accepted for second in steady if second.cpu is not None and second.accepted]
            found.append(Figure("cpu_us_per_message", target.cpu_us_per_message, "us", "lower", each))
        found.append(Figure("rss_max_mb", target.rss_max_bytes / 1e6, "MB", "lower"))
        if target.bytes_per_connection is not None:
            found.append(Figure("kb_per_connection", target.bytes_per_connection / 1e3, "kB", "lower"))
    return found


def _share(name: str, value: float | None) -> list[Figure]:
    return [] if value is None else [Figure(name, value, "", "higher")]


def _percentiles(
    name: str, found: Percentiles, p50: Iterable[float | None] = (), p99: Iterable[float | None] = ()
) -> list[Figure]:
    runs = {"p50_ms": [one for one in p50 if one is not None], "p99_ms": [one for one in p99 if one is not None]}
    return [
        Figure(f"{name}_{field}", value, "ms", "lower", runs.get(field, []))
        for field in found.__struct_fields__
        if field != "count" and (value := getattr(found, field)) is not None
    ]
