"""What the messages say: templates, in turn. `{n}` is the message's number, `{code}` six digits, `{to}` the recipient.

Codes repeat after a thousand messages, so that encoded texts can be kept: the generator must cost less than its target.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from protocol.errors import ContentError
from protocol.segment import split_text
from protocol.udh import Concat, concat_header

_LONG = (
    "Dear customer, your order {n} has left our warehouse. You find the invoice in your account; the parcel will be with you "
    "tomorrow between 9 and 12. If nobody is at home, our driver leaves it with a neighbour and leaves a card in your box."
)
_LONG_UNICODE = (
    "【Tensec】亲爱的会员，全场商品八折优惠，满三百元再减五十元，还有新品首发、限时秒杀和积分加倍等多重惊喜等您来拿，"
    "活动只到本周日，详情请到各门店咨询，编号{n}，退订回T"
)
PRESETS: dict[str, tuple[str, ...]] = {
    "short": ("Your code is {code}. It is valid for 5 minutes.",),
    "unicode": ("【Tensec】您的验证码是{code}，5分钟内有效。",),
    "long": (_LONG, _LONG_UNICODE),
}
PRESETS["mixed"] = PRESETS["short"] + PRESETS["unicode"] + PRESETS["long"]


def templates(spec: str) -> tuple[str, ...]:
    """The templates a preset, a file (one a line) or a text stands for. Raises ValueError."""
    if spec in PRESETS:
        return PRESETS[spec]
    if spec.startswith("@"):
        try:
            lines = tuple(line for line in Path(spec[1:]).read_text(encoding="utf-8").splitlines() if line.strip())
        except OSError as error:
            raise ValueError(f"cannot read the texts: {error}") from None
        if not lines:
            raise ValueError(f"{spec[1:]} holds no text: one template a line")
        return lines
    return (spec,)


def fill(template: str, number: int, to: int) -> str:
    """One message's text. Braces that are no placeholder stay as they are."""
    if "{" not in template:
        return template
    if "{code}" in template:
        template = template.replace("{code}", f"{number % 1000 * 991 + 7919:06d}")
    if "{n}" in template:
        template = template.replace("{n}", str(number))
    return template.replace("{to}", str(to)) if "{to}" in template else template


class Texts:
    """The texts of one class, one after the other."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = tuple(lines)
        self._turn = 0

    def next(self, number: int, to: int) -> str:
        """The text of message `number`."""
        template = self._lines[self._turn]
        self._turn = (self._turn + 1) % len(self._lines)
        return fill(template, number, to)


@lru_cache(maxsize=8192)
def parts_of(text: str) -> tuple[int, tuple[bytes, ...]]:
    """(data_coding, user data of each part, with the concatenation header where there are several). Raises ValueError."""
    try:
        cut = split_text(text)
    except ContentError as error:
        raise ValueError(f"a text cannot be sent: {error}") from None
    count = len(cut.parts)
    if count == 1:
        return cut.data_coding, cut.parts
    reference = crc32(text.encode()) & 0xFF
    return cut.data_coding, tuple(concat_header(Concat(reference, count, at, 8)) + part for at, part in enumerate(cut.parts, 1))
