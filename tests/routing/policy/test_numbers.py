"""Recipients under a policy: one spelling for each, lengths their country has, countries and blacklists."""

import pytest
from ruled import judged, message, reason, screen_of

from config.policy import Policy
from protocol.status import Status
from routing.policy.numbers import country_code_of, listed_number, zone_of


@pytest.mark.parametrize(
    ("written", "country_code", "number"),
    [
        ("8613800138000", "", "8613800138000"),
        ("008613800138000", "", "8613800138000"),
        ("+86 138 0013 8000", "", "8613800138000"),
        ("13800138000", "86", "8613800138000"),
        ("013800138000", "86", "8613800138000"),
        ("86013800138000", "", "8613800138000"),
        ("34612345678", "", "34612345678"),
        ("612345678", "34", "34612345678"),
        ("+44 (0)7911 123456", "", "447911123456"),
        ("+39 06 1234 5678", "", "390612345678"),
        ("+1 212 555 1234", "", "12125551234"),
        ("85251234567", "", "85251234567"),
    ],
)
def test_every_spelling_of_a_number_becomes_one(written: str, country_code: str, number: str) -> None:
    one = message(to=written)
    assert screen_of(country_code=country_code).check(one) is None
    assert (one.destination, one.dest_ton) == (number, 1)
    assert listed_number(written, country_code) == number, "lists must hold what messages are addressed by"


@pytest.mark.parametrize(
    "written",
    [
        *("8613800", "86138001380001", "8622222", "4912", "34612", "3461234567890123", "12345678", "+999123456789"),
        *("0", "abc", "", "+", "86138x0138000", "٨٦١٣٨٠٠١٣٨٠٠٠"),
    ],
)
def test_what_no_country_has_is_refused(written: str) -> None:
    found, _ = judged(Policy(), to=written)
    assert found == "invalid_number"
    assert listed_number(written, "") == ""


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("8613800138000", ""),
        ("34612345678", ""),
        ("12125551234", "country"),
        ("85251234567", "country"),
        ("4915112345678", "country"),
    ],
)
def test_only_countries_of_the_policy_are_sent_to(number: str, found: str) -> None:
    assert judged(Policy(countries=["86", "34"]), to=number)[0] == found


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("8613800138000", "blacklisted"),
        ("008613800138000", "blacklisted"),
        ("86013800138000", "blacklisted"),
        ("8613800138001", ""),
        ("8617012345678", "blacklisted"),
        ("8617112345678", ""),
        ("+44 (0)7911 123456", "blacklisted"),
    ],
)
def test_the_blacklist_holds_numbers_and_prefixes_however_they_are_written(number: str, found: str) -> None:
    assert judged(Policy(blacklist=["8613800138000", "86170*", "447911123456"]), to=number)[0] == found


def test_a_number_that_is_refused_says_so_by_its_field_and_status() -> None:
    refusal = screen_of().check(message(to="12"))
    assert refusal is not None
    assert (refusal.field, refusal.status, refusal.rule) == ("to", Status.RINVDSTADR, "number")
    country = screen_of(Policy(countries=["34"])).check(message())
    assert country is not None
    assert (country.field, country.status, country.rule) == ("to", Status.RINVDSTADR, "countries")


@pytest.mark.parametrize(("number", "code"), [("8613800138000", "86"), ("12125551234", "1"), ("35312345678", "353"), ("x", "")])
def test_a_country_is_found_by_the_codes_there_are(number: str, code: str) -> None:
    assert country_code_of(number) == code


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        *(("86", "Asia/Shanghai"), ("44", "Europe/London"), ("34", "Europe/Madrid"), ("49", "Europe/Berlin")),
        *(("52", "America/Mexico_City"), ("54", "America/Argentina/Buenos_Aires"), ("1", None), ("7", None), ("", None)),
    ],
)
def test_a_country_has_the_zone_its_people_live_in(code: str, zone: str | None) -> None:
    found = zone_of(code)
    assert (None if found is None else found.key) == zone


def test_a_number_in_local_form_is_of_the_only_country_of_the_policy() -> None:
    assert screen_of(Policy(countries=["86"])).home_code == "86"
    assert screen_of(Policy(countries=["86"]), country_code="34").home_code == "34"
    assert screen_of(Policy(countries=["86", "34"])).home_code == ""


def test_without_policy_nothing_but_number_and_sender_is_looked_at() -> None:
    from config.schema import Account, Secret
    from routing.policy.screen import Screen

    rules = Screen(Account(system_id="shop", password_hash=Secret("x")))
    assert rules.check(message("【A】【B】 http://x")) is None
    assert rules.guards(message(), 0.0) == ()
    assert reason(rules.check(message(to="x"))) == "invalid_number"
