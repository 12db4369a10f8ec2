"""The tables of the page: every figure of the result, with those that are missing named as such."""

from collections.abc import Sequence

from bench.measure.result import ClassResult, Percentiles, Result
from bench.report.markup import Markup, join, tag
from bench.report.numbers import NOT_MEASURED, exact, milliseconds, number, octets, share, whole
from bench.report.words import (
    ASKED_NO_RECEIPTS,
    NEEDS_CARRIERS,
    NEEDS_TARGET,
    LedgerLine,
    account,
    ledger,
    many,
    named,
    why_none,
)

_PERCENTILES = {
    "mean_ms": "mean",
    "p50_ms": "p50",
    "p90_ms": "p90",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "p999_ms": "p99.9",
    "p9999_ms": "p99.99",
    "max_ms": "max",
}
_KINDS = {"accept": "answer", "carrier": "carrier", "receipt": "receipt"}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1, last_word: bool = False) -> Markup:
    """Its first `words` columns are text, the last one if asked, the others figures. A wide one scrolls in its own place."""

    def kind(index: int) -> str:
        return "word" if index < words or (last_word and index == len(heads) - 1) else "figure"

    head = join([tag("th", text, scope="col", class_=kind(index)) for index, text in enumerate(heads)])
    body = [tag("tr", *(tag("td", cell, class_=kind(index)) for index, cell in enumerate(row))) for row in rows]
    whole_table = tag("table", tag("thead", tag("tr", head)), tag("tbody", *body))
    return tag("div", whole_table, class_="scroll")


def missing(why: str) -> Markup:
    """In place of a table or a chart."""
    return tag("p", tag("strong", f"{NOT_MEASURED}:"), Markup(" "), why, class_="missing")


def everything(result: Result) -> Markup:
    """Every message accounted for, by class."""
    found = named(result)
    rows = []
    for line in account(result):
        cells = [line.count(one.counts) for one in found]
        word = tag("span", line.word, class_=f"deep{line.depth}")
        shown = [tag("span", whole(count), class_="bad" if line.bad and count else "known") for count in cells]
        rows.append([word, *shown, tag("span", line.meaning, class_="note")])
    heads = ["messages", *(one.name for one in found), ""]
    receipts = [] if result.plan.receipts else [missing(f"what became of the accepted: {ASKED_NO_RECEIPTS}.")]
    return join(
        [
            table(heads, rows, last_word=True),
            tag("p", "Each line is the sum of those one step in below it.", class_="note"),
            *receipts,
        ]
    )


def by_class(result: Result) -> Markup:
    """Shares and latencies of all messages and of every class."""
    found = named(result)
    words = [line.word for line in ledger(result) if line.value is not None and line.word in ("lost", "duplicated")]
    shares = table(
        ["class", *words, "within 10 s, of accepted", "within 10 s, of due"],
        [
            [
                one.name,
                *(whole(getattr(result.ledger if one is result.total else one, word)) for word in words),
                _or_not(one.sla_10s),
                _or_not(result.sla_10s_due(one)),
            ]
            for one in found
        ],
    )
    rows = [row for one in found for row in _latencies(one.name, one)]
    latencies = table(["class", "time to the", "messages", *_PERCENTILES.values()], rows, words=2)
    absent = [
        missing(f"time to the {_KINDS[which]}, {why_none(result, which)}.")
        for which in _KINDS
        if not getattr(result.total, which).count
    ]
    return join([shares, latencies, *absent])


def _or_not(value: float | None) -> str:
    return NOT_MEASURED if value is None else share(value)


def _latencies(name: str, one: ClassResult) -> list[list[str]]:
    rows = []
    for which, word in _KINDS.items():
        found: Percentiles = getattr(one, which)
        if found.count:
            rows.append([name, word, whole(found.count), *_cells(found)])
    return rows


def _cells(found: Percentiles) -> list[str]:
    values = [getattr(found, field) for field in _PERCENTILES]
    return ["–" if value is None else milliseconds(value) for value in values]


