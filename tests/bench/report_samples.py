"""Results of load runs for the tests of the reports: one with everything, and what can be taken away from it."""

import math

from bench.measure.result import (
    Assertion,
    ChannelResult,
    ClassResult,
    Counts,
    Event,
    Machine,
    Percentiles,
    Plan,
    Reconciled,
    Result,
    Second,
    TargetUse,
)


def percentiles(median_ms=1.0, count=20_000):
    return Percentiles(count, *(median_ms * factor for factor in (1.2, 1, 2, 3, 5, 14, 22, 30)))


def second(at, **more):
    wave = 1 + 0.2 * math.sin(at)
    known = {"due": 100, "sent": 100, "accepted": 99, "refused": 1, "receipts": 98, "in_flight": 3}
    known |= {"accept_p50_ms": wave, "accept_p99_ms": 5 * wave, "accept_max_ms": 9 * wave}
    known |= {
        "receipt_p50_ms": 600 * wave,
        "receipt_p99_ms": 2000 * wave,
        "carrier_p50_ms": 2 * wave,
        "carrier_p99_ms": 9 * wave,
    }
    known |= {"cpu": 0.5 * wave, "rss_bytes": 90_000_000 + round(at) * 1000, "channels": {"one": 60, "two": 39}}
    return Second(float(at), **(known | more))


def one_class(name="all"):
    counts = Counts(1000, 1000, 990, 10, 0, 980, 5, 970)
    return ClassResult(name, counts, percentiles(), percentiles(2), percentiles(600), 0.9898)


def whole_result(length=10, **more):
    known = {
        "plan": Plan("smpp", "127.0.0.1:2775", 10, 2, "open", 100.0, float(length), None, 1.0, 5, {"fast": 0.5, "slow": 0.5}),
        "started_utc": "2026-01-02T03:04:05Z",
        "took_s": float(length),
        "drained_s": 2.0,
        "total": one_class(),
        "machine": Machine("Linux", "3.11.9", 8, 0.2),
        "rate_asked": 100.0,
        "rate_sent": 99.5,
        "rate_accepted": 98.5,
        "classes": [one_class("fast"), one_class("slow")],
        "seconds": [second(at) for at in range(length)],
        "channels": [ChannelResult(name, 500, 1, 0, 0.5, 0.99, percentiles(2), percentiles(600)) for name in ("one", "two")],
        "errors": {"ESME_RTHROTTLED": 10},
        "ledger": Reconciled(carriers=2, accepted=990, carried=985, ended_before=5),
        "target": TargetUse([41, 42], 5.0, 505.0, 60_000_000, 70_000_000, 95_000_000, 1_000_000.0),
        "events": [Event(3.0, "one stops"), Event(5.0, "one is back")],
        "assertions": [Assertion("lost == 0", 0.0, True)],
    }
    return Result(**(known | more))


def bare_result(**more):
    """Nobody answered, no carrier's side, no target to look at: nothing but the plan."""
    nothing = {"classes": [], "seconds": [], "channels": [], "errors": {}, "ledger": Reconciled(), "target": None, "events": []}
    return whole_result(**({"total": ClassResult("all", Counts()), "assertions": [], "rate_asked": None} | nothing | more))
