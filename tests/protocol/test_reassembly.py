"""Parts in any order, repeated or never: each whole message comes out once, and nothing waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.reassembly import Reassembler
from protocol.segment import split_text
from protocol.text import decode_text


@given(st.integers(1, 12), st.data())
def test_a_message_is_whole_when_its_last_part_comes_in_whatever_order(total: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(1, total + 1)))
    repeats = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=6)) if total > 1 else []
    arrivals = [*order[:-1], *repeats, order[-1]]
    reassembler: Reassembler[str] = Reassembler()
    outcomes = [reassembler.add("key", total, number, f"part {number}", 0.0) for number in arrivals]
    assert outcomes[:-1] == [None] * (len(arrivals) - 1)
    whole = outcomes[-1]
    assert whole is not None
    assert whole.in_order() == [f"part {number}" for number in range(1, total + 1)]
    assert len(reassembler) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=40))
def test_messages_with_other_keys_never_mix(arrivals: list[tuple[int, int]]) -> None:
    reassembler: Reassembler[int] = Reassembler()
    for key, number in arrivals:
        whole = reassembler.add(key, 4, number, key, 0.0)
        assert whole is None or whole.in_order() == [key] * 4
    assert len(reassembler) <= 4


@given(st.text("ab€{", max_size=900), st.randoms(use_true_random=False))
def test_what_was_split_comes_together_again(written: str, random: object) -> None:
    found = split_text(written)
    reassembler: Reassembler[bytes] = Reassembler()
    numbered = list(enumerate(found.parts, 1))
    random.shuffle(numbered)  # type: ignore[attr-defined]
    wholes = [reassembler.add(0, len(found.parts), number, part, 0.0) for number, part in numbered]
    assert wholes[-1] is not None
    assert decode_text(b"".join(wholes[-1].in_order()), found.data_coding) == written


def test_groups_are_given_up_by_age_and_by_number_oldest_first() -> None:
    reassembler: Reassembler[str] = Reassembler(timeout_s=60.0, groups_max=2)
    for second in range(4):
        reassembler.add(second, 2, 1, "part", float(second))
    assert [group.key for group in reassembler.give_up(3.0)] == [0, 1]
    assert [group.key for group in reassembler.give_up(62.0)] == [2]
    assert reassembler.give_up(62.9) == []
    assert reassembler.add(2, 2, 2, "part", 63.0) is None
    assert [group.key for group in reassembler.give_up(63.0)] == [3]


def test_too_many_parts_give_up_the_oldest_group() -> None:
    reassembler: Reassembler[int] = Reassembler(parts_max=3)
    for key in "abc":
        reassembler.add(key, 3, 1, 1, 0.0)
        reassembler.add(key, 3, 1, 2, 0.0)  # repeated: counts once
    assert reassembler.give_up(0.0) == []
    reassembler.add("c", 3, 2, 1, 0.0)
    assert [one.key for one in reassembler.give_up(0.0)] == ["a"]
    assert reassembler.add("c", 3, 3, 1, 0.0) is not None
    for key in "de":
        reassembler.add(key, 3, 1, 1, 0.0)
    assert reassembler.give_up(0.0) == [], "what became whole is not counted any more"
