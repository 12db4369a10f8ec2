"""How carriers spell message ids: one number, many spellings, and not always the same in response and receipt."""

from collections.abc import Callable
from typing import Literal

IdFormat = Literal["dec", "hex", "HEX", "hex8", "dec10", "uuid"]
DlrIdFormat = Literal["same", "dec", "hex", "HEX", "hex8", "dec10", "uuid", "upper", "lower", "nozero"]

Speller = Callable[[int], str]


def _uuid(number: int) -> str:
    return f"{number >> 32 & 0xFFFFFFFF:08x}-{number >> 16 & 0xFFFF:04x}-4{number >> 4 & 0xFFF:03x}-8000-{number:012x}"


SPELLERS: dict[str, Speller] = {
    "dec": "%d".__mod__,
    "hex": "%x".__mod__,
    "HEX": "%X".__mod__,
    "hex8": "%08X".__mod__,
    "dec10": "%010d".__mod__,
    "uuid": _uuid,
}
_RESPELLERS: dict[str, Callable[[str], str]] = {
    "same": str,
    "upper": str.upper,
    "lower": str.lower,
    "nozero": lambda spelled: spelled.lstrip("0") or "0",
}


def spellers(response: IdFormat, receipt: DlrIdFormat) -> tuple[Speller, Callable[[int, str], str]]:
    """(the id in the response, the id in the receipt given the number and its spelling in the response)."""
    again = _RESPELLERS.get(receipt)
    if again is not None:
        respell = again  # a plain name: mypy does not narrow a captured one
        return SPELLERS[response], lambda _number, spelled: respell(spelled)
    spell = SPELLERS[receipt]
    return SPELLERS[response], lambda number, _spelled: spell(number)
