"""An independent check of three ledgers: what the clients were told, what the carriers saw, what the gateway says of itself.

It shares no rule with the gateway and reads nothing but plain records. The rules, for submissions with unique texts:

- I1 what was accepted is final or still the gateway's: no id unknown, sums that add up, no final state nobody was told of;
  what was refused is at no carrier
- I2 marketing is at most once in the carriers' ledgers
- I3 what must arrive is at least once in a carrier's ledger, or its failure was told
- I4 delivered means that a carrier took it and said delivered
- I5 one final state: receipts of one id do not contradict each other or the gateway's own answer. The same one again is allowed
  only when the session of the earlier ended before its acknowledgement can have counted; one correction is allowed after
  UNKNOWN or EXPIRED, if that was our timeout's word and no carrier's
- I6 no more messages end unknown, or stay open, than submits lost their answer
- I7 when it is quiet nothing is queued or in a window, and memory is bounded
- I8 a receipt that was acknowledged to the carrier has ended its message
- I9 where several messages went to one recipient, none was told what a carrier said of another; a receipt that fits two of them
  may end none, which I8 allows for these
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from load_client import Submission, Told

FINAL_STATES = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 7: "UNKNOWN", 8: "REJECTD"}
"""message_state of query_sm (SMPP 3.4 section 5.2.28) and the same in a receipt."""
TIMEOUTS = ("UNKNOWN", "EXPIRED")
GRACE_S = 10.0
"""An acknowledgement younger than this when its session ended may not have been stored."""
SHOWN = 5


@dataclass
class Seen:
    """One entry of a carrier's ledger."""

    text: str
    fate: str = "accepted"
    stat: str = "DELIVRD"
    receipt: str = "acknowledged"
    receipt_sent: int = 1


@dataclass
class Own:
    """The gateway's word: the sums, the state of each id (None: unknown to it), submits in windows, memory of the core."""

    sums: dict[str, int] = field(default_factory=dict)
    final: dict[str, int] = field(default_factory=dict)
    states: dict[str, int | None] = field(default_factory=dict)
    in_windows: int = 0
    resident_kb: int = 0


@dataclass
class Limits:
    """`ambiguous`: submits whose answer may be lost. `must_arrive`: classes that had the time to be sent again."""

    ambiguous: int = 0
    resident_kb: int = 200_000
    must_arrive: tuple[str, ...] = ("verification",)


@dataclass
class Case:
    """Everything one check looks at. `ended_at`: when each session of a class ended."""

    submissions: list[Submission]
    seen: list[Seen]
    own: Own
    limits: Limits = field(default_factory=Limits)
    ended_at: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at_carriers: dict[str, list[Seen]] = defaultdict(list)
        for one in self.seen:
            if one.fate != "refused":
                self.at_carriers[one.text].append(one)
        self.shared = Counter(one.recipient for one in self.submissions)

    def state(self, submission: Submission) -> str | None:
        """The final state the gateway names, None while it has none."""
        return FINAL_STATES.get(self.own.states.get(submission.id) or 0)


