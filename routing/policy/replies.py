"""Subscribers who want no more, or again: whole words, never inside a sentence."""

import unicodedata
from typing import Literal, TypeAlias

from config.policy import OptOut

Wish: TypeAlias = Literal["stop", "start", ""]
REPLY_MAX = 40


def reply_word(text: str) -> str:
    """A reply without what surrounds its word: blanks, punctuation, quotes, control characters; forms and case folded."""
    folded = unicodedata.normalize("NFKC", text[:REPLY_MAX]).casefold()
    start, end = 0, len(folded)
    while start < end and not folded[start].isalnum():
        start += 1
    while end > start and not folded[end - 1].isalnum():
        end -= 1
    return folded[start:end]


class Replies:
    """Compiled for one policy."""

    def __init__(self, rule: OptOut) -> None:
        self._stop = frozenset(reply_word(one) for one in rule.stop) if rule.enabled else frozenset()
        self._start = frozenset(reply_word(one) for one in rule.start) if rule.enabled else frozenset()
        self.confirmation = rule.confirmation

    def wish(self, text: str) -> Wish:
        """What a subscriber's message asks for; empty: it is a message."""
        if len(text) > REPLY_MAX:
            return ""
        word = reply_word(text)
        if word in self._stop:
            return "stop"
        return "start" if word in self._start else ""
