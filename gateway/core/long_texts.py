"""Texts that subscribers send in parts: each part is stored before it is acknowledged, and the last one makes a text of them.

    part  --> MobileOriginated in a box of nobody's     a carrier sends the next part only after the answer to this one
    whole --> the parts go, the text comes, one step     a crash finds all of one side of it
    late  --> the parts go to the account as they came   `timeout_s` after the first; sooner only when too many wait

What has become whole is remembered for a while, in the same box: a carrier whose answer got lost sends a part again, and this
may begin a group anew. When its time is over, or it is whole, and it says what was said before, it is a repeat and goes. Until
then it is kept like any other, for the reference of another text may be the same.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from gateway.store.base import MobileOriginated, NoticeDone, Outcome
from protocol.joining import UserData, join
from protocol.reassembly import Group, Reassembler
from routing.ids import IdMaker
from routing.records import Notice, PartOf

BOX = Notice(0, "", door="parts").box
GROUPS_MAX, PARTS_MAX = 10_000, 20_000
"""Texts that wait for parts, and parts that wait."""
PAST_MAX = 10_000
REPEATS_S = 600.0
"""How long a carrier may take to send a part again."""
OCTETS_MAX = 255
"""No handset makes a longer part: what is longer is handed over as it came."""
_DIGEST = 8
_SEPARATOR = "\x1f"


class Text(msgspec.Struct, gc=False):
    """Something an account is to be told; whose it is, is not known yet. `outcomes` belong to the same step."""

    notice: Notice
    channel: str
    outcomes: list[Outcome]
    whole: bool = True
    """False: a part whose others did not come."""
    said: str = ""
    """What it says, when it is whole."""


class Step(msgspec.Struct, gc=False):
    """What a part, or time, brought about."""

    outcomes: list[Outcome] = []
    texts: list[Text] = []


class _Past(msgspec.Struct, gc=False):
    """What became whole: the notice that remembers it, digests of its parts in order, and until when."""

    notice_id: int
    digests: bytes
    until: float


def group_key(channel: str, subscriber: str, number: str, ref: int, bits: int, total: int) -> str:
    """What parts of one text share."""
    return _SEPARATOR.join((channel, subscriber, number, str(ref), str(bits), str(total)))


class LongTexts:
    """See the module. `now` is the boot clock's."""

    def __init__(self, timeout_s: float, ids: IdMaker) -> None:
        self._ids = ids
        self._groups: Reassembler[Notice] = Reassembler(timeout_s, GROUPS_MAX, PARTS_MAX)
        self._past: OrderedDict[str, _Past] = OrderedDict()

    def restore(self, stored: Iterable[Notice], now: float, utc: float) -> None:
        """What an earlier run had stored, the oldest first."""
        for notice in stored:
            if notice.part_of is None:
                continue
            key, total, seq = notice.part_of
            since = now - max(0.0, utc - notice.created_utc)
            if seq:
                self._groups.add(key, total, seq, notice, since)
            else:
                self._past[key] = _Past(notice.id, notice.data, since + self._past_s)

    @property
    def _past_s(self) -> float:
        """A repeat may begin a group that waits its time; what it repeats must be known until then."""
        return REPEATS_S + self._groups.timeout_s

    def add(self, part: Notice, now: float) -> Step:
        """A part, with its `part_of`, that has just come. No outcome: it is stored already."""
        assert part.part_of is not None
        key, total, seq = part.part_of
        step = Step([], [])
        waiting = self._groups.get(key)
        before = waiting.parts.get(seq) if waiting is not None else None
        if before is not None:
            if _digest(before) == _digest(part):
                return step
            self._give_up(self._groups.take(key), step)  # the reference is another text's now
        group = self._groups.add(key, total, seq, part, now)
        if group is None:
            step.outcomes.append(MobileOriginated(part))
            return step
        parts = group.in_order()
        gone = _gone(one for one in parts if one is not part)
        if self._is_repeat(group):
            step.outcomes += gone
        else:
            self._make_whole(group, parts, gone, step, now)
        return step

    def expire(self, now: float) -> Step:
        """What time, or the lack of room, has ended."""
        step = Step([], [])
        for group in self._groups.give_up(now):
            self._give_up(group, step)
        while self._past:
            key, past = next(iter(self._past.items()))
            if now < past.until and len(self._past) <= PAST_MAX:
                break
            del self._past[key]
            step.outcomes.append(NoticeDone(past.notice_id, BOX))
        return step

    def _make_whole(self, group: Group[Notice], parts: Sequence[Notice], gone: list[Outcome], step: Step, now: float) -> None:
        key, first = str(group.key), parts[0]
        said = join([UserData(one.data, one.data_coding, one.esm_class) for one in parts])
        text = msgspec.structs.replace(first, id=self._ids.make(first.source), door="", part_of=None, **said._asdict())
        earlier = self._past.pop(key, None)
        if earlier is not None:
            gone.append(NoticeDone(earlier.notice_id, BOX))
        digests = b"".join(map(_digest, parts))
        past = Notice(
            self._ids.make(first.source), "", data=digests, is_mo=True, door="parts", part_of=PartOf(key, group.total, 0)
        )
        self._past[key] = _Past(past.id, digests, now + self._past_s)
        step.texts.append(Text(text, channel_of(key), [*gone, MobileOriginated(past)]))

    def _give_up(self, group: Group[Notice], step: Step) -> None:
        """Its parts go to the account one by one, unless they only repeat what it has."""
        parts = group.in_order()
        if self._is_repeat(group):
            step.outcomes += _gone(parts)
            return
        channel = channel_of(str(group.key))
        for part in parts:
            piece = msgspec.structs.replace(part, id=self._ids.make(part.source), door="", part_of=None)
            step.texts.append(Text(piece, channel, _gone([part]), whole=False))

    def _is_repeat(self, group: Group[Notice]) -> bool:
        past = self._past.get(str(group.key))
        if past is None:
            return False
        return all(past.digests[(seq - 1) * _DIGEST : seq * _DIGEST] == _digest(part) for seq, part in group.parts.items())


def channel_of(key: str) -> str:
    """The channel of a group's parts."""
    return key.partition(_SEPARATOR)[0]


def _gone(parts: Iterable[Notice]) -> list[Outcome]:
    return [NoticeDone(one.id, BOX) for one in parts]


def _digest(part: Notice) -> bytes:
    return blake2b(part.data, digest_size=_DIGEST, salt=part.data_coding.to_bytes(2, "big")).digest()
