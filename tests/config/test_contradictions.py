"""What no single field shows: names that lead nowhere or twice somewhere, weights, tags, lengths."""

from typing import Any

import pytest

from config.loader import split_address

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA"


def channel(name: str = "a", more: str = "") -> str:
    password = "" if "password" in more else 'password = "secret"'
    return f'[[channels]]\nname = "{name}"\nhost = "h"\nport = 1\nsystem_id = "t"\n{password}\n{more}\n'


def account(name: str = "shop", password_hash: str = HASH) -> str:
    return f'[[accounts]]\nsystem_id = "{name}"\npassword_hash = "{password_hash}"\n'


def route(channels: str, more: str = "") -> str:
    return f"[[routes]]\nchannels = [{channels}]\n{more}\n"


def test_contradictions_are_all_named_at_once(errors: Any) -> None:
    found = errors(
        channel("a", 'mo_account = "ghost"')
        + channel("b")
        + channel("a", 'password = "ninechars"')
        + account()
        + account()
        + account("other", "plain")
        + route('{ name = "a", weight = 0 }, { name = "nobody", weight = 0 }', 'accounts = ["shop", "nobody"]')
    )
    text = "\n".join(found)
    for error in (
        "channels[2] = 'a': the name is taken by channels[0]",
        "accounts[1] = 'shop': the name is taken by accounts[0]",
        "routes[0].channels[1].name = 'nobody': no channel has this name",
        "routes[0].accounts = 'nobody': no account has this system_id",
        "routes[0].channels: every weight is 0",
        "channels[0].mo_account = 'ghost': no account has this system_id",
        "channels[2].password = ***: 9 characters, SMPP allows 8",
        "accounts[2].password_hash = ***: no Argon2 hash",
    ):
        assert error in text
    assert len(found) == 8, text


@pytest.mark.parametrize("tag", [0x1400, 0x1401])
def test_tags_of_indias_rules_are_refused(tag: int, errors: Any) -> None:
    (error,) = errors(f"[smpp.tlvs]\nbrand = {tag}")
    assert f"smpp.tlvs.brand = 0x{tag:04x}: this tag belongs to India" in error


def test_two_fields_must_not_share_a_tag(errors: Any) -> None:
    assert "two fields share one tag" in errors("[smpp.tlvs]\nbrand = 0x3000\nindustry = 0x3000")[0]


@pytest.mark.parametrize("tag", [0x13FF, 0x4000])
def test_tags_stay_in_the_vendor_range(tag: int, errors: Any) -> None:
    assert f"smpp.tlvs.brand = {tag}: " in errors(f"[smpp.tlvs]\nbrand = {tag}")[0]


@pytest.mark.parametrize("how", ["sar", "payload"])
def test_long_messages_in_tlvs_need_tlvs(how: str, errors: Any) -> None:
    (error,) = errors(channel(more=f'long_messages = "{how}"\nsend_tlvs = false'))
    assert "needs send_tlvs = true" in error


def test_the_first_delay_is_no_longer_than_the_longest(errors: Any) -> None:
    (error,) = errors(channel(more="reconnect_min_s = 10\nreconnect_max_s = 5"))
    assert "channels[0].reconnect_min_s = 10" in error


def test_a_route_needs_a_channel(errors: Any) -> None:
    assert "routes[0].channels" in errors(route(""))[0]


def test_a_password_of_eight_characters_and_one_weight_above_0_are_enough(loaded: Any) -> None:
    config = loaded(
        channel("a", 'password = "eight888"') + channel("b") + route('{ name = "a", weight = 0 }, { name = "b", weight = 1 }')
    )
    assert [one.weight for one in config.routes[0].channels] == [0, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:2775", ("127.0.0.1", 2775)), ("[::1]:0", ("::1", 0)), ("gw.example:1", ("gw.example", 1))],
)
def test_addresses_are_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected


@pytest.mark.parametrize("text", ["", "2775", ":2775", "host", "host:", "host:x", "host:65536", "host:-1", "host:²"])
def test_anything_else_is_no_address(text: str, errors: Any) -> None:
    with pytest.raises(ValueError):
        split_address(text)
    assert "smpp.listen = " in errors(f'[smpp]\nlisten = "{text}"')[0]
