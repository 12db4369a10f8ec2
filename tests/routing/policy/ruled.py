"""Screens of one account under one policy, messages for it, and vectors of the corpus."""

import json
import os
from pathlib import Path
from typing import Any

from config.policy import Policy
from config.schema import Account, Secret
from protocol.text import encode_text
from routing.policy.screen import Screen
from routing.policy.verdict import Refusal
from routing.records import Content, Message

VECTORS = Path(os.environ.get("TENSEC_VECTORS") or Path(__file__).parents[2] / "vectors" / "visible.jsonl")
UTC = 1_800_000_000.0
"""A Friday, 08:00 UTC, 16:00 in China."""
TO = "8613800138000"
VALIDITY_S = {"verification": 300.0, "notification": 86_400.0, "marketing": 86_400.0}


def screen_of(policy: Policy | None = None, *, words: tuple[str, ...] = (), **account: Any) -> Screen:
    return Screen(
        Account(**{"system_id": "shop", "password_hash": Secret("x"), **account}), policy or Policy(), words, VALIDITY_S
    )


def message(text: str = "hello", to: str = TO, **fields: Any) -> Message:
    data_coding, data = encode_text(text)
    content = fields.pop("content", None) or Content(data, data_coding, parts=fields.pop("parts", 1))
    class_ = fields.get("class_", "notification")
    defaults: dict[str, Any] = {
        "account": "shop",
        "source": "Shop",
        "destination": to,
        "arrival_utc": UTC,
        "expires_utc": (fields.get("due_utc") or UTC) + VALIDITY_S[class_],
    }
    return Message(id=1, content=content, **{**defaults, **fields})


def judged(policy: Policy, text: str = "hello", to: str = TO, **fields: Any) -> tuple[str, Message]:
    """(reason, the message as it would be stored); the reason is empty when it passes."""
    one = message(text, to, **fields)
    refusal = screen_of(policy).check(one, UTC)
    return "" if refusal is None else refusal.reason, one


def reason(refusal: Refusal | str | None) -> str:
    return refusal.reason if isinstance(refusal, Refusal) else ""


def vectors(kind: str) -> list[dict[str, Any]]:
    with VECTORS.open(encoding="utf-8") as lines:
        return [one for one in map(json.loads, lines) if one["kind"] == kind]
