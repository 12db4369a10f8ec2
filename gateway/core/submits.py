"""What is counted of submits as carriers get them: by the channel's meters for planning, and on the clock of the ten seconds.

Of a message in parts the first stands for all. What is refused, or turns out not to have left, is taken back: nobody waits for
its receipt.
"""

from collections.abc import Iterable

from config.schema import Channel
from gateway.core.laneowner import LaneOwner
from gateway.core.part import Part
from routing.operators import network_of
from routing.quality import ChannelQuality


class Submits:
    """Those of one channel."""

    def __init__(self, channel: Channel, owner: LaneOwner, quality: ChannelQuality) -> None:
        self._channel = channel
        self._owner = owner
        self._quality = quality

    def written(self, parts: Iterable[Part], now: float) -> None:
        """They have gone to the carrier. Where no receipts come, nobody waits for them."""
        if not self._channel.receipts:
            return
        by_begun: dict[float, dict[tuple[str, str, str], int]] = {}
        for part in parts:
            if part.number == 1:
                message = part.message
                alike = by_begun.setdefault(part.begun, {})
                key = (message.class_, network_of(message), message.account)
                alike[key] = alike.get(key, 0) + 1
        for begun, alike in by_begun.items():
            for (class_, network, _), count in alike.items():
                self._quality.of(class_, network).written(count, now)
            self._owner.written(self._channel.name, alike, begun)

    def refused(self, part: Part, now: float, *, throttled: bool) -> None:
        """The carrier did not take it."""
        self._quality.answers.answered(now, refused=int(not throttled), throttled=int(throttled))
        if part.number == 1:
            self._quality.of(part.message.class_, network_of(part.message)).answered(now, refused=int(not throttled))
            self._take_back(part)

    def unsent(self, parts: Iterable[Part]) -> None:
        """They never left us."""
        for part in parts:
            if part.number == 1:
                self._take_back(part)

    def _take_back(self, part: Part) -> None:
        if self._channel.receipts:
            self._quality.of(part.message.class_, network_of(part.message)).not_written(1, part.written)
            self._owner.not_written(self._channel.name, part.message, part.begun)
