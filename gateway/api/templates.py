"""Templates of an account: Liquid, within bounds, every variable known before anything is sent."""

from collections.abc import Mapping
from functools import lru_cache

import liquid
from liquid.exceptions import LiquidError

from gateway.api.corelink import put_document
from gateway.api.operation import Asked, Said
from gateway.api.problems import invalid, not_found
from gateway.api.render import sure_moment
from gateway.api.rule_schemas import TemplateIn, TemplateList, TemplateOut
from gateway.api.texts import fill
from gateway.calls.making import stored
from gateway.calls.things import TEMPLATE, Template
from protocol.errors import ContentError

TEMPLATES_MAX = 1_000


class _Bounded(liquid.Environment):
    """Whoever writes templates cannot hold us up."""

    loop_iteration_limit = 10_000
    output_stream_limit = 100_000
    context_depth_limit = 10
    local_namespace_limit = 100_000


_LIQUID = _Bounded(undefined=liquid.StrictDefaultUndefined)


@lru_cache(maxsize=1_024)
def _parsed(text: str) -> liquid.BoundTemplate:
    return _LIQUID.from_string(text)


def variables(text: str) -> list[str]:
    """Names a template uses. Raises ContentError when it is no Liquid."""
    try:
        return sorted(str(one) for one in _parsed(text).global_variables())
    except LiquidError as error:
        raise ContentError(f"not a Liquid template: {_first_line(error)}") from None


def rendered(template: Template, params: Mapping[str, str]) -> str:
    """The text. Raises ContentError for a variable that is missing."""
    missing = [name for name in template.required if not params.get(name)]
    if missing:
        raise ContentError(f"params.{missing[0]} is required by template {template.id.partition('/')[2]}")
    try:
        return _parsed(template.text).render(**params)
    except LiquidError as error:
        raise ContentError(f"template {template.id.partition('/')[2]}: {_first_line(error)}") from None


def _first_line(error: LiquidError) -> str:
    """Without the picture of the place."""
    return str(error).partition("\n")[0]


def text_for(asked: Asked, text: str, template_id: str, params: Mapping[str, str]) -> str:
    """What a message says: its own text with holes filled, or its template's. Raises ContentError, and ProblemError 422."""
    if text:
        return fill(text, params) if "{{" in text and params else text
    template = asked.services.directory.template(asked.account, template_id)
    if template is None:
        invalid("/template_id" if template_id else "/text", "missing", "give a text, or the id of a template")
    return rendered(template, params)


def _out(template: Template) -> TemplateOut:
    return TemplateOut(
        id=template.id.partition("/")[2],
        text=template.text,
        required=list(template.required),
        variables=variables(template.text),
        created_at=sure_moment(template.created_utc),
    )


async def list_templates(asked: Asked) -> Said:
    return Said(200, TemplateList(data=[_out(one) for one in asked.services.directory.templates(asked.account)]))


async def put_template(asked: Asked) -> Said:
    """A new one, or another text for one of this id."""
    body: TemplateIn = asked.body
    try:
        used = variables(body.text)
    except ContentError as error:
        invalid("/text", "invalid_template", str(error))
    strangers = [name for name in body.required if name not in used]
    if strangers:
        invalid("/required", "unknown_variable", f"the text does not use {strangers[0]}")
    if sum(1 for _ in asked.services.directory.templates(asked.account)) >= TEMPLATES_MAX:
        invalid("", "too_many", f"an account has at most {TEMPLATES_MAX} templates")
    template = Template(
        id=f"{asked.account}/{body.id}",
        account=asked.account,
        text=body.text,
        required=tuple(body.required),
        created_utc=asked.services.utc(),
    )
    await put_document(asked.services.core, TEMPLATE, template.id, stored(template))
    return Said(201, _out(template), (("Location", f"/v1/templates/{body.id}"),))


def _own(asked: Asked) -> Template:
    template = asked.services.directory.template(asked.account, asked.path["id"])
    if template is None:
        not_found("template")
    return template


async def get_template(asked: Asked) -> Said:
    return Said(200, _out(_own(asked)))


async def delete_template(asked: Asked) -> Said:
    await put_document(asked.services.core, TEMPLATE, _own(asked).id, b"")
    return Said(204)
