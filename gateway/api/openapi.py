"""OpenAPI 3.1 of the operations: schemas from the types that check requests, so it says what is done."""

import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from gateway.api.operation import Operation
from gateway.api.problems import ProblemBody
from gateway.api.schemas import EVENTS, Event

REF = "#/components/schemas/{name}"
ANYBODY = {400: "Not JSON, or not HTTP", 401: "No valid key", 403: "The key lacks the scope", 500: "A bug of ours"}
WITH_BODY = {408: "The body took too long", 413: "The body is too large", 415: "The body must be JSON"}
OTHERS = {404: "Not there, or somebody else's", 409: "Too late, or still under way", 422: "Something in it is wrong"}
LATER = {429: "Too many messages; nothing was accepted", 503: "Nothing can be accepted now"}
_HOLE = re.compile(r"\{([a-z]+)\}")
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}
IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of your choice. A repeat of the request within 24 hours is answered as the first time.",
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[\\x20-\\x7E]*$"},
}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole description."""
    listed = list(operations)
    types = [kind for one in listed for kind in (one.body, one.query, *one.answers.values()) if _is_type(kind)]
    _, components = msgspec.json.schema_components([*types, ProblemBody, Event], ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, components)
    used = {name: schema for name, schema in components.items() if not _is_query(name, listed)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tensec",
            "version": version("tensec"),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Messages in over HTTP, out over carriers. 202 means accepted and on disk, not delivered: "
            "webhooks, /v1/events or a question tell what became of it.",
        },
        "paths": paths,
        "webhooks": {"event": {"post": _event()}},
        "components": {
            "schemas": used,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "sk_... of `tensec key create`"}},
        },
        "security": [{"key": []}],
    }


def _is_type(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_query(name: str, operations: list[Operation]) -> bool:
    return any(one.query is not None and one.query.__name__ == name for one in operations)


def _operation(one: Operation, components: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _HOLE.findall(one.path)
    ]
    if one.query is not None:
        schema = components[one.query.__name__]
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": field} for name, field in schema["properties"].items()
        ]
    if one.repeatable:
        parameters.append(IDEMPOTENCY)
    found: dict[str, Any] = {
        "summary": one.summary,
        "description": f"Scope: `{one.scope}`.",
        "operationId": _name(one),
        "tags": [one.tag],
        "responses": _responses(one),
    }
    if parameters:
        found["parameters"] = parameters
    if one.body is not None:
        required = any(field.required for field in msgspec.structs.fields(one.body))
        found["requestBody"] = {"required": required, "content": {"application/json": {"schema": _ref(one.body)}}}
    return found


def _name(one: Operation) -> str:
    words = one.handler.__name__.split("_")
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _ref(kind: Any) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}


def _responses(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, kind in one.answers.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if isinstance(kind, str):
            answer["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            answer["content"] = {"application/json": {"schema": _ref(kind)}}
        found[str(status)] = answer
    problems = dict(ANYBODY)
    if one.body is not None:
        problems |= WITH_BODY
    if one.body is not None or one.query is not None:
        problems[422] = OTHERS[422]
    problems |= {status: (OTHERS | LATER)[status] for status in (*one.problems, 503)}
    for status, words in sorted(problems.items()):
        answer = {"description": words, "content": {"application/problem+json": {"schema": _ref(ProblemBody)}}}
        if status in LATER:
            answer["headers"] = RETRY_AFTER
        found[str(status)] = answer
    return found


def _event() -> dict[str, Any]:
    return {
        "summary": "What a webhook receives; signed as Standard Webhooks has it",
        "description": f"`type` is one of {', '.join(EVENTS)}. `sla.breach` says that messages of a class of this account have "
        "been late for some minutes, `sla.recovery` that they are in time again.",
        "requestBody": {"content": {"application/json": {"schema": _ref(Event)}}},
        "responses": {"2XX": {"description": "Taken"}, "410": {"description": "Disables the webhook"}},
    }


@cache
def encoded() -> bytes:
    """The document as JSON."""
    from gateway.api.operations import OPERATIONS

    return msgspec.json.encode(document(OPERATIONS))
