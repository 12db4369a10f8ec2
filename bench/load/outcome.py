"""What is left of a run: report.html, result.json, latency.hlog, a summary, and the exit code."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
from rich.console import Console

from bench.measure.asserting import judge
from bench.measure.figures import Figure, figures
from bench.measure.result import Result, write_result
from bench.report.html import render
from bench.report.text import plain, summary

OK, FAILED, BROKEN = 0, 1, 3


def fail(why: str, code: int) -> NoReturn:
    """One line on stderr, and out."""
    print(f"tensec bench: {why}", file=sys.stderr)
    sys.exit(code)


def folder_for(name: str) -> Path:
    """Where files go when nobody says where."""
    return Path("bench-results") / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{name}"


def deliver(
    result: Result,
    log: str,
    assertions: list[str],
    out: Path,
    console: Console,
    *,
    as_json: bool = False,
    more: Sequence[Figure] = (),
) -> int:
    """Judge, write, tell. Gives the exit code: 0, 1 when the run did not go through, 3 when an assertion is broken.

    `more` are figures of loads before, which assertions may ask about.
    """
    result.assertions = judge(assertions, [*more, *figures(result)])
    out.mkdir(parents=True, exist_ok=True)
    write_result(result, out / "result.json")
    (out / "latency.hlog").write_text(log)
    (out / "report.html").write_text(render(result), encoding="utf-8")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        sys.stdout.buffer.flush()
    if console.is_terminal:
        console.print(summary(result))
    else:
        console.print(plain(result), soft_wrap=True, markup=False, highlight=False)
    console.print(f"report    {out / 'report.html'}", soft_wrap=True)
    if result.failure:
        return FAILED
    return OK if result.held else BROKEN
