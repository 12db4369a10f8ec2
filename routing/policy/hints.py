"""How a recipient opts out, said in the text of a campaign."""

import re
import unicodedata

from config.policy import OptOutHint
from routing.policy.verdict import Refusal
from routing.policy.words import plain


class HintRule:
    """Compiled for one policy. Words of letters stand alone: the TD of "outdoor" is no hint."""

    def __init__(self, rule: OptOutHint) -> None:
        self._rule = rule
        self._signs = tuple(plain(one) for one in rule.words if not one.isascii())
        letters = "|".join(re.escape(" ".join(one.split()).casefold()) for one in rule.words if one.isascii() and one.strip())
        self._joined = tuple(plain(one) for one in rule.words if one.isascii() and one.strip())
        self._letters = re.compile(f"(?<![a-z0-9])(?:{letters})(?![a-z0-9])") if letters else None
        tail = rule.text
        self._tail = tail if not tail or tail[0] in " ,，。;；" or not tail[0].isascii() else f" {tail}"

    def apply(self, text: str, said: str) -> str | Refusal:
        """The text with the hint; or why it may not be sent. `said`: its plain form."""
        if any(word in said for word in self._signs):
            return text
        if self._letters is not None and any(word in said for word in self._joined):
            folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
            if self._letters.search(folded.casefold()):
                return text
        if self._rule.mode == "add":
            return text + self._tail
        return Refusal("opt_out_hint", "opt_out_hint", f"say how to opt out, such as {self._rule.text!r}")
