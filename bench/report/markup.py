"""Tags of HTML and SVG: what is text is escaped, what is markup has a type of its own.

`Markup` is a string that was built here. Everything else given as content is taken for text from outside.
"""

import html
from collections.abc import Iterable

from bench.report.numbers import clean


class Markup(str):
    """Text that is already safe to write."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Text as content or attribute."""
    return text if isinstance(text, Markup) else Markup(html.escape(clean(text)))


def join(parts: Iterable[str]) -> Markup:
    """One after the other."""
    return Markup("".join(escape(part) for part in parts))


def tag(name: str, *content: str, **attributes: str | float) -> Markup:
    """An element. `class_` is class, `text_anchor` is text-anchor; numbers are rounded to what a screen can show."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
