"""Batches as frames: a 4-octet length, then MessagePack. One frame carries whatever was there."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import msgspec

from gateway.calls.messages import Answer, Ask
from gateway.calls.outbound import Push
from gateway.link import LENGTH

SOCKET_NAME = "api.sock"
FRAME_MAX = 64_000_000
PUSHED = 0
"""The number of what nobody asked for."""


class Call(msgspec.Struct, array_like=True, gc=False):
    """`number` comes back with the answer; 0: no answer is wanted."""

    number: int
    ask: Ask


class Reply(msgspec.Struct, array_like=True, gc=False):
    """`number` of the call, or PUSHED."""

    number: int
    answer: Answer | Push


OneT = TypeVar("OneT", Call, Reply)
Batch: TypeAlias = Sequence[Call] | Sequence[Reply]
_ENCODER = msgspec.msgpack.Encoder()
_CALLS: msgspec.msgpack.Decoder[list[Call]] = msgspec.msgpack.Decoder(list[Call])
_REPLIES: msgspec.msgpack.Decoder[list[Reply]] = msgspec.msgpack.Decoder(list[Reply])


class FrameError(Exception):
    """The other end does not speak this; the connection is over."""


def pack(batch: Batch) -> bytes:
    """One frame; several where one would be too large. Raises FrameError for a single call or reply that no frame carries."""
    body = _ENCODER.encode(batch)
    if len(body) <= FRAME_MAX:
        return LENGTH.pack(len(body)) + body
    if len(batch) == 1:
        raise FrameError(f"{len(body)} octets, at most {FRAME_MAX}")
    half = len(batch) // 2
    return pack(batch[:half]) + pack(batch[half:])


class Splitter:
    """Octets in, bodies of whole frames out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Raises FrameError for a length no frame has."""
        rest = self._rest
        rest += data
        found: list[bytes] = []
        at = 0
        while len(rest) - at >= LENGTH.size:
            (size,) = LENGTH.unpack_from(rest, at)
            if size > FRAME_MAX:
                raise FrameError(f"a frame of {size} octets, at most {FRAME_MAX}")
            if len(rest) - at < LENGTH.size + size:
                break
            found.append(bytes(rest[at + LENGTH.size : at + LENGTH.size + size]))
            at += LENGTH.size + size
        del rest[:at]
        return found


def calls_of(body: bytes) -> list[Call]:
    """Raises FrameError."""
    return _decoded(_CALLS, body)


def replies_of(body: bytes) -> list[Reply]:
    """Raises FrameError."""
    return _decoded(_REPLIES, body)


def _decoded(decoder: msgspec.msgpack.Decoder[list[OneT]], body: bytes) -> list[OneT]:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(str(error)) from None
