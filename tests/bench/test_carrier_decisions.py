"""What the carrier decides, without sockets: the same seed gives the same fates."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.carrier.behaviour import Behaviour, TokenBucket, receipt_wanted
from bench.carrier.ids import SPELLERS
from bench.carrier.latency import Latency, parse_duration
from bench.carrier.ledger import Entry, Ledger
from bench.carrier.options import Options, Refusal, StatMix
from bench.carrier.receipts import Writer
from bench.carrier.rules import content_faults
from bench.carrier.wheel import HALF_A_SLOT_S, SLOTS_PER_S, Wheel
from bench.processes import ChildError
from protocol import receipt
from protocol.pdu import SubmitSm
from protocol.receipt import MessageState

milliseconds = st.integers(0, 100_000).map(lambda number: number / 1000)
latencies = st.one_of(
    st.builds(Latency, st.sampled_from(["fixed", "exp"]), milliseconds),
    st.builds(lambda a, b: Latency("uniform", min(a, b), max(a, b)), milliseconds, milliseconds),
    st.builds(Latency, st.just("normal"), milliseconds, milliseconds),
    st.builds(Latency, st.just("lognormal"), milliseconds, st.sampled_from([0.1, 0.6, 1.5])),
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("20ms", Latency("fixed", 0.02)),
        ("0", Latency("fixed", 0.0)),
        ("1.5", Latency("fixed", 1.5)),
        ("250us", Latency("fixed", 0.00025)),
        ("2m", Latency("fixed", 120)),
        ("uniform:5ms-50ms", Latency("uniform", 0.005, 0.05)),
        ("normal:2s,500ms", Latency("normal", 2, 0.5)),
        ("lognormal:800ms,0.6", Latency("lognormal", 0.8, 0.6)),
        ("exp:200ms", Latency("exp", 0.2)),
    ],
)
def test_latency_specs(spec, expected):
    assert Latency.parse(spec) == expected


@pytest.mark.parametrize(
    "spec", ["", "ms", "-5ms", "20 parsecs", "uniform:5ms", "uniform:2s-1s", "normal:2s", "gamma:1s", "exp:"]
)
def test_latency_specs_that_mean_nothing(spec):
    with pytest.raises(ValueError):
        Latency.parse(spec)


@given(latencies)
def test_a_latency_prints_as_its_spec(latency):
    again = Latency.parse(str(latency))
    assert again.kind == latency.kind
    assert (again.a, again.b) == pytest.approx((latency.a, latency.b), abs=1e-3, rel=1e-4)


@given(latencies, st.integers())
def test_latencies_are_never_negative_and_follow_the_seed(latency, seed):
    first, second = Random(seed), Random(seed)
    drawn = [latency.draw(first) for _ in range(20)]
    assert drawn == [latency.draw(second) for _ in range(20)]
    assert min(drawn) >= 0
    if latency.kind == "uniform":
        assert latency.a <= min(drawn) <= max(drawn) <= latency.b


@given(st.integers(0, 10_000_000), st.sampled_from(["us", "ms", "s", "m"]))
def test_durations_scale(number, unit):
    assert parse_duration(f"{number}{unit}") == pytest.approx(number * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit])


MIXED = {
    "resp_latency": Latency("exp", 0.2),
    "dlr_latency": Latency("lognormal", 0.8, 0.6),
    "loss": 0.2,
    "queue_full_share": 0.1,
    "dlr_loss": 0.3,
    "dlr_late_share": 0.1,
    "stat_mix": StatMix.parse("DELIVRD=6,UNDELIV=3,EXPIRED=1"),
    "refuse": (Refusal.parse("^86170=0x0B"),),
    "rate": 50.0,
}
numbers = st.lists(st.integers(86130_00000000, 86199_99999999).map(str), max_size=60)


def fates(options, destinations):
    behaviour = Behaviour(options)
    return [behaviour.decide(destination, 1, at / 100) for at, destination in enumerate(destinations)]


@given(st.integers(), numbers)
def test_the_same_seed_gives_the_same_fates(seed, destinations):
    assert fates(Options(seed=seed, **MIXED), destinations) == fates(Options(seed=seed, **MIXED), destinations)


@given(st.integers())
def test_a_switch_does_not_disturb_what_another_one_draws(seed):
    destinations = ["8613800000001"] * 30
    plain = fates(Options(seed=seed, stat_mix=MIXED["stat_mix"]), destinations)
    delayed = fates(Options(seed=seed, stat_mix=MIXED["stat_mix"], resp_latency=Latency("exp", 1), dlr_loss=0.5), destinations)
    assert [(p.message_id, p.state) for p in plain] == [(p.message_id, p.state) for p in delayed]


@given(st.integers(), numbers)
def test_every_submit_has_one_fate(seed, destinations):
    for destination, plan in zip(destinations, fates(Options(seed=seed, **MIXED), destinations), strict=True):
        if destination.startswith("86170"):
            assert plan.status == 0x0B
        if plan.status:
            assert plan.resp_delay is not None
            assert plan.status in (0x0B, 0x14, 0x58)
        assert bool(plan.message_id) == (plan.status == 0 and plan.resp_delay is not None)
        assert plan.wants_receipt <= bool(plan.message_id)


def test_shares_come_out():
    plans = fates(Options(seed=1, loss=0.25, dlr_loss=0.5, stat_mix=StatMix.parse("DELIVRD=3,UNDELIV=1")), ["1"] * 4000)
    accepted = [plan for plan in plans if plan.resp_delay is not None]
    assert len(accepted) == pytest.approx(3000, rel=0.05)
    assert sum(plan.loses_receipt for plan in accepted) == pytest.approx(1500, rel=0.1)
    assert sum(plan.state is MessageState.DELIVERED for plan in accepted) == pytest.approx(2250, rel=0.05)
    assert len({plan.message_id for plan in accepted}) == len(accepted)


def test_without_a_seed_runs_differ():
    first, second = fates(Options(), ["1"]), fates(Options(), ["1"])
    assert first[0].message_id != second[0].message_id


@given(st.integers(1, 1000), st.integers(1, 50), st.lists(st.floats(0, 0.5), max_size=200))
def test_a_bucket_lets_through_its_rate_and_no_more(rate, burst, gaps):
    bucket, now, passed = TokenBucket(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now)
    assert passed <= burst + rate * now + 1e-6


@pytest.mark.parametrize(
    ("registered", "state", "wanted"),
    [
        (0, MessageState.DELIVERED, False),
        (1, MessageState.DELIVERED, True),
        (1, MessageState.EXPIRED, True),
        (2, MessageState.DELIVERED, False),
        (2, MessageState.UNDELIVERABLE, True),
        (3, MessageState.DELIVERED, True),
        (3, MessageState.UNDELIVERABLE, False),
        (0x10, MessageState.DELIVERED, False),
        (0x11, MessageState.DELIVERED, True),
    ],
)
def test_registered_delivery(registered, state, wanted):
    assert receipt_wanted(registered, state) is wanted


@pytest.mark.parametrize(
    ("response", "again", "number", "spelled", "respelled"),
    [
        ("dec", "same", 255, "255", "255"),
        ("dec", "hex", 255, "255", "ff"),
        ("hex", "dec", 255, "ff", "255"),
        ("HEX", "lower", 255, "FF", "ff"),
        ("hex8", "nozero", 0xFF, "000000FF", "FF"),
        ("hex8", "dec10", 0xFF, "000000FF", "0000000255"),
        ("hex", "upper", 0xABC, "abc", "ABC"),
        ("uuid", "same", 1, "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000001"),
    ],
)
def test_id_spellings(response, again, number, spelled, respelled):
    plan = Behaviour(Options(id_format=response, dlr_id_format=again, first_id=number)).decide("1", 1, 0.0)
    assert (plan.message_id, plan.receipt_id) == (spelled, respelled)


@given(st.lists(st.integers(0, 1 << 31), unique=True, min_size=2, max_size=50), st.sampled_from(sorted(SPELLERS)))
def test_different_numbers_never_share_a_spelling(numbers, form):
    assert len({SPELLERS[form](number) for number in numbers}) == len(numbers)


@pytest.mark.parametrize("spec", ["^86170", "(=0x0B", "^1=ESME_NOPE", "^1="])
def test_refusals_that_mean_nothing(spec):
    with pytest.raises(ValueError):
        Refusal.parse(spec)


@pytest.mark.parametrize("spec", ["DELIVERED=1", "DELIVRD=-1,UNDELIV=2", "DELIVRD=0", "", "DELIVRD=x"])
def test_mixes_that_mean_nothing(spec):
    with pytest.raises(ValueError):
        StatMix.parse(spec)


def test_a_refusal_names_its_status():
    assert Refusal.parse("a=b=ESME_RTHROTTLED").status == Refusal.parse("a=b=0x58").status == Refusal.parse("a=b=88").status
    assert Refusal.parse("a=b=rthrottled").pattern.pattern == "a=b"


@given(st.lists(st.tuples(st.floats(0, 10), st.integers()), max_size=80), st.lists(st.floats(0, 12), max_size=10))
def test_the_wheel_loses_nothing_and_is_early_by_half_a_slot_at_most(jobs, looks):
    wheel = Wheel()
    for when, name in jobs:
        wheel.add(when, lambda *_: None, when, name)
    found = []
    for now in [*sorted(looks), 20.0]:
        turn = [(when, name) for _, when, name in wheel.due(now)]
        assert all(when <= now + HALF_A_SLOT_S for when, _ in turn)
        found += turn
        assert wheel.next_at is None or wheel.next_at > now
    assert sorted(found) == sorted(jobs)
    slots = [int((when + HALF_A_SLOT_S) * SLOTS_PER_S) for when, _ in found]
    assert slots == sorted(slots)


def entry(**fields):
    known = {
        "n": 1,
        "connection": 1,
        "system_id": "a",
        "command": 4,
        "sequence": 1,
        "received": 1_790_000_000.0,
        "tlvs": True,
        "source_ton": 0,
        "source_npi": 1,
        "source": "10690000",
        "dest_ton": 1,
        "dest_npi": 1,
        "destination": "8613800000001",
        "esm_class": 0,
        "data_coding": 0,
        "registered_delivery": 1,
        "octets": b"hello".hex(),
        "reference": None,
        "receipt_id": "42",
        "stat": "DELIVRD",
        "state": MessageState.DELIVERED,
    }
    return Entry(**known | fields)


def test_receipts_are_written_as_the_protocol_package_writes_them():
    made = Writer(Options(dlr="both")).receipt(entry(octets=bytes(range(65, 95)).hex()), 1_790_000_100.0)
    stamps = (datetime.fromtimestamp(at, UTC) for at in (1_790_000_000, 1_790_000_100))
    assert (made.short_message, made.tlvs) == receipt.write("42", MessageState.DELIVERED, *stamps, 0, bytes(range(65, 95)))
    assert (made.source_addr, made.destination_addr, made.esm_class) == ("8613800000001", "10690000", 4)


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
def test_receipts_can_be_read(form):
    made = Writer(Options(dlr=form)).receipt(entry(reference=7, stat="EXPIRED", state=MessageState.EXPIRED), 1_790_000_100.0)
    read = receipt.parse(made.esm_class, made.short_message, made.tlvs)
    assert (read.id, read.state) == ("42", MessageState.EXPIRED)
    assert ((0x0204, b"\0\x07") in made.tlvs) == (form != "text")


def test_old_peers_get_no_tlvs():
    assert Writer(Options(dlr="both")).receipt(entry(tlvs=False), 1_790_000_100.0).tlvs == ()


def test_the_ledger_finds_recent_ids(monkeypatch):
    monkeypatch.setattr("bench.carrier.ledger.REMEMBERED", 10)
    ledger = Ledger(None)
    for number in range(100):
        ledger.add(entry(n=number, id=str(number)))
    assert ledger.find("99").n == 99
    assert ledger.find("95").n == 95
    assert ledger.find("1") is None
    assert 5 <= len(ledger.recent()) <= 11


SAR = ((0x020C, b"\0\1"), (0x020E, b"\2"), (0x020F, b"\1"))


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"short_message": b"hi"}, []),
        ({"short_message": b"\0h", "data_coding": 8}, []),
        ({"short_message": b"\0hi", "data_coding": 8}, ["odd UCS-2 length"]),
        ({"short_message": b"\5\0\3\1\2\1\0h", "data_coding": 8, "esm_class": 0x40}, []),
        ({"short_message": b"\5\0\3\1\2\1h", "esm_class": 0x40, "tlvs": SAR}, ["UDHI and SAR TLVs together"]),
        ({"short_message": b"\5\0", "esm_class": 0x40}, ["UDHI without a user data header"]),
        ({"short_message": b"h", "tlvs": SAR}, []),
        ({"short_message": b"h", "tlvs": SAR[:2]}, ["SAR TLVs incomplete"]),
        ({"tlvs": ((0x0424, b"long"),)}, []),
        ({"short_message": b"h", "tlvs": ((0x0424, b"long"),)}, ["short_message and message_payload together"]),
        ({"short_message": b"h" * 255}, ["sm_length 255"]),
        ({"short_message": b"h", "trailing": b"\0\1"}, ["octets after the last TLV"]),
    ],
)
def test_rules(fields, faults):
    assert content_faults(SubmitSm(destination_addr="1", **fields)) == faults


def test_a_pattern_may_begin_with_a_bracket_and_a_wrong_one_is_said(carrier):
    assert carrier("--refuse", "[5-7]$=0x0B").port
    with pytest.raises(ChildError, match=r"(?s)ended with [12].*unterminated character set"):
        carrier("--refuse", "[5-7=0x0B")
