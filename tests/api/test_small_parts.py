"""Problems, texts, destinations, directory, frames, times, parameters: one rule a test."""

import asyncio
import contextlib
import socket
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Webhooks
from gateway.api import destinations
from gateway.api.bodies import pointer_of
from gateway.api.destinations import BadDestinationError, check_address, check_url, resolve
from gateway.api.directory import Directory
from gateway.api.problems import ProblemError, invalid, not_found, unavailable
from gateway.api.texts import encode, encoding_of, fill
from gateway.api.times import SCHEDULE_MAX_S, check_times
from gateway.calls import frames
from gateway.calls.frames import Call, FrameError, Reply, Splitter, calls_of, pack, replies_of
from gateway.calls.making import hashed, make_key, make_webhook, new_secret, stored
from gateway.calls.messages import AskHealth, Done, Find
from gateway.calls.outbound import Documents
from gateway.calls.things import KEY, WEBHOOK
from protocol.errors import ContentError

OPEN = Webhooks(allow_http=True, allow_private=True)

# -- problems


def test_a_problem_says_whether_to_try_again_and_when() -> None:
    error = unavailable("disk full", 2.2)
    body = error.body("req_1")
    assert (error.status, body.permanent, body.type, body.request_id) == (503, False, "/docs#unavailable", "req_1")
    assert dict(error.headers) == {"Retry-After": "3"}
    assert dict(unavailable("x", 0.001).headers) == {"Retry-After": "1"}
    assert dict(unavailable("x", 1.0).headers) == {"Retry-After": "1"}


def test_a_wrong_field_and_a_missing_thing() -> None:
    with pytest.raises(ProblemError) as wrong:
        invalid("/to", "invalid_number", "no")
    assert (wrong.value.status, wrong.value.errors[0].pointer) == (422, "/to")
    with pytest.raises(ProblemError) as absent:
        not_found("message")
    assert (absent.value.status, absent.value.headers) == (404, ())


# -- texts


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("x" * 160, "gsm7", 1),
        ("x" * 161, "gsm7", 2),
        ("x" * 306, "gsm7", 2),
        ("x" * 307, "gsm7", 3),
        ("€" * 80, "gsm7", 1),
        ("€" * 80 + "x", "gsm7", 2),
        ("好" * 70, "ucs2", 1),
        ("好" * 71, "ucs2", 2),
        ("好" * 134, "ucs2", 2),
        ("好" * 135, "ucs2", 3),
        ("😀" * 35, "ucs2", 1),
        ("😀" * 35 + "x", "ucs2", 2),
    ],
)
def test_segments_at_the_borders(text: str, encoding: str, parts: int) -> None:
    found = encode(text)
    assert (found.encoding, found.parts) == (encoding, parts)


def test_an_encoding_that_was_asked_for_is_kept_or_refused() -> None:
    assert encode("abc", "ucs2").encoding == "ucs2"
    with pytest.raises(ContentError):
        encode("好", "gsm7")
    with pytest.raises(ContentError):
        encode("\ud800")
    with pytest.raises(ContentError):
        encode("x" * 40_000)
    assert encoding_of(0) == "gsm7"


@pytest.mark.parametrize(
    ("template", "params", "text"),
    [
        ("Hi {{ name }}!", {"name": "Li"}, "Hi Li!"),
        ("Hi {{name}}!", {"name": "Li"}, "Hi Li!"),
        ("Hi {{ name | default: 'friend' }}", {}, "Hi friend"),
        ('Hi {{ name | default: "" }}', {}, "Hi "),
        ("Hi {{ name | default: 'friend' }}", {"name": "Li"}, "Hi Li"),
        ("{{ a }}{{ a }}", {"a": "{{ b }}"}, "{{ b }}{{ b }}"),
        ("{{ 1x }} {{ }} {x}", {}, "{{ 1x }} {{ }} {x}"),
        ("{{ a }}", {"a": r"\1 \g<0>"}, r"\1 \g<0>"),
    ],
)
def test_placeholders(template: str, params: dict[str, str], text: str) -> None:
    assert fill(template, params) == text


def test_a_placeholder_nothing_fills_says_what_to_do() -> None:
    with pytest.raises(ContentError, match=r"params\.name"):
        fill("Hi {{ name }}", {"other": "x"})


# -- where webhooks may be


@pytest.mark.parametrize(
    "url",
    [
        "http://a.test/",
        "ftp://a.test/",
        "https://",
        "https:///path",
        "https://u@a.test/",
        "https://u:p@a.test/",
        "https://a.test@evil.test/",
        "https://a.test\\@evil.test/",
        "https://a.test/#part",
        "https://a test/",
        "https://a.test/\r\nX-Evil: 1",
        "https://a.test/\t",
        "https://bücher.test/",
        "https://a.test:99999/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.100.100.200/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fec0::1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
    ],
)
def test_urls_we_do_not_go_to(url: str) -> None:
    with pytest.raises(BadDestinationError):
        check_url(url, Webhooks())


def test_urls_we_go_to() -> None:
    assert check_url("https://a.test/x?y=1", Webhooks()) == ("a.test", 443, True)
    assert check_url("https://8.8.8.8:8443/", Webhooks()) == ("8.8.8.8", 8443, True)
    assert check_url("http://127.0.0.1:80/", OPEN) == ("127.0.0.1", 80, False)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "224.0.0.1"])
def test_a_cloud_s_metadata_is_out_of_reach_even_where_private_networks_are_not(address: str) -> None:
    with pytest.raises(BadDestinationError):
        check_address(ip_address(address), OPEN)


