"""Keywords and patterns that no text may hold.

They are looked for in the plain form of a text: compatibility forms are folded (full-width letters, circled digits), case too,
blanks and what cannot be seen are taken out; so a word cannot hide behind them. Thousands of words cost what ten do
(Aho-Corasick), and no pattern can take longer than the text is long (re2).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import ahocorasick_rs
import re2

from config.policy import Keywords
from routing.policy.verdict import Refusal

_INVISIBLE = (
    "\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
_HIDDEN = re.compile(f"[{_INVISIBLE}]+")
SHOWN = 40


class BadPatternError(ValueError):
    """A pattern re2 does not know; the text says which and why."""


def plain(text: str) -> str:
    """What a text says, without what only changes how it looks."""
    if text.isascii():
        return "".join(text.split()).lower()
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


class Words:
    """Compiled for one policy. Raises BadPatternError."""

    def __init__(self, rule: Keywords, words: Iterable[str] = ()) -> None:
        wanted = sorted({plain(one) for one in (*rule.words, *words)} - {""})
        self._words: Sequence[str] = wanted
        self._finder = ahocorasick_rs.AhoCorasick(wanted) if wanted else None
        self._pattern = None
        self._classes = frozenset(rule.classes)
        if rule.patterns:
            self._pattern = re2.compile("|".join(f"(?:{_checked(one)})" for one in rule.patterns))

    def __bool__(self) -> bool:
        return self._finder is not None or self._pattern is not None

    def applies(self, class_: str) -> bool:
        """Whether texts of this class are looked at."""
        return not self._classes or class_ in self._classes

    def check(self, looked_at: str) -> Refusal | None:
        """Why a text may not be sent, by its plain form."""
        if self._finder is not None:
            found = self._finder.find_matches_as_indexes(looked_at)
            if found:
                return Refusal("keyword", "keywords", f"it says {self._words[found[0][0]][:SHOWN]!r}")
        if self._pattern is not None and (match := self._pattern.search(looked_at)) is not None:
            return Refusal("keyword", "keywords", f"it says {match.group(0)[:SHOWN]!r}")
        return None


def _checked(pattern: str) -> str:
    """Patterns meet plain texts: lower case, no blanks."""
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise BadPatternError(f"{pattern!r}: {error}") from None
    return f"(?i){pattern}"
