"""The sender's name in full-width brackets, 【...】: one pair, where the rule wants it, of a length carriers file."""

from typing import NamedTuple

from config.policy import Signature
from routing.policy.verdict import Refusal
from routing.policy.words import visible

OPEN, CLOSE = "【", "】"


class Found(NamedTuple):
    """The signature of a text; position is head, tail, middle, or empty when there is none. `pairs` counts brackets."""

    name: str
    position: str
    pairs: int


def find(text: str) -> Found:
    """What a text is signed with."""
    start, end = text.find(OPEN), text.find(CLOSE)
    if start < 0 or end < start:
        return Found("", "", 0)
    pairs = max(text.count(OPEN), text.count(CLOSE))
    name = text[start + 1 : end]
    if start == 0:
        return Found(name, "head", pairs)
    return Found(name, "tail" if text.rstrip().endswith(CLOSE) and pairs == 1 else "middle", pairs)


class SignatureRule:
    """Compiled for one policy."""

    def __init__(self, rule: Signature) -> None:
        self._rule = rule
        self._own = rule.text if not rule.text or rule.text.startswith(OPEN) else f"{OPEN}{rule.text}{CLOSE}"
        self._right = self._own if self._own and self._wrong(find(self._own + " ")) is None else ""
        """Most texts begin with it, and then need no closer look."""

    def apply(self, text: str, brand: str = "") -> str | Refusal:
        """The text, signed; or why it may not be sent. `brand` signs where the policy has no text of its own."""
        rule, right = self._rule, self._right
        if right and text.startswith(right) and text.find(OPEN, 1) < 0 and text.find(CLOSE, len(right)) < 0:
            return text
        found = find(text)
        if not found.position:
            if OPEN in text or CLOSE in text:
                return Refusal("signature", "signature", f"{OPEN} and {CLOSE} must be a pair")
            if rule.mode != "add":
                return Refusal("signature", "signature", f"begin with {OPEN}your brand{CLOSE}")
            own = self._own or (f"{OPEN}{brand}{CLOSE}" if brand else "")
            if not own:
                return Refusal("signature", "signature", "nothing to sign with: set signature.text, or a brand")
            signed = text + own if rule.position == "tail" else own + text
            refusal = self._wrong(find(signed))  # a brand is the sender's to say
            return signed if refusal is None else refusal
        refusal = self._wrong(found)
        return text if refusal is None else refusal

    def _wrong(self, found: Found) -> Refusal | None:
        """What is wrong with a signature."""
        rule = self._rule
        if found.pairs != 1:
            return Refusal("signature", "signature", f"{found.pairs} pairs of {OPEN}{CLOSE}, one is allowed")
        if rule.position not in ("any", found.position) or found.position == "middle":
            return Refusal("signature", "signature", f"it stands at the {found.position}, it must at the {rule.position}")
        size = len(found.name if found.name.isalnum() else visible(found.name))
        if not rule.length_min <= size <= rule.length_max:
            allowed = f"{rule.length_min} to {rule.length_max}"
            return Refusal("signature", "signature", f"{size} characters, {allowed} are allowed")
        return None
