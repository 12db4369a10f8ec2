"""Bodies of requests: read within bounds, decoded, errors turned into JSON pointers."""

import asyncio
import re
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from gateway.api.problems import FieldError, ProblemError, invalid

BodyT = TypeVar("BodyT")
_PLACE = re.compile(r"(?P<what>.*?)(?: - at (?:`?key`? in )?`(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"field `([^`]*)`")
CODES = (
    ("unknown field", "unknown_field"),
    ("missing required", "missing"),
    ("Expected", "invalid_value"),
    ("Invalid", "invalid_value"),
)


async def read_body(request: Request, size_max: int, timeout_s: float) -> bytes:
    """All of it. Raises ProblemError 413 before more than `size_max` octets are read, 408 when it does not come in time."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > size_max):
        raise _too_large(size_max)
    got = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                got += chunk
                if len(got) > size_max:
                    raise _too_large(size_max)
    except TimeoutError:
        raise ProblemError(
            408, "too_slow", f"not whole after {timeout_s:g} s", permanent=False, headers=(("Connection", "close"),)
        ) from None
    except ClientDisconnect:
        raise ProblemError(400, "invalid_request", "the connection ended before the body did") from None
    return bytes(got)


def _too_large(size_max: int) -> ProblemError:
    return ProblemError(413, "too_large", f"at most {size_max} octets", headers=(("Connection", "close"),))


def decode(body: bytes, decoder: "msgspec.json.Decoder[BodyT]") -> BodyT:
    """Raises ProblemError: 400 for what is no JSON, 422 for what does not fit."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _does_not_fit(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(400, "invalid_request", f"the body is not JSON: {error}") from None


def convert(values: dict[str, Any], kind: type[BodyT]) -> BodyT:
    """Parameters of a query, which are all text. Raises ProblemError 422."""
    try:
        found = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _does_not_fit(str(error)) from None
    for name, value in values.items():
        # Text is read leniently, and then a number is a moment, too.
        if isinstance(getattr(found, name, None), datetime) and ":" not in value:
            invalid(f"/{name}", "invalid_value", "Expected `datetime`, as RFC 3339 has it")
    return found


def _does_not_fit(text: str) -> ProblemError:
    found = _PLACE.fullmatch(text)
    what = found["what"] if found else text
    pointer = pointer_of((found["path"] if found else "") or "")
    field = _FIELD.search(what)
    if field is not None:
        pointer += f"/{_escaped(field[1])}"
    code = next((code for start, code in CODES if start in what), "invalid_value")
    return ProblemError(422, "invalid_request", what, (FieldError(pointer, code, what),))


def pointer_of(path: str) -> str:
    """`.to[3].number` as /to/3/number (RFC 6901); what msgspec does not name is a *."""
    steps = (name or at.replace("...", "*") for name, at in _STEP.findall(path))
    return "".join(f"/{_escaped(one)}" for one in steps)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
