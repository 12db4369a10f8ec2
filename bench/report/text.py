"""A result in the terminal at the end of a run, and as plain lines for pipes and logs.

Every text is a `rich.text.Text`: as a string, a name in square brackets would be taken for a style.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.measure.result import Result
from bench.report.numbers import NOT_MEASURED, clean, milliseconds, share, whole
from bench.report.words import State, account, ledger, named, plan_sentence, sums, tiles, value_or_reason, verdict

_STYLES: dict[State, str] = {
    "held": "bold green",
    "open": "bold yellow",
    "broken": "bold red",
    "stopped": "bold yellow",
    "unfinished": "bold red",
}
_LATENCIES = (
    ("answer p50", "accept", "p50_ms"),
    ("answer p99", "accept", "p99_ms"),
    ("answer max", "accept", "max_ms"),
    ("carrier p50", "carrier", "p50_ms"),
    ("carrier p99", "carrier", "p99_ms"),
    ("receipt p50", "receipt", "p50_ms"),
    ("receipt p99", "receipt", "p99_ms"),
)


def summary(result: Result) -> RenderableType:
    """Verdict, figures by class, the ledger, and what must be known besides."""
    said = verdict(result)
    lines: list[RenderableType] = [Text(said.title, _STYLES[said.state])]
    lines += [Text(f"  {clean(reason)}") for reason in said.reasons]
    lines += [Text(f"  {clean(one)}", "red") for one in said.bad]
    lines += [_classes(result), Text(_ledger(result))]
    lines += [Text(f"! {clean(doubt)}", "yellow") for doubt in said.doubts]
    return Group(*lines)


def _classes(result: Result) -> Table:
    """A column each, for classes are few and a terminal is narrow."""
    found = named(result)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    for one in found:
        table.add_column(Text(clean(one.name)), justify="right", overflow="fold")
    rows = [("  " * line.depth + line.word, [whole(line.count(one.counts)) for one in found]) for line in account(result)]
    rows += [
        (line.word, [whole(getattr(result.ledger if one is result.total else one, line.word)) for one in found])
        for line in ledger(result)
        if line.word in ("lost", "duplicated") and line.value
    ]
    for title, which, field in _LATENCIES:
        values = [getattr(getattr(one, which), field) for one in found]
        if any(value is not None for value in values):
            rows.append((title, ["–" if value is None else milliseconds(value) for value in values]))
    for title, values in (
        ("within 10 s, of accepted", [one.sla_10s for one in found]),
        ("within 10 s, of due", [result.sla_10s_due(one) for one in found]),
    ):
        if any(value is not None for value in values):
            rows.append((title, ["–" if value is None else share(value) for value in values]))
    for title, cells in rows:
        table.add_row(title, *(Text(cell) for cell in cells))
    return table


def _ledger(result: Result) -> str:
    lines = ledger(result)
    known = ", ".join(f"{line.word} {whole(line.value)}" for line in lines if line.value is not None)
    missing: dict[str, list[str]] = {}
    for line in lines:
        if line.value is None:
            missing.setdefault(line.why, []).append(line.word)
    return "; ".join([known, *(f"{', '.join(words)} {NOT_MEASURED} ({why})" for why, words in missing.items())])


def plain(result: Result) -> str:
    """The same without colour and table: one fact a line, name first."""
    return "".join(f"{clean(line)}\n" for line in _facts(result))


def _facts(result: Result) -> Iterator[str]:
    said = verdict(result)
    yield f"verdict: {said.title}"
    yield from (f"reason: {reason}" for reason in said.reasons)
    yield from (f"bad: {one}" for one in said.bad)
    yield from (f"warning: {doubt}" for doubt in said.doubts)
    yield f"plan: {plan_sentence(result.plan)}"
    yield from (f"account: {one}" for one in sums(result))
    yield from (f"{one.name}: {value_or_reason(one.value, one.note)}" for one in tiles(result))
    for one in result.classes:
        counts = ", ".join(f"{line.word} {whole(line.count(one.counts))}" for line in account(result))
        found = (one.accept.p50_ms, one.accept.p99_ms, one.receipt.p99_ms)
        answer, slow, receipt = (NOT_MEASURED if value is None else milliseconds(value) for value in found)
        within, of_due = (NOT_MEASURED if value is None else share(value) for value in (one.sla_10s, result.sla_10s_due(one)))
        yield (
            f"class {one.name}: {counts}, answer p50 {answer}, p99 {slow}, receipt p99 {receipt}, "
            f"within 10 s {within} of accepted, {of_due} of due"
        )
    yield f"ledger: {_ledger(result)}"
    yield from (f"error {name}: {whole(count)}" for name, count in sorted(result.errors.items(), key=lambda pair: -pair[1]))