def errors(result: Result) -> Markup:
    """Statuses, codes and broken connections, the most frequent first."""
    if not result.errors:
        return tag("p", "No errors.")
    ordered = sorted(result.errors.items(), key=lambda pair: (-pair[1], pair[0]))
    return table(["error", "times"], [[name, whole(count)] for name, count in ordered])


def reconciliation(result: Result) -> Markup:
    """What became of the accepted messages."""
    found = result.ledger
    if found.carriers:
        said = tag("p", f"Our ledger held against that of {many(found.carriers, 'carrier')}.")
    else:
        said = missing("what the carriers took. That needs their arrival files.")
    rows = [[line.word, line.meaning, _ledger_cell(line)] for line in ledger(result)]
    counts = result.total.counts
    for word, meaning, value in (
        ("receipts repeated", "receipts for messages that had their final one", counts.receipts_repeated),
        ("receipts strange", "receipts with an id that was never given", counts.receipts_strange),
    ):
        if value:
            rows.append([word, meaning, tag("span", whole(value), class_="bad")])
    return join([said, table(["word", "meaning", "messages"], rows, words=2)])


def _ledger_cell(line: LedgerLine) -> Markup:
    if line.value is None:
        return tag("span", f"{NOT_MEASURED}: {line.why}", class_="none")
    return tag("span", whole(line.value), class_="bad" if line.alarm else "known")


def channels(result: Result) -> Markup:
    """What came to each carrier."""
    if not result.channels:
        return missing(NEEDS_CARRIERS + ".")
    rows = [
        [
            one.name,
            *(whole(count) for count in (one.taken, one.refused, one.swallowed)),
            share(one.share),
            _or_not(one.within_10s),
            *(_one(value) for value in (one.carrier.p50_ms, one.carrier.p99_ms, one.receipt.p50_ms, one.receipt.p99_ms)),
        ]
        for one in result.channels
    ]
    heads = ["channel", "taken", "refused", "swallowed", "share", "within 10 s"]
    return table([*heads, "carrier p50", "carrier p99", "receipt p50", "receipt p99"], rows)


def _one(value: float | None) -> str:
    return NOT_MEASURED if value is None else milliseconds(value)


def assertions(result: Result) -> Markup:
    """What was asserted, what was found."""
    if not result.assertions:
        return tag("p", "Nothing was asserted.")
    rows = []
    for one in result.assertions:
        ending = tag("span", "held" if one.held else "broken", class_="good" if one.held else "bad")
        rows.append([one.text, "nothing to measure" if one.value is None else exact(one.value), ending])
    return table(["assertion", "found", "verdict"], rows)


def events(result: Result) -> Markup:
    """What was done during the run."""
    if not result.events:
        return Markup("")
    rows = [[f"{number(one.at_s)} s", one.text] for one in sorted(result.events, key=lambda one: one.at_s)]
    return join([tag("h3", "Events"), table(["at", "what"], rows, words=2)])


def machine(result: Result) -> Markup:
    """Where it ran, and what generator and target used of it."""
    here, target = result.machine, result.target
    rows = [
        ["system", here.system or NOT_MEASURED],
        ["Python", here.python or NOT_MEASURED],
        ["CPUs", whole(here.cpus) if here.cpus else NOT_MEASURED],
        ["load average before the run", number(here.load_before)],
        ["busiest process of the generator", f"{number(result.generator_cpu)} of a core"],
    ]
    if target is None:
        return join([table(["", "value"], rows, words=2), missing(f"what the target used: {NEEDS_TARGET}.")])
    each = target.bytes_per_connection
    rows += [
        ["processes of the target", ", ".join(str(pid) for pid in target.pids) or NOT_MEASURED],
        ["CPU of the target", f"{number(target.cpu_s)} s"],
        ["memory before the first connection", _memory(target.rss_start_bytes)],
        ["memory with all connections", _memory(target.rss_connected_bytes)],
        ["memory, most", _memory(target.rss_max_bytes)],
        ["memory per connection", NOT_MEASURED if each is None else octets(each)],
    ]
    return table(["", "value"], rows, words=2)


def _memory(found: int) -> str:
    """No process has none."""
    return octets(found) if found else NOT_MEASURED
