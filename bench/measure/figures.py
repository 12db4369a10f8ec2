"""Named numbers of a result: what `--assert` asks about, what is compared, what tables show.

A figure has one value, and those it has come to in whole runs or rounds (`runs`), from which a comparison takes its spread.
The figures of one run have none: its seconds resemble each other more than two runs do.
"""

from typing import Literal

import msgspec

from bench.measure.result import Percentiles, Result

Better = Literal["higher", "lower", "neither"]
_BAD = frozenset({"unsent", "refused", "unanswered", "failed", "receipts_repeated", "receipts_strange"})
"""Counts of which the fewest are the best."""


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
    found = [
        Figure("rate_sent", result.rate_sent, "/s", "higher"),
        Figure("rate_accepted", result.rate_accepted, "/s", "higher"),
    ]
    found += [
        Figure(name, float(getattr(counts, name)), "", "lower" if name in _BAD else "neither")
        for name in (*counts.__struct_fields__, "unsent")
    ]
    found.append(Figure("errors", float(sum(result.errors.values())), "", "lower"))
    if result.plan.receipts:
        found.append(Figure("without_receipt", float(ledger.without_receipt), "", "lower"))
    if result.plan.receipts or ledger.carriers:
        found.append(Figure("lost", float(ledger.lost), "", "lower"))
    if ledger.carriers:
        found += [
            Figure(name, float(getattr(ledger, name)), "", "lower")
            for name in ("duplicated", "parts_again", "unknown", "strange")
        ]
    found += _share("sla_10s", total.sla_10s) + _share("sla_10s_due", result.sla_10s_due(total))
    for which in ("accept", "carrier", "receipt"):
        found += _percentiles(which, getattr(total, which))
    for one in result.classes:
        found += _share(f"{one.name}.sla_10s", one.sla_10s) + _share(f"{one.name}.sla_10s_due", result.sla_10s_due(one))
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
            found.append(Figure("cpu_us_per_message", target.cpu_us_per_message, "us", "lower"))
        found.append(Figure("rss_max_mb", target.rss_max_bytes / 1e6, "MB", "lower"))
        if target.bytes_per_connection is not None:
            found.append(Figure("kb_per_connection", target.bytes_per_connection / 1e3, "kB", "lower"))
    return found


def _share(name: str, value: float | None) -> list[Figure]:
    return [] if value is None else [Figure(name, value, "", "higher")]


def _percentiles(name: str, found: Percentiles) -> list[Figure]:
    return [
        Figure(f"{name}_{field}", value, "ms", "lower")
        for field in found.__struct_fields__
        if field != "count" and (value := getattr(found, field)) is not None
    ]