def test_teredo_shows_its_inside() -> None:
    with pytest.raises(BadDestinationError):
        check_address(ip_address("2001:0:4136:e378:8000:63bf:80ff:fffe"), Webhooks())


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_strange_spellings_of_our_own_address_are_seen_through(host: str, run: Any) -> None:
    async def main() -> None:
        name, port, _ = check_url(f"https://{host}/", Webhooks())
        with pytest.raises((BadDestinationError, OSError)):
            await resolve(name, port, Webhooks())

    run(main())


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("8.8.8.8", "10.1.1.1")]

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def answer(*args: Any, **more: Any) -> Any:
            return found

        monkeypatch.setattr(loop, "getaddrinfo", answer)
        with pytest.raises(BadDestinationError, match=r"10\.1\.1\.1"):
            await resolve("rebind.test", 443, Webhooks())
        found.pop()
        assert await resolve("rebind.test", 443, Webhooks()) == "8.8.8.8"

    asyncio.run(main())
    assert destinations


# -- what the core has told


def test_keys_work_until_they_are_over_or_taken_away() -> None:
    directory = Directory()
    kept, secret = make_key("shop", ("send", "send", "read"), 100.0, expires_utc=200.0)
    assert kept.scopes == ("send", "read")
    directory.take(Documents([(KEY, kept.id, stored(kept))], all=True))
    assert directory.key_of(secret, 150) == kept
    assert directory.key_of(secret, 200) is None
    assert directory.key_of(secret + "x", 150) is None
    assert directory.key_of("sk_\xe9", 150) is None
    assert directory.key("other", kept.id) is None
    changed = msgspec.structs.replace(kept, expires_utc=120.0)
    directory.take(Documents([(KEY, kept.id, stored(changed))]))
    assert directory.key_of(secret, 150) is None
    directory.take(Documents([(KEY, kept.id, b"")]))
    assert directory.key_of(secret, 110) is None
    assert list(directory.keys("shop")) == []


def test_everything_means_nothing_else() -> None:
    directory = Directory()
    hook = make_webhook("shop", "https://a.test/", 1.0)
    directory.take(Documents([(WEBHOOK, hook.id, stored(hook))]))
    assert directory.webhook("shop", hook.id) == hook
    assert directory.webhook("other", hook.id) is None
    directory.take(Documents([], all=True))
    assert list(directory.webhooks("shop")) == []


def test_a_document_that_cannot_be_read_hides_no_other() -> None:
    directory = Directory()
    kept, secret = make_key("shop", ("send",), 1.0)
    directory.take(
        Documents([(KEY, "x", b"{"), (WEBHOOK, "y", b"[]"), (KEY, kept.id, stored(kept)), ("new", "z", b"")], all=True)
    )
    assert directory.key_of(secret, 2.0) == kept


def test_a_key_is_kept_as_its_hash_alone() -> None:
    kept, secret = make_key("shop", ("send",), 1.0)
    assert secret.startswith("sk_")
    assert len(secret) >= 35
    assert secret[10:] not in stored(kept).decode()
    assert kept.sha256 == hashed(secret)
    assert new_secret() != new_secret()


def test_two_secrets_sign_while_they_are_rotated() -> None:
    hook = msgspec.structs.replace(make_webhook("a", "https://a.test/", 1.0), secrets=("new", "old"), old_secret_until_utc=50.0)
    assert hook.signing(49.0) == ("new", "old")
    assert hook.signing(50.0) == ("new",)


# -- frames


@given(st.lists(st.integers(1, 40), max_size=30))
def test_any_cut_of_the_stream_gives_the_same_calls(cuts: list[int]) -> None:
    batches = [[Call(number, Find("shop", number)) for number in range(first, first + 3)] for first in (1, 10, 100)]
    data = b"".join(map(pack, batches))
    splitter, found, at = Splitter(), [], 0
    for size in [*cuts, len(data)]:
        found += map(calls_of, splitter.feed(data[at : at + size]))
        at += size
    assert found == batches


@given(st.binary(max_size=200))
def test_no_octets_are_more_than_a_frame_error(data: bytes) -> None:
    for of in (calls_of, replies_of):
        with contextlib.suppress(FrameError):
            of(data)
    with contextlib.suppress(FrameError):
        Splitter().feed(data)


@pytest.mark.parametrize(
    "body", [b"\x91" * 100_000, b"\x91\x92\x01\x92\x02\xa2\xff\xfe", b"\xdd\xff\xff\xff\xff"], ids=range(3)
)
def test_nesting_bad_text_and_lies_about_lengths(body: bytes) -> None:
    with pytest.raises(FrameError):
        calls_of(body)


def test_an_absurd_length_ends_it_at_once() -> None:
    with pytest.raises(FrameError):
        Splitter().feed((frames.FRAME_MAX + 1).to_bytes(4, "big"))


def test_what_is_too_large_for_one_frame_goes_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FRAME_MAX", 100)
    batch = [Call(number, Find("shop", number)) for number in range(50)]
    bodies = Splitter().feed(pack(batch))
    assert len(bodies) > 1
    assert [one for body in bodies for one in calls_of(body)] == batch
    with pytest.raises(FrameError):
        pack([Reply(1, Done("x" * 200))])
    assert replies_of(pack([Reply(1, Done())])[4:]) == [Reply(1, Done())]
    assert calls_of(pack([Call(0, AskHealth())])[4:])


# -- times


def test_times_that_are_too_far_away() -> None:
    check_times(100.0, 0.0, 0.0)
    check_times(100.0, 100.0 + SCHEDULE_MAX_S, 100.0 + 2 * SCHEDULE_MAX_S)
    for due, expires in ((101.0 + SCHEDULE_MAX_S, 0.0), (0.0, 101.0 + SCHEDULE_MAX_S)):
        with pytest.raises(ProblemError):
            check_times(100.0, due, expires)


def test_a_pointer_escapes() -> None:
    assert pointer_of(".a/b.c~d") == "/a~1b/c~0d"
