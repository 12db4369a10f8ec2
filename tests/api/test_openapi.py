"""The document says what is done: valid, complete, and the page for people needs nobody else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from asgi import ask
from fake_core import Api
from openapi_spec_validator import validate

from gateway.api import openapi
from gateway.api.operations import OPERATIONS
from gateway.api.problems import TITLES


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(openapi.encoded())  # type: ignore[no-any-return]


def refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_operation_is_in_it_and_nothing_else(document: dict[str, Any]) -> None:
    said = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert said == {(one.method, one.path) for one in OPERATIONS}
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    for ref in refs(document):
        node: Any = document
        for step in ref.removeprefix("#/").split("/"):
            node = node[step]


def test_every_operation_is_routed_by_its_method_alone_and_needs_a_key(run: Any) -> None:
    async def main() -> None:
        api = Api()
        for one in OPERATIONS:
            path = re.sub(r"\{\w+\}", "x", one.path)
            assert (await ask(api.app, one.method, path)).status == 401, one
            assert (await ask(api.app, one.method, path, key="sk_wrong")).status == 401
            got = await ask(api.app, "TRACE", path)
            assert got.status == 405
            assert one.method in got.headers["allow"]

    run(main())


def test_every_operation_needs_its_scope(run: Any) -> None:
    async def main() -> None:
        api = Api()
        for one in OPERATIONS:
            _, secret = api.key(*({"send", "read", "ops", "admin"} - {one.scope}))  # type: ignore[arg-type]
            got = await ask(api.app, one.method, re.sub(r"\{\w+\}", "x", one.path), key=secret)
            assert (got.status, got.json["code"]) == (403, "forbidden")
            assert got.json["request_id"] == got.headers["x-request-id"]

    run(main())


def test_the_page_names_every_path_and_loads_nothing(run: Any) -> None:
    async def main() -> None:
        got = await ask(Api().app, "GET", "/docs", headers={"host": '"><script>alert(1)</script>'})
        page = got.body.decode()
        assert got.status == 200
        for one in OPERATIONS:
            assert f"<code>{one.path}</code>" in page
        for code in TITLES:
            assert f'id="{code}"' in page
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(|<script|<link""", page)
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert (await ask(Api().app, "GET", "/openapi.json")).json["openapi"] == "3.1.0"

    run(main())


@pytest.mark.parametrize("host", ["[::1", "a b", "\xff", "", "[x]:y"])
def test_a_strange_host_header_is_no_error_of_ours(host: str, run: Any) -> None:
    async def main() -> None:
        for path in ("/docs", "/v1/messages", "/v1/messages/", "/nowhere"):
            got = await ask(Api().app, "GET", path, headers={"host": host})
            assert got.status in (200, 401, 404)
            assert "location" not in got.headers

    run(main())
