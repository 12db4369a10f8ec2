"""Subscribers who want no more, or again: whole words, never inside a sentence.

What counts is the reply after normalisation: compatibility forms (full-width letters) and case folded, characters that cannot
be seen taken out wherever they are, blanks at the ends taken off and runs of them inside made one, then everything at the ends
that is neither letter nor digit: punctuation, quotes, brackets, emoji. What is inside stays: "T D" and "T.D" are not TD. Words
of the configuration go the same way; one without letters (an emoji) stays as it is.
"""

import unicodedata
from collections.abc import Iterable
from typing import Literal, TypeAlias

from config.policy import OptOut
from routing.policy.words import visible

Wish: TypeAlias = Literal["stop", "start", ""]
REPLY_MAX = 40
"""Characters of a reply, blanks and what cannot be seen aside; a longer one is a message."""


def reply_word(text: str) -> str:
    """A reply as it is compared; empty when it says nothing, or too much."""
    if len(visible(text)) > REPLY_MAX:
        return ""
    folded = " ".join(filter(None, map(visible, unicodedata.normalize("NFKC", text).casefold().split())))
    start, end = 0, len(folded)
    while start < end and not folded[start].isalnum():
        start += 1
    while end > start and not folded[end - 1].isalnum():
        end -= 1
    return folded[start:end] or folded


def _words(listed: Iterable[str]) -> frozenset[str]:
    return frozenset(map(reply_word, listed)) - {""}


class Replies:
    """Compiled for one policy."""

    def __init__(self, rule: OptOut) -> None:
        self._stop = _words(rule.stop if rule.enabled else ())
        self._start = _words(rule.start if rule.enabled else ())
        self.confirmation = rule.confirmation

    def wish(self, text: str) -> Wish:
        """What a subscriber's message asks for; empty: it is a message."""
        word = reply_word(text)
        if word in self._stop:
            return "stop"
        return "start" if word in self._start else ""
