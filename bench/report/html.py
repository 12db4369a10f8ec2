"""The report of a run as one HTML file that needs nothing else: no network, no script, no picture beside it.

It is read from the top: the verdict with its reasons, what was asked for, the figures everybody asks for, then charts, then
every figure there is. The policy in its head keeps a browser from fetching anything, should a name ever get past the escaping.
"""

from importlib import resources

from bench.measure.result import Result
from bench.report import tables
from bench.report.markup import Markup, join, tag
from bench.report.numbers import NOT_MEASURED, clean, seconds
from bench.report.pictures import Picture, pictures
from bench.report.words import Tile, plan_sentence, tiles, verdict

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(result: Result) -> str:
    """The whole page."""
    said = verdict(result)
    title = f"Load run of {clean(result.started_utc)}: {said.title.lower()}"
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", title),
        tag("style", Markup(resources.files("bench.report").joinpath("page.css").read_text(encoding="utf-8"))),
    )
    body = tag("body", tag("main", _top(result), _tiles(result), _account(result), _charts(result), *_tables(result)))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _top(result: Result) -> Markup:
    said = verdict(result)
    spans = f"Sending took {seconds(result.took_s)}, then late answers and receipts had {seconds(result.drained_s)}."
    bad = [tag("ul", *(tag("li", one) for one in said.bad), class_="bad")] if said.bad else []
    doubts = [tag("h2", "To know beside it"), _list(said.doubts)] if said.doubts else []
    return tag(
        "header",
        tag("p", f"Load run, {result.started_utc}", class_="kicker"),
        tag("h1", said.title),
        _list(said.reasons),
        *bad,
        *doubts,
        tag("p", f"{plan_sentence(result.plan)} {spans}", class_="plan"),
        class_=f"verdict {said.state}",
    )


def _list(lines: list[str]) -> Markup:
    return tag("ul", *(tag("li", line) for line in lines))


def _tiles(result: Result) -> Markup:
    return tag("section", tag("h2", "Key figures"), tag("dl", *(_tile(one) for one in tiles(result)), class_="tiles"))


def _tile(one: Tile) -> Markup:
    value = tag("dd", NOT_MEASURED, class_="none") if one.value is None else tag("dd", one.value, class_="value")
    note = [tag("dd", one.note, class_="note")] if one.note else []
    return tag("div", tag("dt", one.name), value, *note, class_="tile alarm" if one.alarm else "tile")


def _account(result: Result) -> Markup:
    return tag("section", tag("h2", "Every message"), tables.everything(result))


def _charts(result: Result) -> Markup:
    return tag("section", tag("h2", "Charts"), tag("div", *(_chart(one) for one in pictures(result)), class_="charts"))


def _chart(one: Picture) -> Markup:
    title = tag("figcaption", one.title)
    if one.drawing is None:
        return tag("figure", title, tables.missing(f"{one.note}."))
    note = [tag("p", one.note, class_="note")] if one.note else []
    return tag("figure", title, tag("div", one.drawing, class_="scroll"), *note)


def _tables(result: Result) -> list[Markup]:
    named = {
        "By class": tables.by_class(result),
        "Assertions": tables.assertions(result),
        "What became of the messages": tables.reconciliation(result),
        "Channels": tables.channels(result),
        "Errors": join([tables.errors(result), tables.events(result)]),
        "Machine": tables.machine(result),
    }
    return [tag("section", tag("h2", title), content) for title, content in named.items()]
