"""Errors as RFC 9457 has them: a type, a title, a code programs can go by, and whether trying again can help."""

from typing import NoReturn

import msgspec

TYPES = "/docs#"


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in the request (a JSON pointer), and what is wrong."""

    pointer: str
    code: str
    detail: str = ""


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """application/problem+json. `permanent`: the same request will fail again."""

    type: str
    title: str
    status: int
    code: str
    permanent: bool
    request_id: str
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


TITLES = {
    "invalid_request": "The request is not valid",
    "unauthorized": "No valid API key",
    "forbidden": "The key does not have the scope",
    "not_found": "There is no such thing",
    "method_not_allowed": "Not for this path",
    "too_slow": "The request took too long to arrive",
    "too_large": "The request is too large",
    "unsupported_media_type": "The body must be JSON",
    "idempotency_mismatch": "The idempotency key was used for another request",
    "idempotency_running": "The first request with this idempotency key is not answered yet",
    "too_late": "The message has left, or has ended",
    "rate_limited": "Too many messages",
    "unavailable": "Nothing can be accepted now",
    "search_too_long": "The search must read too much",
    "internal": "A bug of ours",
}


class ProblemError(Exception):
    """Ends a request with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        *,
        permanent: bool = True,
        retry_after_s: float = 0.0,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail or code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.permanent = permanent
        self.headers = headers
        if retry_after_s:
            self.headers += (("Retry-After", str(max(1, round(retry_after_s + 0.499)))),)

    def body(self, request_id: str) -> ProblemBody:
        """What is sent."""
        title = TITLES.get(self.code, self.code)
        kind = TYPES + self.code
        return ProblemBody(kind, title, self.status, self.code, self.permanent, request_id, self.detail, self.errors)


def invalid(pointer: str, code: str, detail: str) -> NoReturn:
    """One field is wrong."""
    raise ProblemError(422, "invalid_request", detail, (FieldError(pointer, code, detail),))


def not_found(what: str) -> NoReturn:
    """Not there, or somebody else's: which of the two is not told."""
    raise ProblemError(404, "not_found", f"no such {what}")


def unavailable(why: str, retry_after_s: float = 1.0) -> ProblemError:
    """Not now: nothing was accepted."""
    return ProblemError(503, "unavailable", why, permanent=False, retry_after_s=retry_after_s)
