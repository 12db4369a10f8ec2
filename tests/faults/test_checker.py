"""The checker finds what it is for: hand-made ledgers, each with one thing wrong, and one with nothing."""

import json

import pytest
from checker import Case, Limits, Own, Seen, broken, check, read_ledger
from load_client import Submission, Told

DELIVERED, UNDELIVERABLE, UNKNOWN, ENROUTE = 2, 5, 7, 1


def submission(class_="verification", text="code 1", fate="ok", told=("DELIVRD",), message_id="1"):
    receipts = [Told(stat, message_id, 0, 10.0 + at) for at, stat in enumerate(told)]
    return Submission(
        class_, "861300", text, fate, message_id if fate == "ok" else "", 0x58 if fate == "refused" else 0, receipts
    )


def case(submissions, seen=(), states=None, accepted=None, final=None, limits=None, ended_at=(100.0, 200.0), **own):
    """A case in which the gateway's sums fit its states, unless told otherwise."""
    states = {one.id: DELIVERED for one in submissions if one.fate == "ok"} if states is None else states
    ended = sum(state not in (None, ENROUTE) for state in states.values())
    sums = {"scheduled": 0, "queued": 0, "in_flight": sum(state == ENROUTE for state in states.values())}
    final = {"delivered": ended} if final is None else final
    sums["accepted"] = sum(sums.values()) + ended if accepted is None else accepted
    sums |= {name: value for name, value in own.items() if name in sums}
    return Case(
        list(submissions),
        list(seen),
        Own(sums, final, states, own.get("in_windows", 0), own.get("resident_kb", 1000)),
        limits or Limits(),
        {one.class_: list(ended_at) for one in submissions},
    )


def twice(first, second, **fields):
    """A submission with a receipt in each of two sessions; the first was acknowledged at 10.0."""
    one = submission(told=(first,), **fields)
    one.told.append(Told(second, one.id, 1, 150.0))
    return one


LOST = submission(text="code 2", fate="unanswered", told=())
GOOD = {
    "plain": case([submission()], [Seen("code 1")]),
    "a code twice": case([submission()], [Seen("code 1"), Seen("code 1")]),
    "a failure that was told": case([submission(told=("UNDELIV",))], [], {"1": UNDELIVERABLE}),
    "a refusal": case([submission(fate="refused", told=())]),
    "accepted, and nobody was told": case([submission(fate="unanswered", told=())], accepted=1, final={"delivered": 1}),
    "marketing refused, then taken": case(
        [submission("marketing", "ad 1")], [Seen("ad 1", "refused", "", "none", 0), Seen("ad 1")]
    ),
    "one open, one answer lost": case(
        [submission("marketing", "ad 1", told=())], [], {"1": ENROUTE}, limits=Limits(ambiguous=1)
    ),
    "again after a lost session": case([twice("DELIVRD", "DELIVRD")], [Seen("code 1")], ended_at=(10.5, 200.0)),
    "one recipient, a receipt that fits two": case(
        [submission("marketing", "ad 1"), submission("marketing", "ad 2", told=(), message_id="2")],
        [Seen("ad 1"), Seen("ad 2")],
        {"1": DELIVERED, "2": ENROUTE},
        limits=Limits(ambiguous=1),
    ),
    "a correction": case([twice("UNKNOWN", "DELIVRD")], [Seen("code 1")]),
}

