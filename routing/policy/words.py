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
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\x00-\x1f\x7f-\x9f\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_INVISIBLE}]+")
SHOWN = 40


class BadPatternError(ValueError):
    """A pattern re2 does not know; the text says which and why."""


def plain(text: str) -> str:
    """What a text says, without what only changes how it looks."""
    if text.isascii() and text.isprintable():
        return text.replace(" ", "").lower()
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


def visible(text: str) -> str:
    """A text without blanks and what cannot be seen; its characters as they are."""
    return _HIDDEN.sub("", text)


class Words:
    """Compiled for one policy. Raises BadPatternError."""

    def __init__(self, rule: Keywords, words: Iterable[str] = ()) -> None:
        wanted = sorted({plain(one) for one in (*rule.words, *words)} - {""})
        self._words: Sequence[str] = wanted
        self._finder = ahocorasick_rs.AhoCorasick(wanted) if wanted else None
        self._patterns = _compiled(rule.patterns)

    def __bool__(self) -> bool:
        return self._finder is not None or bool(self._patterns)

    def check(self, looked_at: str) -> Refusal | None:
        """Why a text may not be sent, by its plain form."""
        if self._finder is not None:
            found = self._finder.find_matches_as_indexes(looked_at)
            if found:
                return Refusal("keyword", "keywords", f"it says {self._words[found[0][0]][:SHOWN]!r}")
        for pattern in self._patterns:
            if (match := pattern.search(looked_at)) is not None:
                return Refusal("keyword", "keywords", f"it says {match.group(0)[:SHOWN]!r}")
        return None


def _compiled(patterns: Sequence[str]) -> "list[re2._Regexp]":
    """All in one, for the time of one; each alone where they do not go together (group names, size). Case does not matter."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    alone = []
    for one in patterns:
        try:
            alone.append(re2.compile(one, options))
        except re2.error as error:
            raise BadPatternError(f"{one!r}: {error}") from None
    try:
        return [re2.compile("|".join(f"(?:{one})" for one in patterns), options)] if len(alone) > 1 else alone
    except re2.error:
        return alone
