"""What JSON looks like outside: lists, previews, templates, and what is told about messages (see `schemas`)."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from gateway.api.schemas import Body, ListName, MessageId, Moment, Number, Out, Text, Word

VariableName: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]


class OptOutIn(Body, frozen=True, kw_only=True):
    """Recipients that join a list: `optout` gets no campaigns, `blocked` nothing at all, `consent` agreed to campaigns, and at
    `suppressed` nothing arrives.
    """

    numbers: Annotated[list[Number], Meta(min_length=1, max_length=10_000)]
    list_: ListName = msgspec.field(name="list", default="optout")
    why: Annotated[str, Meta(max_length=200)] = ""


class OptOutQuery(Body, frozen=True, kw_only=True):
    """Which list, and from where on."""

    list_: ListName = msgspec.field(name="list", default="optout")
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    cursor: Annotated[str, Meta(pattern="^[0-9]{0,15}$")] = ""


class OptOutPage(Out, frozen=True, kw_only=True):
    """Recipients on a list, in order; `total` of them in all."""

    data: list[str]
    total: int
    next_cursor: str | None


class OptOutDone(Out, frozen=True, kw_only=True):
    """How many numbers were taken; `invalid` were none."""

    changed: int
    detail: str = ""


class PreviewStep(Out, frozen=True, kw_only=True):
    """One rule and what it says."""

    rule: str
    verdict: str
    refused: bool


class PreviewChannel(Out, frozen=True, kw_only=True):
    """A channel of the route the message would take."""

    name: str
    weight: int
    state: str


class PreviewOut(Out, frozen=True, kw_only=True):
    """What would become of a message: nothing was sent, nothing counted. `listed`: what a phone shows in its list; `channel`:
    the one that would be chosen now, and `why`.
    """

    allowed: bool
    steps: list[PreviewStep]
    to: str
    text: str
    listed: str
    segments: int
    encoding: str
    channels: list[PreviewChannel]
    channel: str = ""
    why: str = ""
    cost: int = 0
    currency: str = ""
    next_send_at: Moment | None = None


class TemplateIn(Body, frozen=True, kw_only=True):
    """A Liquid text; a message or batch names it by `template_id`."""

    id: Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,64}$")]
    text: Text
    required: Annotated[list[VariableName], Meta(max_length=50)] = []


class TemplateOut(Out, frozen=True, kw_only=True):
    """A template; `variables` are those it uses."""

    id: str
    text: str
    required: list[str]
    variables: list[str]
    created_at: Moment


class TemplateList(Out, frozen=True, kw_only=True):
    data: list[TemplateOut]


class FeedbackIn(Body, frozen=True, kw_only=True):
    """What a recipient did with a message: a code was used, something was bought."""

    message_id: MessageId
    event: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Annotated[int, Meta(ge=0, le=10**15)] = 0
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")] = ""
    at: Moment | None = None


class ComplaintIn(Body, frozen=True, kw_only=True):
    """A recipient complained, here or at the carrier."""

    received_at: Moment
    source: Annotated[str, Meta(min_length=1, max_length=64)]
    message_id: MessageId | None = None
    campaign_id: Word = ""
    answered_at: Moment | None = None
    text: Annotated[str, Meta(max_length=1_000)] = ""