def read_ledger(path: Path) -> list[Seen]:
    """A ledger file of the simulated carrier."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Seen(bytes.fromhex(one["octets"]).decode("latin-1"), one["fate"], one["stat"], one["receipt"], one["receipt_sent"])
        for one in entries
    ]


def check(case: Case) -> list[str]:
    """Every violation, as `I2: what happened`; the first few of each kind."""
    found: list[str] = []
    for name, rule in RULES.items():
        violations = list(rule(case))
        found += [f"{name}: {one}" for one in violations[:SHOWN]]
        if len(violations) > SHOWN:
            found.append(f"{name}: ... {len(violations)} in all")
    return found


def _accepted(case: Case) -> Iterator[Submission]:
    return (one for one in case.submissions if one.fate == "ok")


def _nothing_lost(case: Case) -> Iterator[str]:
    sums = case.own.sums
    parts = sums["scheduled"] + sums["queued"] + sums["in_flight"] + sum(case.own.final.values())
    if sums["accepted"] != parts:
        yield f"the sums do not add up: {sums} {case.own.final}"
    fates = Counter(one.fate for one in case.submissions)
    least, most = fates["ok"], fates["ok"] + fates["unanswered"] + fates["open"]
    if not least <= sums["accepted"] <= most:
        yield f"{sums['accepted']} in the gateway's ledger, but clients were told of {least} and can know of {most} at most"
    for one in case.submissions:
        if one.fate == "ok" and case.own.states.get(one.id) is None:
            yield f"{one.text!r} was accepted as {one.id}, and the gateway does not know it"
        if one.fate == "ok" and case.state(one) and not one.told:
            yield f"{one.text!r} ended as {case.state(one)}, and nobody was told"
        if one.fate == "refused" and case.at_carriers[one.text]:
            yield f"{one.text!r} was refused with {one.status:#x}, and a carrier has it"
    ids = Counter(one.id for one in _accepted(case))
    yield from (f"{count} messages were accepted as {message_id}" for message_id, count in ids.items() if count > 1)


def _at_most_once(case: Case) -> Iterator[str]:
    for one in case.submissions:
        if one.class_ == "marketing" and len(case.at_carriers[one.text]) > 1:
            yield f"{one.text!r} reached carriers {len(case.at_carriers[one.text])} times"


def _at_least_once(case: Case) -> Iterator[str]:
    for one in _accepted(case):
        failed = any(told.stat != "DELIVRD" for told in one.told)
        if one.class_ in case.limits.must_arrive and not case.at_carriers[one.text] and not failed:
            yield f"{one.text!r} reached no carrier, and no failure was told"


def _delivered_is_true(case: Case) -> Iterator[str]:
    for one in case.submissions:
        delivered = case.state(one) == "DELIVRD" or any(told.stat == "DELIVRD" for told in one.told)
        if delivered and not any(seen.stat == "DELIVRD" and seen.receipt_sent for seen in case.at_carriers[one.text]):
            yield f"{one.text!r} is called delivered, and no carrier said so"


def _one_final_state(case: Case) -> Iterator[str]:
    for one in case.submissions:
        if not one.told:
            continue
        stats = [told.stat for told in one.told]
        changes = [stat for at, stat in enumerate(stats) if at == 0 or stat != stats[at - 1]]
        ours = changes[0] in TIMEOUTS and all(seen.stat != changes[0] for seen in case.at_carriers[one.text])
        if len(changes) > (2 if ours else 1):
            yield f"{one.text!r} was told as {', then '.join(stats)}"
        if case.state(one) not in (None, stats[-1]):
            yield f"{one.text!r} was told as {stats[-1]}, and the gateway says {case.state(one)}"
        if one.fate == "ok" and {told.id for told in one.told} != {one.id}:
            yield f"{one.text!r} is {one.id}, and receipts call it {[told.id for told in one.told]}"
        ended_at = case.ended_at.get(one.class_, [])
        for told in _repeated_for_nothing(one.told, ended_at):
            yield f"{one.text!r} was told {told.stat} again, though it had been acknowledged"


def _repeated_for_nothing(told: list[Told], ended_at: list[float]) -> Iterator[Told]:
    for at, later in enumerate(told):
        for earlier in told[:at]:
            if earlier.stat != later.stat:
                continue
            ended = ended_at[earlier.session] if earlier.session < len(ended_at) else float("inf")
            if earlier.session == later.session or earlier.at + GRACE_S < ended:
                yield later
                break


def _unknown_is_rare(case: Case) -> Iterator[str]:
    states = [case.state(one) for one in _accepted(case) if case.own.states.get(one.id) is not None]
    unknown, still_open = states.count("UNKNOWN"), states.count(None)
    if unknown + still_open > case.limits.ambiguous:
        yield f"{unknown} ended unknown and {still_open} are open, but only {case.limits.ambiguous} submits lost their answer"


def _quiet(case: Case) -> Iterator[str]:
    if case.own.sums["queued"] or case.own.in_windows:
        yield f"{case.own.sums['queued']} queued and {case.own.in_windows} in the windows after quiet time"
    if case.own.resident_kb > case.limits.resident_kb:
        yield f"the core takes {case.own.resident_kb} kB, {case.limits.resident_kb} allowed"


def _receipts_count(case: Case) -> Iterator[str]:
    for one in _accepted(case):
        if case.shared[one.recipient] > 1:
            continue
        acknowledged = [seen for seen in case.at_carriers[one.text] if seen.receipt == "acknowledged"]
        # A failure leaves a message open while another attempt may still deliver it; marketing has only one.
        if one.class_ != "marketing":
            acknowledged = [seen for seen in acknowledged if seen.stat == "DELIVRD"]
        if acknowledged and case.own.states.get(one.id) is not None and case.state(one) is None:
            yield f"{one.text!r}: the receipt {acknowledged[0].stat} was acknowledged and forgotten"


def _not_mixed_up(case: Case) -> Iterator[str]:
    for one in case.submissions:
        said = {seen.stat for seen in case.at_carriers[one.text] if seen.receipt_sent}
        for told in one.told:
            if case.shared[one.recipient] > 1 and told.stat in ("DELIVRD", "UNDELIV") and told.stat not in said:
                yield f"{one.text!r} was told as {told.stat}, and carriers said {sorted(said)}"


RULES = {
    "I1": _nothing_lost,
    "I2": _at_most_once,
    "I3": _at_least_once,
    "I4": _delivered_is_true,
    "I5": _one_final_state,
    "I6": _unknown_is_rare,
    "I7": _quiet,
    "I8": _receipts_count,
    "I9": _not_mixed_up,
}


def broken(violations: Iterable[str]) -> set[str]:
    """The names of the rules that were broken."""
    return {one.partition(":")[0] for one in violations}
