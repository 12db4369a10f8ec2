"""Ids: unique and growing whatever the clock does, with node and shard readable."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from routing.ids import EPOCH_MS, SHARDS, IdMaker, shard_of, shard_of_id, short_alias

START_MS = EPOCH_MS + 10_000_000
numbers = st.lists(st.text("0123456789", min_size=5, max_size=15), min_size=1, max_size=5)


class SteppingClock:
    """Moves by the next step at each look."""

    def __init__(self, steps_ms: list[int]) -> None:
        self.ms = START_MS
        self._steps = iter(steps_ms)

    def utc(self) -> float:
        self.ms += next(self._steps, 0)
        return self.ms / 1000


@given(st.integers(0, 255), st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=600), numbers)
def test_ids_are_unique_and_never_go_back_in_time(node: int, steps_ms: list[int], to: list[str]) -> None:
    maker = IdMaker(node, SteppingClock(steps_ms).utc)
    made = [maker.make(to[at % len(to)]) for at in range(len(steps_ms))]
    assert len(set(made)) == len(made)
    assert all(before >> 22 <= after >> 22 for before, after in pairwise(made))
    assert all(0 < one < 2**63 for one in made)


@given(st.integers(0, 255), numbers)
def test_node_and_shard_can_be_read_off_an_id(node: int, to: list[str]) -> None:
    maker = IdMaker(node, SteppingClock([1] * len(to)).utc)
    for number in to:
        made = maker.make(number)
        assert made >> 14 & 0xFF == node
        assert shard_of_id(made) == shard_of(number) < SHARDS


def test_nodes_never_make_the_same_id() -> None:
    makers = [IdMaker(node, SteppingClock([]).utc) for node in (0, 1, 255)]
    made = [maker.make("123456") for maker in makers for _ in range(300)]
    assert len(set(made)) == 900


def test_a_burst_in_one_millisecond_runs_ahead_of_the_clock() -> None:
    maker = IdMaker(0, SteppingClock([]).utc)
    made = [maker.make("123456") for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert made == sorted(made)
    assert made[-1] >> 22 == START_MS - EPOCH_MS + 3


def test_short_aliases_have_eight_digits_and_differ_within_a_burst() -> None:
    maker = IdMaker(7, SteppingClock([]).utc)
    aliases = {short_alias(maker.make("123456")) for _ in range(1_000)}
    assert len(aliases) == 1_000
    assert all(len(alias) == 8 and int(alias, 16) >= 0 for alias in aliases)


def test_ids_of_a_quiet_hour_differ_in_the_bits_that_dictionaries_look_at_first() -> None:
    maker = IdMaker(1, SteppingClock([1] * 256).utc)
    assert len({maker.make("8613800138000") & 0xFF for _ in range(256)}) == 256
