"""Recipients: E.164, country, time zone."""

from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers

from protocol.address import international
from protocol.errors import ContentError

UTC = "UTC"


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
    """The country calling code a number begins with; empty when it begins with none."""
    if number.startswith("86"):
        return "86"
    return _country_code(number[:3])


@lru_cache(maxsize=1_024)
def _country_code(start: str) -> str:
    for size in (1, 2, 3):
        if phonenumbers.region_code_for_country_code(int(start[:size] or "0")) != "ZZ":
            return start[:size]
    return ""


def possible(number: str) -> bool:
    """Whether its length is one its country has; for numbers beyond China, whose rules `normal_number` knows."""
    return number.startswith("86") or _possible(number)


@lru_cache(maxsize=65_536)
def _possible(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(parsed))


@lru_cache(maxsize=512)
def zone_of(country_code: str) -> ZoneInfo | None:
    """The zone of a country that has one; None for one with several, or unknown."""
    region = phonenumbers.region_code_for_country_code(int(country_code or "0"))
    zones = _zones().get(region, [])
    return ZoneInfo(zones[0]) if len(zones) == 1 or region == "CN" else None  # China's second zone is nobody's official one


@lru_cache(maxsize=1)
def _zones() -> dict[str, list[str]]:
    """Zones by country, of the tz database's table."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            region, _, zone = line.split("\t")[:3]
            found.setdefault(region, []).append(zone)
    return found
