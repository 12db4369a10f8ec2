"""Web addresses in texts: well-formed, and of domains that are allowed.

Where domains are given, what phones make a link of counts too: other schemes, and names without any (t.cn/x, shop.com).
"""

import re
import unicodedata

from config.policy import Links
from routing.policy.verdict import Refusal

_CHARACTERS = r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]"
_LINK = re.compile(rf"(?:https?://|www\.){_CHARACTERS}*", re.IGNORECASE)
_ANY_LINK = re.compile(
    rf"(?:[a-z][a-z0-9+.-]*://|www\.){_CHARACTERS}*"
    rf"|(?<![a-z0-9@._-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.)+"
    rf"(?:[a-z]{{2,24}}(?::[0-9]+)?/{_CHARACTERS}*"
    rf"|(?:com|net|org|cn|cc|io|info|biz|top|xyz|vip|app|shop|site|online|club|live|link)(?![a-z0-9@-]|\.[a-z]))",
    re.IGNORECASE | re.ASCII,
)
DOTS = ".\u2024-\u2026\u2488-\u249b\u33c2\u33c7\u33d8\ufe19\ufe30\ufe52\uff0e\U0001f100"
SLASHES = "/\u2100\u2101\u2105\u2106\uff0f"
"""Characters whose compatibility forms hold a dot, or a slash."""
_MAY_BE = re.compile(f"[{DOTS}{SLASHES}]")
_BEHIND = ".,:;!?'*_~"
"""What a sentence puts behind a link."""
_HOST = re.compile(r"(?:https?://)?(?:[^/?#@]*@)?([^/:?#]*)(?::([0-9]*))?(?:[/?#]|$)", re.IGNORECASE)
_USER = re.compile(r"(?:https?://)?[^/?#]*@", re.IGNORECASE)
"""A user before the host makes another host look like it."""
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", re.IGNORECASE)
PORT_MAX = 65_535


class LinkRule:
    """Compiled for one policy."""

    def __init__(self, rule: Links) -> None:
        self._domains = tuple(one.lower().strip(".") for one in rule.domains)
        self._link = _ANY_LINK if self._domains else _LINK

    def check(self, text: str) -> Refusal | None:
        """Why this text may not be sent."""
        if _MAY_BE.search(text) is None:  # most texts hold no link, and are not folded to see that
            return None
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        for match in self._link.finditer(text):
            link = _without_end(match[0])
            host = _HOST.match(link)
            port = host[2] if host is not None else None
            if host is None or not _NAME.match(host[1]) or not _is_port(port) or _USER.match(link):
                return Refusal("link", "links", f"{link[:60]} is no web address")
            name = host[1].lower()
            if self._domains and not any(name == one or name.endswith(f".{one}") for one in self._domains):
                return Refusal("link", "links", f"{name} is none of the allowed domains")
        return None


def _without_end(link: str) -> str:
    """A link without the punctuation behind it, and without a bracket that was opened before it."""
    while link:
        last = link[-1]
        unopened = (last == ")" and link.count("(") < link.count(")")) or (last == "]" and link.count("[") < link.count("]"))
        if not unopened and last not in _BEHIND:
            break
        link = link[:-1]
    return link


def _is_port(port: str | None) -> bool:
    return port is None or (port.isdigit() and len(port) < 6 and 0 < int(port) <= PORT_MAX)
