"""Web addresses in texts: well-formed, and of domains that are allowed."""

import re

from config.policy import Links
from routing.policy.verdict import Refusal

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"'，。；！？、）】]+", re.IGNORECASE)
_HOST = re.compile(r"(?:https?://)?(?:[^/@]*@)?([^/:?#]+)(?::(\d+))?(?:[/?#]|$)", re.IGNORECASE)
_USER = re.compile(r"(?:https?://)?[^/]*@", re.IGNORECASE)
"""A user before the host makes another host look like it."""
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", re.IGNORECASE)


class LinkRule:
    """Compiled for one policy."""

    def __init__(self, rule: Links) -> None:
        self._on = rule.check or bool(rule.domains)
        self._domains = tuple(one.lower().lstrip(".") for one in rule.domains)
        self._classes = frozenset(rule.classes)

    def applies(self, class_: str) -> bool:
        """Whether texts of this class are looked at."""
        return self._on and (not self._classes or class_ in self._classes)

    def check(self, text: str) -> Refusal | None:
        """Why this text may not be sent."""
        if "://" not in text and "www." not in text.lower():
            return None
        for match in _LINK.finditer(text):
            link = match[0]
            host = _HOST.match(link)
            if host is None or not _NAME.match(host[1]) or int(host[2] or "1") > 65_535 or _USER.match(link):
                return Refusal("link", "links", f"{link[:60]} is no web address")
            name = host[1].lower()
            if self._domains and not any(name == one or name.endswith(f".{one}") for one in self._domains):
                return Refusal("link", "links", f"{name} is none of the allowed domains")
        return None
