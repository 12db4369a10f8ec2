"""Which channel takes which message: first route, weights, room, what was tried, parts that belong together."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Channel, Route, RouteChannel, Secret
from routing.plan import WAIT, Health, plan, waits_for
from routing.records import Message, PartOf
from routing.routes import RouteTable


def route(*channels: tuple[str, int], **match: list[str]) -> Route:
    return Route(channels=[RouteChannel(name=name, weight=weight) for name, weight in channels], **match)  # type: ignore[arg-type]


def message(number: int = 1, **fields: object) -> Message:
    return Message(**{"id": number, "account": "shop", "destination": "8613800138000", **fields})  # type: ignore[arg-type]


def health(**rooms: int | None) -> dict[str, Health]:
    """Room by channel; None is down."""
    return {name: Health(name, room is not None, room or 0) for name, room in rooms.items()}


TWO = RouteTable([route(("a", 3), ("b", 1))])


def choose(one: Message, table: RouteTable = TWO, **rooms: int | None) -> str | None:
    return plan([one], table, health(**(rooms or {"a": 10, "b": 10})), {})[0]


@pytest.mark.parametrize("ids", [range(4_000), range(0, 4_000 << 22, 1 << 22), range(0, 4_000 * 7919, 7919)])
def test_many_ids_are_spread_by_the_weights(ids: range) -> None:
    chosen = Counter(plan([message(number) for number in ids], TWO, health(a=9_999, b=9_999), {}))
    assert abs(chosen["a"] / 4_000 - 0.75) < 0.05
    assert chosen.total() == 4_000 == chosen["a"] + chosen["b"]


def test_the_same_id_gets_the_same_channel_again() -> None:
    assert {choose(message(77)) for _ in range(10)} == {choose(message(77))}


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_every_id_finds_a_channel_with_a_weight(number: int, weights: list[int]) -> None:
    table = RouteTable([route(("zero", 0), *((f"c{at}", weight) for at, weight in enumerate(weights)))])
    chosen = choose(message(number), table, zero=1, **{f"c{at}": 1 for at in range(len(weights))})
    assert chosen is not None
    assert chosen.startswith("c")


def test_the_first_route_that_matches_counts() -> None:
    table = RouteTable(
        [
            route(("codes", 1), classes=["verification"], prefixes=["86", "852"]),
            route(("vip", 1), accounts=["bank"]),
            route(("rest", 1)),
        ]
    )
    up = {"codes": 1, "vip": 1, "rest": 1}
    assert choose(message(class_="verification"), table, **up) == "codes"
    assert choose(message(class_="verification", destination="85251234567"), table, **up) == "codes"
    assert choose(message(class_="verification", destination="4912345678"), table, **up) == "rest"
    assert choose(message(account="bank"), table, **up) == "vip"
    assert choose(message(account="bank", class_="verification"), table, **up) == "codes"
    assert choose(message(), table, **up) == "rest"


def test_no_route_is_no_channel() -> None:
    assert choose(message(), RouteTable([])) is None
    assert choose(message(), RouteTable([route(("a", 1), prefixes=["49"])])) is None
    assert choose(message(), RouteTable([route(("a", 0))])) is None


def test_a_channel_that_is_down_full_or_unknown_is_passed_over() -> None:
    for number in range(50):
        assert choose(message(number), a=None, b=1) == "b"
        assert choose(message(number), a=0, b=1) == "b"
        assert choose(message(number), b=1) == "b"
        assert choose(message(number), a=-5, b=1) == "b"


def test_a_message_whose_channels_are_all_busy_waits() -> None:
    assert choose(message(), a=None, b=0) == WAIT


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 80))
def test_no_channel_gets_more_than_its_room(room_a: int, room_b: int, count: int) -> None:
    chosen = Counter(plan([message(number) for number in range(count)], TWO, health(a=room_a, b=room_b), {}))
    assert chosen["a"] <= room_a
    assert chosen["b"] <= room_b
    assert chosen["a"] + chosen["b"] == min(count, room_a + room_b)
    assert chosen[WAIT] == max(0, count - room_a - room_b)


def test_a_channel_that_refused_for_good_is_never_chosen_again() -> None:
    for number in range(50):
        assert choose(message(number, tried=("a",), tries=1, channel="a")) == "b"
    assert choose(message(tried=("a",), tries=1, channel="a"), a=10, b=0) == WAIT
    assert choose(message(tried=("a", "b"), tries=2, channel="b")) is None


def test_a_message_that_was_tried_goes_to_another_channel_first_and_back_when_there_is_none() -> None:
    for number in range(50):
        assert choose(message(number, tries=1, channel="a")) == "b"
        assert choose(message(number, tries=1, channel="b")) == "a"
    assert choose(message(tries=1, channel="a"), a=1, b=None) == "a"


def test_parts_that_the_sender_cut_stay_together() -> None:
    parts = [message(number, part_of=PartOf("group", 40, number + 1)) for number in range(40)]
    pins: dict[str, str] = {}
    (pinned,) = set(plan(parts[:20], TWO, health(a=100, b=100), pins))
    assert pinned is not None
    other = "b" if pinned == "a" else "a"
    assert set(plan(parts[20:30], TWO, health(**{pinned: 100, other: 100}), pins)) == {pinned}
    assert set(plan(parts[30:], TWO, health(**{pinned: None, other: 100}), pins)) == {WAIT}
    assert choose(message(part_of=PartOf("another", 2, 1)), **{pinned: None, other: 100}) == other


def test_a_pin_to_a_channel_that_left_the_route_binds_nobody() -> None:
    part = message(part_of=PartOf("group", 2, 2))
    assert plan([part], TWO, health(a=1, b=1), {"group": "gone"})[0] in ("a", "b")


def test_an_alternative_is_another_channel_of_the_route_that_did_not_refuse() -> None:
    assert TWO.alternatives(message(), "a")
    assert not TWO.alternatives(message(tried=("b",)), "a")
    assert not RouteTable([route(("a", 1), ("b", 0))]).alternatives(message(), "a")


# -- by quality


def scored(**scores: tuple[float, bool]) -> dict[str, Health]:
    """Channels with room; (score, trusted)."""
    return {name: Health(name, True, 1 << 40, score, trusted) for name, (score, trusted) in scores.items()}


def shares(class_: str, states: dict[str, Health], table: RouteTable = TWO) -> Counter[str | None]:
    batch = [message(number << 22, class_=class_) for number in range(1, 8_001)]
    return Counter(plan(batch, table, states, {}))


EVEN = RouteTable([route(("a", 1), ("b", 1))])


def test_codes_keep_away_from_a_channel_that_is_not_nearly_the_best() -> None:
    assert shares("verification", scored(a=(95, True), b=(70, True)), EVEN) == {"a": 8_000}
    close = shares("verification", scored(a=(95, True), b=(90, True)), EVEN)
    assert close["b"] > 3_000


def test_others_go_there_less_by_its_score() -> None:
    found = shares("marketing", scored(a=(100, True), b=(50, True)), EVEN)
    assert found["b"] / 8_000 == pytest.approx(1 / 3, abs=0.02)


def test_a_channel_that_is_not_trusted_is_tried_by_one_in_twenty_and_never_by_codes() -> None:
    states = scored(a=(95, True), b=(5, False))
    assert shares("verification", states, EVEN) == {"a": 8_000}
    assert shares("notification", states, EVEN)["b"] / 8_000 == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("class_", ["verification", "marketing"])
def test_when_no_channel_is_trusted_the_best_of_them_serves(class_: str) -> None:
    found = shares(class_, scored(a=(25, False), b=(5, False)), EVEN)
    assert found.total() == 8_000
    assert None not in found
    assert WAIT not in found


def test_equal_scores_leave_the_weights_alone() -> None:
    low = shares("marketing", scored(a=(60, True), b=(60, True)))
    full = shares("marketing", scored(a=(100, True), b=(100, True)))
    assert low == full


# -- by operator, sender, tag


@pytest.mark.parametrize(
    ("match", "fields", "fits"),
    [
        ({"operators": ["cn-mobile"]}, {"destination": "8613800138000"}, True),
        ({"operators": ["cn-mobile"]}, {"destination": "8613012345678"}, False),
        ({"operators": ["cn-mobile"]}, {"destination": "4915112345678"}, False),
        ({"virtual": True}, {"destination": "8617012345678"}, True),
        ({"virtual": True}, {"destination": "8613800138000"}, False),
        ({"virtual": False}, {"destination": "8617012345678"}, False),
        ({"virtual": False}, {"destination": "8613800138000"}, True),
        ({"sources": ["1069*", "Bank"]}, {"source": "10690001"}, True),
        ({"sources": ["1069*", "Bank"]}, {"source": "Bank"}, True),
        ({"sources": ["1069*", "Bank"]}, {"source": "Banker"}, False),
        ({"tags": ["spring", "vip"]}, {"tags": ("vip",)}, True),
        ({"tags": ["spring", "vip"]}, {"tags": ()}, False),
    ],
)
def test_a_route_may_ask_for_operator_sender_and_tag(match: dict[str, Any], fields: dict[str, Any], fits: bool) -> None:
    table = RouteTable([route(("wanted", 1), **match), route(("rest", 1))])
    assert choose(message(**fields), table, wanted=9, rest=9) == ("wanted" if fits else "rest")


def full(name: str, **fields: Any) -> Health:
    return Health(name, True, 0, **fields)


@pytest.mark.parametrize("class_", ["verification", "notification", "marketing"])
def test_what_is_not_trusted_gets_no_more_because_the_others_are_full(class_: str) -> None:
    """Else a carrier that throttles sends its codes to one that swallows them."""
    states = {"a": full("a"), "b": Health("b", True, 1 << 40, 10, trusted=False)}
    found = shares(class_, states, EVEN)
    probes = 0.0 if class_ == "verification" else 0.05
    assert found["b"] / 8_000 == pytest.approx(probes, abs=0.01)
    assert found[WAIT] == 8_000 - found["b"]
    assert waits_for(message(class_=class_), EVEN, states, {}) == ("a",), "and nobody looks at them while b alone has room"


def test_a_message_that_was_tried_goes_back_rather_than_to_a_channel_nobody_trusts() -> None:
    states = scored(a=(100, True), b=(10, False))
    batch = [message(number << 22, class_="verification", tries=1, channel="a") for number in range(1, 101)]
    assert Counter(plan(batch, EVEN, states, {})) == {"a": 100}


def test_a_channel_nobody_trusts_is_for_when_no_other_is_up() -> None:
    states = {"a": Health("a", False, 5), "b": Health("b", True, 1 << 40, 10, trusted=False)}
    assert shares("verification", states, EVEN) == {"b": 8_000}


# -- groups, costs, times, networks


def priced(*channels: dict[str, object], **match: object) -> RouteTable:
    return RouteTable([Route(channels=[RouteChannel(**one) for one in channels], **match)])  # type: ignore[arg-type]


BACKUP = priced({"name": "a"}, {"name": "b", "group": 2})


@pytest.mark.parametrize("class_", ["verification", "notification", "marketing"])
def test_a_higher_group_is_for_when_no_lower_one_can_be_used(class_: str) -> None:
    assert {one for one, count in shares(class_, scored(a=(90, True), b=(100, True)), BACKUP).items() if count} == {"a"}
    assert choose(message(class_=class_), BACKUP, a=None, b=5) == "b"


def test_a_code_does_not_wait_for_the_preferred_group_and_what_has_time_does() -> None:
    rooms: dict[str, int | None] = {"a": 0, "b": 5}
    assert choose(message(class_="verification"), BACKUP, **rooms) == "b"
    for class_ in ("notification", "marketing"):
        assert choose(message(class_=class_), BACKUP, **rooms) == WAIT
        assert waits_for(message(class_=class_), BACKUP, health(**rooms), {}) == ("a",)
        early = message(class_=class_, tries=1, channel="a")
        assert choose(early, BACKUP, **rooms) == WAIT, "it was only too early"
        assert choose(early, BACKUP, a=1, b=5) == "a"
        assert choose(message(class_=class_, tries=1, refusals=1, channel="a"), BACKUP, **rooms) == "b", "it was refused there"
        assert choose(message(class_=class_, tried=("a",), tries=1, channel="a"), BACKUP, **rooms) == "b"


@pytest.mark.parametrize("class_", ["notification", "marketing"])
def test_a_group_nobody_trusts_gets_a_message_in_twenty(class_: str) -> None:
    found = shares(class_, scored(a=(10, False), b=(90, True)), BACKUP)
    assert found["a"] / 8_000 == pytest.approx(0.05, abs=0.01)
    assert found["b"] == 8_000 - found["a"]


def test_a_code_takes_the_next_group_when_the_first_does_not_deliver_nearly_as_well() -> None:
    assert shares("verification", scored(a=(60, True), b=(100, True)), BACKUP) == {"b": 8_000}


CHEAP = priced({"name": "a", "cost": 50_000}, {"name": "b", "cost": 30_000}, {"name": "c", "cost": 30_000})


def test_campaigns_go_where_it_is_cheapest_among_those_that_deliver() -> None:
    found = shares("marketing", scored(a=(100, True), b=(90, True), c=(90, True)), CHEAP)
    assert set(found) == {"b", "c"}
    assert shares("marketing", scored(a=(100, True), b=(40, True), c=(40, True)), CHEAP) == {"a": 8_000}
    assert choose(message(class_="marketing"), CHEAP, a=1, b=0, c=0) == "a", "it does not wait for a cheap one"


def test_notices_and_codes_do_not_look_at_the_price() -> None:
    for class_ in ("notification", "verification"):
        assert set(shares(class_, scored(a=(100, True), b=(100, True), c=(100, True)), CHEAP)) == {"a", "b", "c"}


def test_what_a_route_says_of_a_price_counts_before_what_the_channel_says() -> None:
    channels = [
        Channel(name=name, host="h", port=1, system_id="s", password=Secret(""), cost=cost)
        for name, cost in (("a", 7), ("b", 9))
    ]
    table = RouteTable([Route(channels=[RouteChannel(name="a"), RouteChannel(name="b", cost=5)])], channels)
    assert [table.cost(message(), name) for name in ("a", "b", "c")] == [7, 5, 0]
    assert table.priced


def timed(**seconds: float) -> dict[str, Health]:
    return {name: Health(name, True, 1 << 40, expected_s=one) for name, one in seconds.items()}


def test_codes_prefer_what_delivers_sooner_and_others_do_not() -> None:
    found = shares("verification", timed(a=1.0, b=4.0), EVEN)
    assert found["b"] / 8_000 == pytest.approx(1 / 17, abs=0.01)
    assert shares("notification", timed(a=1.0, b=4.0), EVEN)["b"] > 3_500


def test_a_channel_of_which_no_times_are_known_is_not_kept_from_codes() -> None:
    assert shares("verification", timed(a=1.0, b=0.0), EVEN)["b"] > 3_500


def test_a_channel_that_is_bad_on_one_network_is_left_out_there_alone() -> None:
    states = {"a": Health("a", True, 1 << 40, 90, scores={"virtual": 20}), "b": Health("b", True, 1 << 40, 90)}
    batch = [message(number << 22, class_="verification", operator="virtual") for number in range(1, 1_001)]
    assert Counter(plan(batch, EVEN, states, {})) == {"b": 1_000}
    batch = [message(number << 22, class_="verification", operator="mobile") for number in range(1, 1_001)]
    assert Counter(plan(batch, EVEN, states, {}))["a"] > 400


def test_why_says_what_told_the_channels_apart_and_nothing_when_weights_did() -> None:
    one = message(class_="marketing")
    plan([one], TWO, health(a=5, b=5), {})
    assert one.why == ""
    plan([one], TWO, health(a=None, b=5), {})
    assert one.why == "a is down; b: score 100"
    plan([one], CHEAP, {**scored(a=(100, True), b=(90, True)), "c": Health("c", True, 0)}, {})
    assert one.why == "a: score 100, cost 50000, passed over; b: score 90, cost 30000; c: score 100, cost 30000, full"
    code = message(class_="verification")
    states = scored(a=(100, True), b=(12, False))
    states["a"].expected_s = 2.0
    plan([code], TWO, states, {})
    assert code.why == "a: score 100, 2 s; b: score 12, not trusted, passed over"


def test_a_weight_set_by_hand_counts_instead_of_the_routes() -> None:
    table = RouteTable([route(("a", 3), ("b", 1))])
    table.weigh({"a": 0})
    assert choose(message(), table) == "b"
    table.weigh({"a": 1, "b": 9})
    assert shares("notification", scored(a=(100, True), b=(100, True)), table)["b"] / 8_000 == pytest.approx(0.9, abs=0.02)
    table.weigh({})
    assert shares("notification", scored(a=(100, True), b=(100, True)), table)["b"] / 8_000 == pytest.approx(0.25, abs=0.02)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_route_of_some_hours_is_there_at_these_alone() -> None:
    night = Route(channels=[RouteChannel(name="a")], hours=["22:00-24:00", "00:00-06:00"], timezone="Asia/Shanghai")
    table = RouteTable([night, route(("b", 1))])
    at = {
        "2026-03-02T21:59:59+08:00": "b",
        "2026-03-02T22:00:00+08:00": "a",
        "2026-03-03T00:00:00+08:00": "a",
        "2026-03-03T05:59:00+08:00": "a",
        "2026-03-03T06:00:00+08:00": "b",
    }
    for text, name in at.items():
        table.look(utc(text))
        assert choose(message(), table) == name, text


def test_that_a_route_has_come_or_gone_is_told_once() -> None:
    table = RouteTable([Route(channels=[RouteChannel(name="a")], weekdays=["mon"]), route(("b", 1))])
    assert not table.look(utc("2026-03-02T00:00:00+00:00")), "a Monday: it is there from the start"
    assert table.look(utc("2026-03-03T00:00:00+00:00"))
    assert not table.look(utc("2026-03-03T00:00:30+00:00"))
    assert not table.look(utc("2026-03-03T00:01:00+00:00"))
    assert not RouteTable([route(("b", 1))]).look(0.0)


def test_a_route_of_a_country_takes_its_numbers_and_no_neighbours() -> None:
    table = RouteTable([Route(channels=[RouteChannel(name="a")], countries=["1", "34"]), route(("b", 1))])
    found = {number: choose(message(destination=number), table) for number in ("12025550123", "34612345678", "351912345678")}
    assert list(found.values()) == ["a", "a", "b"]
