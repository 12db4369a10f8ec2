"""From a request to an operation and back: the key, its scope, the body, and every way it can go wrong."""

import os
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import log
from gateway.api.bodies import convert, decode, read_body
from gateway.api.corelink import CoreAwayError
from gateway.api.operation import Asked, Operation, Said, Services
from gateway.api.problems import ProblemError, unavailable
from gateway.calls.things import ApiKey

_JSON = msgspec.json.Encoder()
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
BODIES = ("POST", "PUT", "PATCH")
CODES = {404: "not_found", 405: "method_not_allowed"}
CHALLENGE = (("WWW-Authenticate", 'Bearer realm="tensec"'),)


def new_request_id() -> str:
    """To be told to us when something went wrong."""
    return f"req_{os.urandom(9).hex()}"


class Endpoint:
    """An operation, ready to be called by Starlette."""

    def __init__(self, operation: Operation, services: Services) -> None:
        self._operation = operation
        self._services = services
        self._by_directory = operation.path.startswith(("/v1/keys/", "/v1/webhooks/"))
        self._decoder = msgspec.json.Decoder(operation.body) if operation.body is not None else None
        self._log = log.logger()

    async def __call__(self, request: Request) -> Response:
        request_id = new_request_id()
        try:
            said = await self._answer(request)
        except ProblemError as problem:
            return problem_response(problem, request_id)
        except CoreAwayError as error:
            return problem_response(unavailable(str(error)), request_id)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer and we a line
            self._log.exception("bug: request failed", request_id=request_id, path=self._operation.path)
            return problem_response(ProblemError(500, "internal", permanent=False), request_id)
        if isinstance(said, Response):
            return said
        content = b"" if said.body is None else said.body if isinstance(said.body, bytes) else _JSON.encode(said.body)
        headers = dict(said.headers)
        headers["X-Request-Id"] = request_id
        return Response(content, said.status, headers, JSON_TYPE if content else None)

    async def _answer(self, request: Request) -> Said | Response:
        operation, services = self._operation, self._services
        key = self._key_of(request)
        if operation.scope not in key.scopes:
            raise ProblemError(403, "forbidden", f"needs the scope {operation.scope}; this key has {', '.join(key.scopes)}")
        raw = b""
        body: Any = None
        settings = services.settings
        if operation.method in BODIES:
            raw = await read_body(request, settings.body_size_max, settings.body_timeout_s)
            if self._decoder is not None:
                kind = request.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
                if kind != JSON_TYPE and not kind.endswith("+json"):
                    raise ProblemError(415, "unsupported_media_type", f"{kind}: send {JSON_TYPE}")
                body = decode(raw or b"{}", self._decoder)
        arrival, arrival_utc = services.now(), services.utc()
        query = None if operation.query is None else convert(dict(request.query_params), operation.query)
        asked = Asked(services, key, request.path_params, body, query, raw, request.headers, arrival, arrival_utc)
        try:
            answer: Said | Response = await operation.handler(asked)
        except ProblemError as problem:
            if problem.status != 404 or not self._by_directory:
                raise
            await services.core.heard()  # another worker may have made it just now
            answer = await operation.handler(asked)
        return answer

    def _key_of(self, request: Request) -> ApiKey:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if not secret:
            raise ProblemError(401, "unauthorized", "send Authorization: Bearer sk_...", headers=CHALLENGE)
        if not self._services.core.connected.is_set():
            raise unavailable("the core is not there")  # else a good key would be called a bad one
        key = self._services.directory.key_of(secret.strip(), self._services.utc()) if kind.lower() == "bearer" else None
        if key is None:
            raise ProblemError(401, "unauthorized", "this key is unknown, revoked or expired", headers=CHALLENGE)
        return key


def problem_response(problem: ProblemError, request_id: str) -> Response:
    """A problem as octets."""
    headers = dict(problem.headers)
    headers["X-Request-Id"] = request_id
    return Response(_JSON.encode(problem.body(request_id)), problem.status, headers, PROBLEM_TYPE)


async def no_route(_request: Request, error: Exception) -> Response:
    """Paths and methods there are not."""
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "invalid_request")
    problem = ProblemError(error.status_code, code, headers=tuple((error.headers or {}).items()))
    return problem_response(problem, new_request_id())


def application(operations: tuple[Operation, ...], services: Services, pages: list[Route]) -> Starlette:
    """All of it. `pages` need no key."""
    by_path: dict[str, list[Operation]] = {}
    for one in operations:
        by_path.setdefault(one.path, []).append(one)
    routes = [Route(path, _Methods(several, services), methods=None) for path, several in by_path.items()]
    app = Starlette(routes=[*routes, *pages], exception_handlers={HTTPException: no_route})
    app.router.redirect_slashes = False  # it would send clients, key and all, to whatever their Host header says
    return app


class _Methods:
    """The operations of one path."""

    def __init__(self, operations: list[Operation], services: Services) -> None:
        self._endpoints = {one.method: Endpoint(one, services) for one in operations}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        endpoint = self._endpoints.get(request.method)
        if endpoint is None:
            raise HTTPException(405, headers={"Allow": ", ".join(self._endpoints)})
        response = await endpoint(request)
        await response(scope, receive, send)