BAD = {
    "an accepted id is unknown": (
        {"I1"},
        case([submission(told=())], [Seen("code 1")], {"1": None}, accepted=1, final={"x": 1}),
    ),
    "the sums lack one": ({"I1"}, case([submission()], [Seen("code 1")], accepted=0, final={})),
    "the sums do not add up": ({"I1"}, case([submission()], [Seen("code 1")], final={"delivered": 0})),
    "one too many": ({"I1"}, case([submission()], [Seen("code 1")], accepted=2, final={"delivered": 2})),
    "ended, nobody was told": ({"I1"}, case([submission(told=())], [Seen("code 1")])),
    "refused and sent": ({"I1"}, case([submission(fate="refused", told=())], [Seen("code 1")])),
    "one id for two": (
        {"I1"},
        case([submission(), submission(text="code 2")], [Seen("code 1"), Seen("code 2")], accepted=2, final={"delivered": 2}),
    ),
    "marketing twice": ({"I2"}, case([submission("marketing", "ad 1")], [Seen("ad 1"), Seen("ad 1", receipt="sent")])),
    "marketing swallowed, then sent again": (
        {"I2"},
        case([submission("marketing", "ad 1")], [Seen("ad 1", "swallowed", "", "none", 0), Seen("ad 1")]),
    ),
    "a code that went nowhere": ({"I3"}, case([submission(told=())], [], {"1": ENROUTE}, limits=Limits(ambiguous=1))),
    "delivered, and no carrier has it": ({"I3", "I4"}, case([submission()])),
    "delivered, and the carrier says otherwise": ({"I4"}, case([submission()], [Seen("code 1", stat="UNDELIV")])),
    "delivered, and the carrier never said so": ({"I4"}, case([submission()], [Seen("code 1", receipt="due", receipt_sent=0)])),
    "two final states": ({"I5"}, case([twice("DELIVRD", "UNDELIV")], [Seen("code 1")], {"1": UNDELIVERABLE})),
    "two corrections": (
        {"I5"},
        case([submission(told=("UNKNOWN", "UNDELIV", "DELIVRD"))], [Seen("code 1")]),
    ),
    "a correction of the carrier's own word": (
        {"I5"},
        case([twice("EXPIRED", "DELIVRD")], [Seen("code 1", stat="EXPIRED"), Seen("code 1")]),
    ),
    "told otherwise than it is": ({"I5"}, case([submission()], [Seen("code 1")], {"1": UNDELIVERABLE})),
    "twice in one session": ({"I5"}, case([submission(told=("DELIVRD", "DELIVRD"))], [Seen("code 1")])),
    "again though acknowledged long before": ({"I5"}, case([twice("DELIVRD", "DELIVRD")], [Seen("code 1")])),
    "a receipt with another id": (
        {"I5"},
        case([Submission("verification", "8", "code 1", "ok", "1", 0, [Told("DELIVRD", "2", 0, 1.0)])], [Seen("code 1")]),
    ),
    "unknown without a cause": (
        {"I6"},
        case([submission("marketing", "ad 1", told=("UNKNOWN",))], [Seen("ad 1", receipt="lost")], {"1": UNKNOWN}),
    ),
    "open without a cause": (
        {"I6"},
        case([submission("marketing", "ad 1", told=())], [Seen("ad 1", receipt="lost")], {"1": ENROUTE}),
    ),
    "still queued": ({"I7"}, case([submission(), LOST], [Seen("code 1")], queued=1, accepted=2, final={"delivered": 1})),
    "still in a window": ({"I7"}, case([submission()], [Seen("code 1")], in_windows=1)),
    "memory": ({"I7"}, case([submission()], [Seen("code 1")], resident_kb=10_000_000)),
    "a receipt forgotten": (
        {"I8"},
        case([submission("marketing", "ad 1", told=())], [Seen("ad 1")], {"1": ENROUTE}, limits=Limits(ambiguous=1)),
    ),
    "one recipient, mixed up": (
        {"I9"},
        case(
            [submission("marketing", "ad 1"), submission("marketing", "ad 2", told=("UNDELIV",), message_id="2")],
            [Seen("ad 1"), Seen("ad 2")],
            {"1": DELIVERED, "2": UNDELIVERABLE},
        ),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_allowed(name):
    assert check(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_not(name):
    rules, ledgers = BAD[name]
    found = check(ledgers)
    assert broken(found) == rules, found


def test_many_of_a_kind_are_cut_short():
    sent = [submission("marketing", f"ad {n}", message_id=str(n)) for n in range(20)]
    assert len(check(case(sent, [Seen(one.text) for one in sent] * 2))) == 6


def test_a_carriers_ledger_is_read(tmp_path):
    line = {"octets": b"ad 7".hex(), "fate": "accepted", "stat": "UNDELIV", "receipt": "sent", "receipt_sent": 2, "n": 1}
    (tmp_path / "ledger").write_text(json.dumps(line) + "\n", encoding="ascii")
    assert read_ledger(tmp_path / "ledger") == [Seen("ad 7", "accepted", "UNDELIV", "sent", 2)]
