"""/openapi.json, and /docs: the same for people, one page that loads nothing from elsewhere."""

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.api import openapi
from gateway.api.problems import TITLES

STYLE = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--accent:#0a66c2}
@media(prefers-color-scheme:dark){:root{--accent:#7ab8ff}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1.5rem}
h1{margin:.2em 0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
a{color:var(--accent)}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:var(--soft);padding:.8rem;overflow:auto;border-radius:6px}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer;display:flex;gap:.8rem;flex-wrap:wrap;align-items:baseline}
summary b{min-width:4rem}summary span{opacity:.75}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem .25rem 0;vertical-align:top}
tr{border-top:1px solid var(--line)}.scroll{overflow-x:auto}
"""
INTRO = """
<h1>Tensec API</h1>
<p>{description}</p>
<p>Send your key as <code>Authorization: Bearer sk_...</code>. The same as a document for programs:
<a href="/openapi.json">/openapi.json</a>.</p>
<pre>curl -H 'Authorization: Bearer sk_...' -H 'Content-Type: application/json' \\
     -d '{{"to":"+8613800138000","text":"Your code is 123456","class":"verification"}}' \\
     {base}/v1/messages</pre>
"""


async def openapi_page(_request: Request) -> Response:
    """For programs."""
    return Response(openapi.encoded(), media_type="application/json")


async def docs_page(request: Request) -> Response:
    """For people."""
    base = escape(str(request.base_url).rstrip("/"))
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(_page().replace("{base}", base), headers=policy)


@cache
def _page() -> str:
    document: dict[str, Any] = json.loads(openapi.encoded())
    intro = INTRO.replace("{description}", escape(document["info"]["description"])).replace("{{", "{").replace("}}", "}")
    parts = ['<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tensec API</title>']
    parts.append('<meta name="viewport" content="width=device-width,initial-scale=1">')
    parts.append(f"<style>{STYLE}</style></head><body>{intro}")
    parts += _operations(document)
    parts.append('<h2 id="types">Types</h2>')
    parts += (_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    parts.append("<h2>Errors</h2><div class=scroll><table><tr><th>code</th><th>title</th></tr>")
    parts += (f'<tr id="{code}"><td><code>{code}</code><td>{escape(title)}</tr>' for code, title in TITLES.items())
    parts.append("</table></div></body></html>")
    return "".join(parts)


def _operations(document: dict[str, Any]) -> Iterator[str]:
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            tags.setdefault(one["tags"][0], []).append(_operation(method.upper(), path, one))
    for tag, operations in tags.items():
        yield f"<h2>{escape(tag)}</h2>"
        yield from operations


def _operation(method: str, path: str, one: dict[str, Any]) -> str:
    head = f"<summary><b>{method}</b><code>{escape(path)}</code><span>{escape(one['summary'])}</span></summary>"
    rows = [f"<p>{escape(one['description']).replace('`', '')}"]
    body = one.get("requestBody")
    if body is not None:
        rows.append(f" Body: {_shown(body['content']['application/json']['schema'])}.")
    rows.append("</p><div class=scroll><table>")
    for parameter in one.get("parameters", []):
        kind = f"{parameter['in']}: {_shown(parameter['schema'])}"
        rows.append(f"<tr><td><code>{escape(parameter['name'])}</code><td>{kind}</tr>")
    for status, answer in one["responses"].items():
        schemas = [content["schema"] for content in answer.get("content", {}).values()]
        kind = _shown(schemas[0]) if schemas else ""
        rows.append(f"<tr><td>{status}<td>{escape(answer['description'])} {kind}</tr>")
    return f"<details>{head}{''.join(rows)}</table></div></details>"


def _type(name: str, schema: dict[str, Any]) -> str:
    rows = [f'<details id="type-{name}"><summary><code>{name}</code></summary><p>{escape(schema.get("description", ""))}</p>']
    rows.append("<div class=scroll><table>")
    required = set(schema.get("required", ()))
    for field, kind in schema.get("properties", {}).items():
        needed = " (required)" if field in required else ""
        said = escape(kind.get("description", ""))
        rows.append(f"<tr><td><code>{escape(field)}</code>{needed}<td>{_shown(kind)}<td>{said}</tr>")
    return "".join(rows) + "</table></div></details>"


def _shown(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_shown(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_shown(schema.get('items', {}))}"
    limits = [f"{word} {schema[name]}" for name, word in _LIMITS if name in schema]
    words = str(schema.get("format", schema.get("type", "anything")))
    return escape(", ".join([words, *limits]))


_LIMITS = (("minLength", "at least"), ("maxLength", "at most"), ("minimum", "from"), ("maximum", "to"), ("pattern", "as"))

PAGES = [Route("/openapi.json", openapi_page), Route("/docs", docs_page)]
