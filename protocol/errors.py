"""Two questions, answered by type: whose fault is it, and can the session go on?"""


class ProtocolError(Exception):
    """Anything this package raises on purpose."""


class LocalProtocolError(ProtocolError):
    """Our own caller asked for something SMPP does not allow. Nothing was sent."""


class WindowFullError(LocalProtocolError):
    """The session has as many unanswered requests as its window allows."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something it must not send."""


class PduError(RemoteProtocolError):
    """One PDU is wrong, the octets after it are not: answer `status` to `sequence` and go on.

    `command_id` and `sequence` are the header's, `status` is the command_status to answer with.
    """

    def __init__(self, reason: str, command_id: int, sequence: int, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command_id = command_id
        self.sequence = sequence
        self.status = status

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PduError) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


class FramingError(RemoteProtocolError):
    """The position in the stream is lost: answer one generic_nack and close.

    `sequence` is the header's when a length could still be meant, else 0.
    """

    def __init__(self, reason: str, sequence: int, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sequence = sequence
        self.status = status

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FramingError) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


class FieldError(RemoteProtocolError):
    """A field cannot be read. `status` is what SMPP wants answered for this field."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class ContentError(LocalProtocolError, ValueError):
    """A text, number, time or user data header that cannot be expressed or understood."""
