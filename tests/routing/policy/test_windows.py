"""When messages may be sent, on the recipient's clock: every preset, calendars, clock changes, edges."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ruled import TO, judged, message, screen_of

from config import presets
from config.policy import Policy, Window
from routing.policy.windows import WindowRule
from routing.records import Message, MessageState

CHINA = ZoneInfo("Asia/Shanghai")
SPAIN, LONDON, USA = "34612345678", "447911123456", "12125551234"


def at(text: str, zone: str = "Asia/Shanghai") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def opening(when: str, number: str = TO, zone: str = "Asia/Shanghai", **window: Any) -> tuple[str, str] | None:
    """(start, end) of what is open next, on the wall clock of `zone`."""
    found = WindowRule(Window(**window)).opening(number, at(when, zone))
    if found is None:
        return None
    start, end = (datetime.fromtimestamp(one, UTC).astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") for one in found)
    return start, end


# 2026-11-23 is a Monday, -28 a Saturday.
@pytest.mark.parametrize(
    ("preset", "when", "start", "end"),
    [
        ("retail", "2026-11-23 09:00", "11-23 09:30", "11-23 11:00"),
        ("retail", "2026-11-23 10:00", "11-23 09:30", "11-23 11:00"),
        ("retail", "2026-11-23 12:15", "11-23 16:00", "11-23 18:00"),
        ("retail", "2026-11-23 18:00", "11-24 09:30", "11-24 11:00"),
        ("education", "2026-11-27 12:00", "11-27 18:30", "11-27 20:30"),
        ("education", "2026-11-28 12:00", "11-28 17:30", "11-28 19:30"),
        ("services", "2026-11-23 11:00", "11-28 10:00", "11-28 12:00"),
        ("services", "2026-11-28 12:00", "11-29 10:00", "11-29 12:00"),
        ("finance", "2026-11-23 16:00", "11-23 15:00", "11-23 17:00"),
        ("finance", "2026-11-27 17:00", "12-04 15:00", "12-04 17:00"),
        ("evening", "2026-11-23 22:00", "11-24 19:00", "11-24 22:00"),
        ("commute", "2026-11-23 10:00", "11-23 20:00", "11-23 21:30"),
        ("daytime", "2026-11-23 07:59", "11-23 08:00", "11-23 21:00"),
    ],
)
def test_presets_open_when_they_say(preset: str, when: str, start: str, end: str) -> None:
    assert opening(when, preset=preset) == (start, end)


def test_every_preset_is_looked_at_above() -> None:
    assert set(presets.windows()) == {"retail", "education", "services", "finance", "evening", "commute", "daytime"}


def test_what_stands_beside_a_preset_counts_instead() -> None:
    """Also where it is what a window without preset would be: every day, holidays ignored, no days of the month."""
    assert opening("2026-11-23 12:00", preset="retail", intervals=["12:00-13:00"]) == ("11-23 12:00", "11-23 13:00")
    assert opening("2026-11-28 16:00", preset="finance", weekdays=["sat"], month_days_closed=[]) == (
        "11-28 15:00",
        "11-28 17:00",
    )
    every_day = {"weekdays": [], "holidays": "ignored", "month_days_closed": []}
    assert opening("2026-10-01 16:00", preset="finance", **every_day) == ("10-01 15:00", "10-01 17:00")


@pytest.mark.parametrize(
    ("when", "closed", "start"),
    [
        ("2028-02-29 12:00", [-1], "03-01 10:00"),
        ("2028-02-28 12:00", [-2], "02-29 10:00"),
        ("2027-02-28 12:00", [-1], "03-01 10:00"),
        ("2026-12-31 12:00", [31, 1], "01-02 10:00"),
        ("2026-11-30 12:00", [30, 1, 2, 3], "12-04 10:00"),
        ("2026-04-30 12:00", [31], "04-30 10:00"),
    ],
)
def test_days_of_the_month_are_counted_from_both_ends(when: str, closed: list[int], start: str) -> None:
    found = opening(when, intervals=["10:00-18:00"], month_days_closed=closed)
    assert found is not None
    assert found[0] == start


@pytest.mark.parametrize(
    ("when", "how", "start"),
    [
        ("2026-10-01 12:00", "ignored", "10-01 10:00"),
        ("2026-10-01 12:00", "closed", "10-04 14:00"),  # a Sunday between
        ("2026-10-01 12:00", "as_weekend", "10-01 14:00"),
        ("2026-02-14 12:00", "closed", "02-14 10:00"),  # a Saturday that is worked
        ("2026-02-14 12:00", "ignored", "02-14 14:00"),
        ("2026-02-13 12:00", "closed", "02-13 10:00"),
    ],
)
def test_holidays_and_days_worked_instead(when: str, how: str, start: str) -> None:
    found = opening(when, intervals=["10:00-13:00"], weekend=["14:00-15:00"], holidays=how)
    assert found is not None
    assert found[0] == start


def test_own_holidays_are_closed_or_like_a_weekend() -> None:
    days = {"intervals": ["10:00-13:00"], "weekend": ["14:00-15:00"], "holidays_extra": ["2026-11-24"]}
    assert opening("2026-11-24 11:00", **days) == ("11-25 10:00", "11-25 13:00")
    assert opening("2026-11-24 11:00", holidays="as_weekend", **days) == ("11-24 14:00", "11-24 15:00")


def test_an_empty_weekend_is_closed() -> None:
    assert opening("2026-11-28 11:00", intervals=["10:00-13:00"], weekend=[]) == ("11-30 10:00", "11-30 13:00")


@pytest.mark.parametrize(
    ("number", "when", "start"),
    [
        (TO, "2026-11-23 00:00", "2026-11-23 00:00"),
        (SPAIN, "2026-11-23 06:59", "2026-11-23 07:00"),
        (LONDON, "2026-11-23 07:59", "2026-11-23 08:00"),
        (USA, "2026-11-23 07:59", "2026-11-23 08:00"),  # several zones, none for nearly all: UTC
    ],
)
def test_it_is_the_recipients_morning(number: str, when: str, start: str) -> None:
    found = WindowRule(Window(preset="daytime")).opening(number, at(when, "UTC"))
    assert found is not None
    assert found.start_utc == at(start, "UTC")


def test_a_zone_of_the_window_counts_for_everybody() -> None:
    rule = WindowRule(Window(intervals=["08:00-21:00"], timezone="America/New_York"))
    assert {rule.opening(number, at("2026-11-23 12:00", "UTC")) for number in (TO, SPAIN, USA)} == {
        (at("2026-11-23 13:00", "UTC"), at("2026-11-24 02:00", "UTC"))
    }


MADRID = "Europe/Madrid"  # 2027-03-28 02:00 is 03:00, 2027-10-31 03:00 is 02:00


@pytest.mark.parametrize(
    ("when", "interval", "expected"),
    [
        ("2027-03-28 00:00", "01:00-04:00", ("2027-03-28 00:00", "2027-03-28 02:00")),
        ("2027-03-28 00:00", "02:30-05:00", ("2027-03-28 01:30", "2027-03-28 03:00")),
        ("2027-03-28 00:00", "02:15-02:45", ("2027-03-28 01:15", "2027-03-28 01:45")),
        ("2027-10-31 00:00", "01:00-04:00", ("2027-10-30 23:00", "2027-10-31 03:00")),
        ("2027-10-31 00:00", "02:30-05:00", ("2027-10-31 00:30", "2027-10-31 04:00")),
    ],
)
def test_clock_changes_move_what_they_skip_and_take_the_first_of_two(when: str, interval: str, expected: Any) -> None:
    found = WindowRule(Window(intervals=[interval])).opening(SPAIN, at(when, MADRID))
    assert found == tuple(at(one, "UTC") for one in expected)


def test_an_interval_that_a_clock_change_turns_round_is_no_opening() -> None:
    assert opening("2027-03-28 00:00", SPAIN, MADRID, intervals=["02:30-03:15"]) == ("03-29 02:30", "03-29 03:15")


def test_two_intervals_over_midnight_are_one_opening() -> None:
    night = {"intervals": ["00:00-02:00", "22:00-24:00"]}
    assert opening("2026-11-23 23:00", **night) == ("11-23 22:00", "11-24 02:00")
    assert opening("2026-11-24 00:00", **night) == ("11-24 00:00", "11-24 02:00")
    assert opening("2026-11-24 02:00", **night) == ("11-24 22:00", "11-25 02:00")
    assert opening("2026-11-27 23:00", weekdays=["fri"], **night) == ("11-27 22:00", "11-28 00:00")
    assert opening("2026-11-23 11:00", intervals=["10:00-12:00", "11:30-14:00"]) == ("11-23 10:00", "11-23 14:00")


def test_an_edge_belongs_to_what_follows() -> None:
    rule = WindowRule(Window(intervals=["10:00-11:00"]))
    start, end = at("2026-11-23 10:00"), at("2026-11-23 11:00")
    assert rule.opening(TO, start) == (start, end)
    assert rule.opening(TO, end - 0.001) == (start, end)
    assert rule.opening(TO, end) == (start + 86_400, end + 86_400)


def test_one_that_does_not_open_within_forty_days_never_does() -> None:
    never = Window(intervals=["10:00-11:00"], month_days_closed=list(range(1, 32)))
    assert WindowRule(never).opening(TO, at("2026-11-23 10:00")) is None
    assert judged(Policy(windows=[never]), class_="marketing")[0] == "quiet_hours"


def test_answers_are_kept_for_the_minute_and_not_for_ever() -> None:
    rule = WindowRule(Window(preset="daytime"))
    for minute in range(6_000):
        rule.opening(TO, minute * 60.0)
    assert len(rule._openings) <= 4_096


# -- what becomes of messages


def judged_at(when: str, one: Message, **window: Any) -> str:
    refusal = screen_of(Policy(windows=[Window(**{"classes": ["marketing"], **window})])).check(one, at(when))
    return "" if refusal is None else f"{refusal.reason} {refusal.rule} {refusal.status:#x} {refusal.field}"


def campaign(when: str, validity_s: float = 86_400, **fields: Any) -> Message:
    utc = at(when)
    return message(class_="marketing", **{"arrival_utc": utc, "expires_utc": utc + validity_s, **fields})


def test_in_its_window_a_message_goes_at_once_and_no_carrier_may_be_later() -> None:
    one = campaign("2026-11-23 10:00")
    assert judged_at("2026-11-23 10:00", one, preset="retail") == ""
    assert (one.state, one.not_before_utc, one.window_end_utc) == (MessageState.QUEUED, 0.0, at("2026-11-23 11:00"))


def test_before_it_a_message_waits_and_keeps_its_validity() -> None:
    one = campaign("2026-11-23 12:00", 86_400)
    assert judged_at("2026-11-23 12:00", one, preset="retail") == ""
    assert (one.state, one.not_before_utc, one.due_utc) == (MessageState.SCHEDULED, at("2026-11-23 16:00"), one.not_before_utc)
    assert one.expires_utc == at("2026-11-24 16:00")
    assert one.window_end_utc == at("2026-11-23 18:00")


def test_a_validity_that_its_sender_gave_stays_what_it_is() -> None:
    one = campaign("2026-11-23 12:00", 5 * 3_600)
    assert judged_at("2026-11-23 12:00", one, preset="retail") == ""
    assert one.expires_utc == at("2026-11-23 17:00")
    late = campaign("2026-11-23 12:00", 3_600)
    assert judged_at("2026-11-23 12:00", late, preset="retail") == "quiet_hours windows 0x61 send_at"


def test_a_window_may_refuse_instead() -> None:
    assert judged_at("2026-11-23 12:00", campaign("2026-11-23 12:00"), preset="retail", closed="refuse") != ""
    assert judged_at("2026-11-23 10:00", campaign("2026-11-23 10:00"), preset="retail", closed="refuse") == ""


def test_the_moment_a_sender_asked_for_is_what_counts() -> None:
    due = at("2026-11-24 03:00")
    one = campaign("2026-11-23 10:00", state=MessageState.SCHEDULED, due_utc=due, not_before_utc=due, expires_utc=due + 86_400)
    assert judged_at("2026-11-23 10:00", one, preset="retail") == ""
    assert one.not_before_utc == at("2026-11-24 09:30")
    again = campaign("2026-11-23 10:00", state=MessageState.SCHEDULED, due_utc=due, not_before_utc=due)
    assert judged_at("2026-11-23 10:00", again, preset="retail", closed="refuse") != ""


def test_the_first_window_that_matches_counts_and_others_see_no_window() -> None:
    windows = [
        Window(preset="evening", industries=["games"], purposes=["promotion"]),
        Window(preset="retail", classes=["marketing"]),
    ]
    rules = screen_of(Policy(windows=windows))
    found = []
    for fields in ({"industry": "games", "purpose": "promotion"}, {"industry": "games"}, {}, {"class_": "verification"}):
        one = message(**{"class_": "marketing", "expires_utc": at("2026-11-30 12:00"), **fields})
        assert rules.check(one, at("2026-11-23 12:00")) is None
        found.append(datetime.fromtimestamp(one.not_before_utc, CHINA).hour if one.not_before_utc else None)
    assert found == [19, 16, 16, None]


def test_a_message_that_missed_its_window_goes_in_the_next_one_if_it_lives_so_long() -> None:
    rules = screen_of(Policy(windows=[Window(preset="retail")]))
    one = campaign("2026-11-23 10:00", 86_400)
    fields = rules.later(one, at("2026-11-23 11:00"))
    assert fields == {
        "not_before_utc": at("2026-11-23 16:00"),
        "due_utc": at("2026-11-23 16:00"),
        "window_end_utc": at("2026-11-23 18:00"),
        "expires_utc": at("2026-11-24 16:00"),
    }
    assert rules.later(campaign("2026-11-23 10:00", 2 * 3_600), at("2026-11-23 11:00")) is None


def test_a_message_whose_window_was_taken_out_of_the_rules_goes_at_once() -> None:
    utc = at("2026-11-23 11:00")
    fields = screen_of(Policy()).later(campaign("2026-11-23 10:00", window_end_utc=utc), utc)
    assert fields is not None
    assert (fields["not_before_utc"], fields["window_end_utc"]) == (utc, 0.0)
