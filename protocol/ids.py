"""Carriers' message ids: the response and the receipt may spell the same id differently (base, case, padding).

Only a rule per channel can tell ("12345" may be decimal or hexadecimal). Both spellings are brought to one canonical form,
each by the rule of the side it came from, and the forms are compared. Integers are unbounded: real ids exceed 2^63.
"""

from typing import Literal, TypeAlias

ID_MAX = 64
"""Characters of a message_id (SMPP 3.4 section 5.2.23); a TLV could hold so many digits that int() refuses them."""

IdRule: TypeAlias = Literal["opaque", "opaque-nocase", "dec", "hex"]


def canonical_id(spelling: str, rule: IdRule) -> str:
    """The canonical form; an id that is no number under a number rule is kept as it is."""
    spelling = spelling.strip()
    if rule == "opaque":
        return spelling
    if rule == "opaque-nocase":
        return spelling.lower()
    digits = "0123456789" if rule == "dec" else "0123456789abcdefABCDEF"
    # int() would also take signs, blanks and underscores.
    if 0 < len(spelling) <= ID_MAX and not spelling.strip(digits):
        return str(int(spelling, 10 if rule == "dec" else 16))
    return spelling
