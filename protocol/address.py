"""Numbers and sender names to SMPP addresses: type of number, numbering plan, characters (SMPP 3.4 section 5.2.5)."""

from typing import NamedTuple

from protocol.errors import ContentError

TON_UNKNOWN, TON_INTERNATIONAL, TON_ALPHANUMERIC = 0, 1, 5
NPI_UNKNOWN, NPI_ISDN = 0, 1
_SEPARATORS = str.maketrans("", "", " -().\t")
E164_MAX = 15
ADDRESS_MAX = 20
ALPHANUMERIC_MAX = 11


class Address(NamedTuple):
    """`addr` without a plus sign: TON 1 says it (5.0 section 4.2.6.1.1)."""

    ton: int
    npi: int
    addr: str


def international(raw: str, country_code: str = "") -> Address:
    """A subscriber's number as E.164.

    `+` and `00` mark the international form; without them a number that does not begin with `country_code` gets it.
    Raises ContentError when it cannot be a number.
    """
    digits = raw.translate(_SEPARATORS)
    marked = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
    if not (digits.isascii() and digits.isdigit()):
        raise ContentError("a number has digits, separators and a leading + only")
    if country_code and not marked and not digits.startswith(country_code):
        digits = country_code + digits
    if not 5 <= len(digits) <= E164_MAX:
        raise ContentError(f"{len(digits)} digits, an E.164 number has 5 to {E164_MAX}")
    if digits.startswith("86") and digits[2:3] == "1" and len(digits) != 13:
        raise ContentError(f"{len(digits) - 2} digits after 86, a Chinese mobile number has 11")
    return Address(TON_INTERNATIONAL, NPI_ISDN, digits)


def sender(raw: str) -> Address:
    """A sender id: a number, a short code or 1069 port (TON unknown), or a name of at most 11 characters.

    Raises ContentError when it fits none of them.
    """
    if raw.startswith("+") and raw[1:].isdigit():
        return international(raw)
    if raw.isascii() and raw.isdigit():
        if len(raw) > ADDRESS_MAX:
            raise ContentError(f"{len(raw)} digits, an address has at most {ADDRESS_MAX}")
        return Address(TON_UNKNOWN, NPI_ISDN, raw)
    if len(raw) > ALPHANUMERIC_MAX or not raw.isascii():
        raise ContentError(f"a sender name has at most {ALPHANUMERIC_MAX} ASCII characters")
    return Address(TON_ALPHANUMERIC, NPI_UNKNOWN, raw)
