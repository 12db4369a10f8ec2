"""Bodies: bounded before they are read, and every error says where."""

import json
from typing import Any

import msgspec
import pytest
from asgi import ask
from fake_core import Api

from config.schema import Http
from gateway.api import schemas
from gateway.api.bodies import convert, decode, pointer_of
from gateway.api.problems import ProblemError

MESSAGE = msgspec.json.Decoder(schemas.MessageIn)
BATCH = msgspec.json.Decoder(schemas.BatchIn)


def found(error: ProblemError) -> tuple[int, str, str]:
    (field,) = error.errors
    return error.status, field.pointer, field.code


@pytest.mark.parametrize(
    ("decoder", "body", "pointer", "code"),
    [
        (MESSAGE, {"text": "x"}, "/to", "missing"),
        (MESSAGE, {"to": "1", "text": "x", "colour": 1}, "/colour", "unknown_field"),
        (MESSAGE, {"to": "1", "text": "x", "a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        (MESSAGE, {"to": 1, "text": "x"}, "/to", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "class": "spam"}, "/class", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "tags": ["a", "b", 3]}, "/tags/2", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "tags": list("abcdef")}, "/tags", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "priority": 9}, "/priority", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "send_at": "2026-01-01T00:00:00"}, "/send_at", "invalid_value"),
        (MESSAGE, {"to": "1", "text": "x", "send_at": "tomorrow"}, "/send_at", "invalid_value"),
        (MESSAGE, [], "", "invalid_value"),
        (MESSAGE, "x", "", "invalid_value"),
        (BATCH, {"to": [{"params": {}}], "text": "x"}, "/to/0/number", "missing"),
        (BATCH, {"to": ["1", {"number": "1", "x": 1}], "text": "x"}, "/to/1/x", "unknown_field"),
        (BATCH, {"to": ["1", 5], "text": "x"}, "/to/1", "invalid_value"),
        (BATCH, {"to": [], "text": "x"}, "/to", "invalid_value"),
        (BATCH, {"to": [{"number": "1", "params": {"k": 5}}], "text": "x"}, "/to/0/params/*", "invalid_value"),
        (BATCH, {"to": [{"number": "1", "params": {"k" * 65: "v"}}], "text": "x"}, "/to/0/params", "invalid_value"),
    ],
)
def test_every_error_points_at_its_place(decoder: Any, body: Any, pointer: str, code: str) -> None:
    with pytest.raises(ProblemError) as error:
        decode(json.dumps(body).encode(), decoder)
    assert found(error.value) == (422, pointer, code)


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"limit": "0"}, "/limit", "invalid_value"),
        ({"limit": "x"}, "/limit", "invalid_value"),
        ({"limit": "1" * 5_000}, "/limit", "invalid_value"),
        ({"nope": "1"}, "/nope", "unknown_field"),
        ({"status": "lost"}, "/status", "invalid_value"),
        ({"since": "nan"}, "/since", "invalid_value"),
        ({"since": "1e300"}, "/since", "invalid_value"),
        ({"cursor": "abc"}, "/cursor", "invalid_value"),
        ({"cursor": "1" * 20}, "/cursor", "invalid_value"),
    ],
)
def test_so_do_errors_of_a_query(query: dict[str, str], pointer: str, code: str) -> None:
    with pytest.raises(ProblemError) as error:
        convert(query, schemas.MessageQuery)
    assert found(error.value) == (422, pointer, code)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nul", b"\xff\xfe", b'{"to": "\xff"}', b'{"a":1}{', b"[" * 100_000, b'{"a":' * 100_000, b'{"to":"\\ud800"}'],
    ids=range(9),
)
def test_what_is_not_json_is_a_bad_request_however_deep(body: bytes) -> None:
    with pytest.raises(ProblemError) as error:
        decode(body, MESSAGE)
    assert error.value.status in (400, 422)
    assert error.value.code == "invalid_request"


def test_pointers() -> None:
    assert pointer_of("") == ""
    assert pointer_of(".to[3].number") == "/to/3/number"
    assert pointer_of(".params[...]") == "/params/*"


def test_a_body_that_says_it_is_too_large_is_not_read(run: Any) -> None:
    async def main() -> None:
        api = Api(Http(body_size_max=2_000))
        _, secret = api.key()
        for length in ("2001", "9" * 30):
            got = await ask(api.app, "POST", "/v1/messages", None, key=secret, headers={"content-length": length})
            assert (got.status, got.headers["connection"]) == (413, "close")
        got = await ask(api.app, "POST", "/v1/messages", b"{}", key=secret, headers={"content-length": "\xb2"})
        assert got.status == 422, "no number: the octets are counted"

    run(main())


def test_one_that_does_not_say_is_counted(run: Any) -> None:
    async def main() -> None:
        api = Api(Http(body_size_max=2_000))
        _, secret = api.key()
        got = await ask(api.app, "POST", "/v1/messages", [b"x" * 1_500, b"x" * 501, b"never read"], key=secret)
        assert (got.status, got.json["code"]) == (413, "too_large")
        assert (await ask(api.app, "POST", "/v1/messages", [b"x" * 1_000] * 2, key=secret)).status == 400

    run(main())


def test_one_that_does_not_come_is_given_up(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        api = Api(Http(body_timeout_s=0.001))
        _, secret = api.key()
        got = await ask(api.app, "POST", "/v1/messages", None, key=secret)
        assert (got.status, got.json["code"], got.json["permanent"]) == (408, "too_slow", False)
        got = await ask(api.app, "POST", "/v1/messages", [], key=secret)
        assert got.status == 400

    run(main())


def test_another_media_type_is_refused(run: Any) -> None:
    async def main() -> None:
        api = Api()
        _, secret = api.key()
        got = await ask(api.app, "POST", "/v1/messages", b"a=1", key=secret, headers={"content-type": "text/plain"})
        assert got.status == 415
        for good in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"):
            got = await ask(api.app, "POST", "/v1/messages", b"{}", key=secret, headers={"content-type": good})
            assert got.status == 422

    run(main())
