"""Recipients: E.164, country, time zone."""

from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers

from protocol.address import international
from protocol.errors import ContentError

MAIN_ZONES = {
    "AR": "America/Argentina/Buenos_Aires",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
    "VN": "Asia/Ho_Chi_Minh",
}
"""Of countries with several zones that have one for nearly everybody, by region."""


def normal_number(digits: str, country_code: str) -> str:
    """A destination as E.164 without plus sign; empty when it is none."""
    # The fast way for what nearly everything looks like; `international` does the rest.
    plain = 7 < len(digits) < 16 and digits.isdigit() and digits[0] != "0" and digits.isascii()
    if plain and not country_code and not (digits.startswith("861") and len(digits) != 13):
        return digits
    try:
        return international(digits, country_code).addr
    except ContentError:
        return ""


def country_code_of(number: str) -> str:
    """The country calling code a number begins with; empty when it begins with none, or is no number."""
    if number.startswith("86"):
        return "86"
    return _country_code(number[:3])


@lru_cache(maxsize=1_024)
def _country_code(start: str) -> str:
    if not (start.isascii() and start.isdigit()):
        return ""
    for size in (1, 2, 3):
        if phonenumbers.region_code_for_country_code(int(start[:size] or "0")) != "ZZ":
            return start[:size]
    return ""


def one_spelling(number: str) -> str:
    """The only E.164 spelling of a number, so that no list or cap sees two recipients in one: a trunk zero after the country
    code (44 0 7911 ...) is taken out. Empty when its country has no numbers of its length.
    """
    if number.startswith("861"):  # mobiles, whose length `normal_number` knows
        return number
    return _one_spelling(number)


@lru_cache(maxsize=65_536)
def _one_spelling(number: str) -> str:
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return ""
    return f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


def listed_number(digits: str, country_code: str) -> str:
    """A number as lists of recipients hold it, which is how messages to it are addressed; empty when it is none."""
    number = normal_number(digits, country_code)
    return one_spelling(number) if number else ""


def subscriber_number(digits: str, home_code: str, *, is_international: bool) -> str:
    """The same for whom a carrier names; carriers call bare Chinese numbers international, too."""
    digits = digits.removeprefix("+")
    if is_international and not (home_code == "86" and len(digits) == 11 and digits[0] == "1"):
        digits = f"+{digits}"
    return listed_number(digits, home_code)


@lru_cache(maxsize=512)
def zone_of(country_code: str) -> ZoneInfo | None:
    """The zone of a country that has one, or nearly all of whose people live in one; None for others, or unknown."""
    region = phonenumbers.region_code_for_country_code(int(country_code or "0"))
    if region in MAIN_ZONES:
        return ZoneInfo(MAIN_ZONES[region])
    zones = _zones().get(region, [])
    return ZoneInfo(zones[0]) if len(zones) == 1 else None


@lru_cache(maxsize=1)
def _zones() -> dict[str, list[str]]:
    """Zones by country, of the tz database's table."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            region, _, zone = line.split("\t")[:3]
            found.setdefault(region, []).append(zone)
    return found
