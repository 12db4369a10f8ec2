"""What a result says, before it is a page or a terminal: the verdict and its reasons, the plan, the figures named first.

A figure that was not measured has no value but a reason. A zero would be read as good news.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from bench.measure.result import ClassResult, Counts, Percentiles, Plan, Result
from bench.report.numbers import NOT_MEASURED, exact, milliseconds, number, octets, rate, seconds, share, whole

NEEDS_CARRIERS = "needs the carriers' arrival files"
NEEDS_EITHER = "needs the carriers' arrival files, or receipts"
NOTHING_CAME = "no accepted message came to a carrier, by its arrival file"
ASKED_NO_RECEIPTS = "no receipts were asked for"
NO_RECEIPTS = "no receipt came"
NEEDS_ANSWERS = "no message was accepted"
NEEDS_TARGET = "the target is not on this machine, or its processes were not found"
GENERATOR = "the generator was"
"""In the warning that the generator, not the target, was the limit (`bench/load/run.py`)."""

ERRORS_MAX = 5

State = Literal["held", "open", "broken", "stopped", "unfinished"]
TITLES: dict[State, str] = {
    "held": "Held",
    "open": "Nothing asserted",
    "broken": "Broken",
    "stopped": "Stopped early",
    "unfinished": "Run did not finish",
}


class Verdict(NamedTuple):
    """The first thing to read. `reasons` are what decided it, `bad` what nobody wants whether it was asserted or not, `doubts`
    what makes the figures doubtful."""

    state: State
    title: str
    reasons: list[str]
    bad: list[str]
    doubts: list[str]


class Share(NamedTuple):
    """One line of the account of all messages, a part of the nearest line above it that is less deep."""

    word: str
    meaning: str
    count: Callable[[Counts], int]
    depth: int
    bad: bool = False


class Tile(NamedTuple):
    """One figure; without `value`, `note` says why."""

    name: str
    value: str | None
    note: str = ""
    alarm: bool = False


class LedgerLine(NamedTuple):
    """One word of the reconciliation; without `value`, `why` says what was missing. `bad` words alarm unless they are 0."""

    word: str
    meaning: str
    value: int | None
    why: str = ""
    bad: bool = False

    @property
    def alarm(self) -> bool:
        """Whether this must be seen."""
        return self.bad and bool(self.value)


def verdict(result: Result) -> Verdict:
    """Whether it held, and why (not). Without an assertion nothing can hold; what is bad is named in any case."""
    state = _state(result)
    reasons = [result.failure] if result.failure else []
    for one in result.assertions:
        if not one.held:
            found = "there was nothing to measure" if one.value is None else f"found {exact(one.value)}"
            reasons.append(f"{one.text}: {found}")
    bad = list(_bad(result))
    if state == "open":
        reasons.append("The run went to its end, but no --assert said what must hold: this is no pass.")
    elif state == "stopped":
        until = "what was asserted held until then" if result.assertions else "nothing was asserted"
        reasons.append(f"{result.stopped}: {until}, and no longer run was seen.")
    elif not reasons:
        asserted = len(result.assertions)
        reasons.append(f"{asserted} of {many(asserted, 'assertion')} held.")
    title = TITLES[state]
    if state in ("held", "open", "stopped"):
        title += f", {many(len(bad), 'thing')} to look at" if bad else ", nothing bad seen" if state == "open" else ""
    return Verdict(state, title, reasons, bad, [one for one in result.warnings if GENERATOR not in one])


def _state(result: Result) -> State:
    if result.failure:
        return "unfinished"
    if not result.held:
        return "broken"
    if result.stopped:
        return "stopped"
    return "held" if result.assertions else "open"


def _bad(result: Result) -> Iterator[str]:
    """Everything that nobody wants to see in a run, however it was judged."""
    counts = result.total.counts
    for one in account(result):
        if one.bad and (count := one.count(counts)):
            yield f"{whole(count)} {one.word}: {one.meaning}"
    for line in ledger(result):
        if line.alarm:
            yield f"{whole(line.value or 0)} {line.word}: {line.meaning}"
    if counts.receipts_repeated:
        yield f"{many(counts.receipts_repeated, 'receipt')} repeated: for messages that had their final one"
    if counts.receipts_strange:
        yield f"{many(counts.receipts_strange, 'strange receipt')}: with an id that was never given"
    if result.errors:
        worst = sorted(result.errors.items(), key=lambda pair: (-pair[1], pair[0]))
        more = f" and {many(len(worst) - ERRORS_MAX, 'other kind')}" if len(worst) > ERRORS_MAX else ""
        named = ", ".join(f"{name} {whole(count)}" for name, count in worst[:ERRORS_MAX])
        yield f"{many(sum(result.errors.values()), 'error')}: {named}{more}"
    yield from (warning for warning in result.warnings if GENERATOR in warning)


def account(result: Result) -> list[Share]:
    """Where every message went, as a tree: each line is the sum of those below it that are one deeper."""
    ends = [
        Share("delivered", "a receipt said DELIVRD", lambda one: one.delivered, 3),
        Share("ended otherwise", "a receipt told another end than DELIVRD", lambda one: one.failed, 3, bad=True),
        Share("no receipt", "accepted, and no final receipt until the run ended", lambda one: one.no_receipt, 3, bad=True),
    ]
    return [
        Share("due", "by the schedule", lambda one: one.due, 0),
        Share("sent", "written to a connection", lambda one: one.sent, 1),
        Share("accepted", "answered with OK", lambda one: one.accepted, 2),
        *(ends if result.plan.receipts else ()),
        Share("refused", "answered with an error", lambda one: one.refused, 2, bad=True),
        Share("unanswered", "no answer until the run ended", lambda one: one.unanswered, 2, bad=True),
        Share("unsent", "due, and no room for them until the run ended", lambda one: one.unsent, 1, bad=True),
    ]


def named(result: Result) -> list[ClassResult]:
    """All together, then each class; a single class is the whole."""
    return [result.total, *result.classes] if len(result.classes) != 1 else [result.total]


def sums(result: Result) -> list[str]:
    """The account in words: due 10 = sent 9 + unsent 1."""
    lines = account(result)
    told = [f"{one.word} {whole(one.count(result.total.counts))}" for one in lines]
    found = []
    for at, one in enumerate(lines):
        below = next((to for to in range(at + 1, len(lines)) if lines[to].depth <= one.depth), len(lines))
        if parts := [told[to] for to in range(at + 1, below) if lines[to].depth == one.depth + 1]:
            found.append(f"{told[at]} = {' + '.join(parts)}")
    return found


def plan_sentence(plan: Plan) -> str:
    """What was asked for."""
    over = plan.kind.upper()
    if plan.model == "open":
        load = f"{number(plan.rate)} messages a second" if plan.rate is not None else "An open load"
    else:
        load = "As many messages as the answers allow (closed model)"
    size = [f"{whole(plan.messages)} in all"] if plan.messages is not None else []
    size += [f"for {seconds(plan.duration_s)}"] if plan.duration_s is not None else []
    size += [f"ramped up over {seconds(plan.ramp_s)}"] if plan.ramp_s else []
    sources = f"{many(plan.connections, 'connection')} from {many(plan.processes, 'process', 'processes')}"
    window = f"at most {many(plan.window, 'unanswered request')} on each"
    text = f"{', '.join([load, *size])}, over {over} to {plan.target}: {sources}, {window}."
    if plan.mix:
        whole_mix = sum(plan.mix.values()) or 1.0  # parts are of any size: 10, 30 and 60, or 1 and 2
        text += f" Mix: {', '.join(f'{name} {share(part / whole_mix)}' for name, part in plan.mix.items())}."
    if plan.texts:
        text += f" Texts: {plan.texts}."
    if plan.scenario:
        text += f" Scenario: {plan.scenario}."
    return text


def many(count: int, one: str, more: str = "") -> str:
    """A count of things, one or more."""
    return f"{whole(count)} {one if count == 1 else more or one + 's'}"


def why_none(result: Result, which: str) -> str:
    """Why there are no latencies of this kind."""
    if which == "receipt":
        return NO_RECEIPTS if result.plan.receipts else ASKED_NO_RECEIPTS
    if which == "carrier":
        return NOTHING_CAME if result.ledger.carriers else NEEDS_CARRIERS
    return NEEDS_ANSWERS


def tiles(result: Result) -> list[Tile]:
    """The figures everybody asks for."""
    total, target = result.total, result.target
    known = {line.word: line for line in ledger(result)}
    return [
        _tile("Rate asked", result.rate_asked, rate, "the closed model asks for none"),
        Tile("Rate sent", rate(result.rate_sent), f"{whole(total.counts.sent)} messages"),
        Tile("Rate accepted", rate(result.rate_accepted), f"{whole(total.counts.accepted)} messages"),
        _latency("Answer, median", result, "accept", "p50_ms"),
        _latency("Answer, p99", result, "accept", "p99_ms"),
        _latency("To the carrier, p99", result, "carrier", "p99_ms"),
        _latency("Receipt, p99", result, "receipt", "p99_ms"),
        _tile("Within 10 s, of accepted", total.sla_10s, share, why_none(result, "receipt")),
        _tile("Within 10 s, of due", result.sla_10s_due(total), share, why_none(result, "receipt")),
        *(_tile(one.word.capitalize(), one.value, whole, one.why, one.alarm) for one in (known["lost"], known["duplicated"])),
        _tile("CPU per message", target.cpu_us_per_message if target else None, lambda us: f"{number(us)} µs", NEEDS_TARGET),
        _tile("Memory, most", target.rss_max_bytes or None if target else None, octets, NEEDS_TARGET),
    ]


def _tile(name: str, value: float | None, show: Callable[[float], str], why: str, alarm: bool = False) -> Tile:
    return Tile(name, None, why) if value is None else Tile(name, show(value), "", alarm)


def _latency(name: str, result: Result, which: str, field: str) -> Tile:
    found: Percentiles = getattr(result.total, which)
    return _tile(name, getattr(found, field), milliseconds, why_none(result, which))


def ledger(result: Result) -> list[LedgerLine]:
    """Every word of the reconciliation. Most cannot be known without the carriers' side, some not without receipts."""
    found, carriers, receipts = result.ledger, bool(result.ledger.carriers), result.plan.receipts

    def line(
        word: str, meaning: str, value: int, known: bool = carriers, why: str = NEEDS_CARRIERS, bad: bool = False
    ) -> LedgerLine:
        return LedgerLine(word, meaning, value, "", bad) if known else LedgerLine(word, meaning, None, why)

    nothing = "no carrier took it and no receipt came" if carriers else "no receipt came until the run ended"
    return [
        LedgerLine("accepted", "answered with OK by the target, by our own ledger", found.accepted),
        line("carried", "of the accepted, taken by a carrier", found.carried),
        line("lost", f"accepted, and then nothing: {nothing}", found.lost, carriers or receipts, NEEDS_EITHER, bad=True),
        line("duplicated", "whole messages taken by carriers more than once", found.duplicated, bad=True),
        line("parts again", "parts of long messages taken again without the rest", found.parts_again, bad=True),
        line("ended before", "accepted, taken by no carrier, but a receipt told their end: not lost", found.ended_before),
        line("unknown", "sent without an answer and taken by a carrier: the sender cannot know", found.unknown),
        line("strange", "taken by a carrier though it was refused to us, or never sent by us", found.strange, bad=True),
        line(
            "without receipt",
            "accepted, and no final receipt came until the run ended",
            found.without_receipt,
            receipts,
            ASKED_NO_RECEIPTS,
        ),
    ]


def value_or_reason(value: str | None, why: str) -> str:
    """For places without room for two lines."""
    return f"{NOT_MEASURED} ({why})" if value is None else value
