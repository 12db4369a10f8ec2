"""The ten seconds, counted per class and channel, on two clocks.

The user's clock runs from max(arrival, due) to delivery, our queueing included; the channel's from the write to delivery.
A message that ends without delivery is outside the ten seconds.
"""

import msgspec

WITHIN_S = 10.0


class Tally(msgspec.Struct):
    """Counts of messages that became final."""

    final: int = 0
    delivered: int = 0
    within: int = 0
    channel_within: int = 0

    def add(self, since_due: float | None, since_written: float | None, *, correction: bool = False) -> None:
        """One more final message; latencies in seconds, None when it was not delivered. A correction was counted before."""
        if not correction:
            self.final += 1
        if since_due is None:
            return
        self.delivered += 1
        if since_due <= WITHIN_S:
            self.within += 1
        if since_written is not None and since_written <= WITHIN_S:
            self.channel_within += 1

    def share_within(self) -> float | None:
        """Share of final messages delivered within ten seconds of the user's clock; None before the first."""
        return self.within / self.final if self.final else None


class SlaBook:
    """Tallies by (class, channel)."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[str, str], Tally] = {}

    def add(
        self, class_: str, channel: str, since_due: float | None, since_written: float | None, *, correction: bool = False
    ) -> None:
        """One more final message; see Tally.add."""
        tally = self.tallies.get((class_, channel))
        if tally is None:
            tally = self.tallies[class_, channel] = Tally()
        tally.add(since_due, since_written, correction=correction)

    def of_channel(self, channel: str) -> Tally:
        """The sum over classes."""
        total = Tally()
        for (_, name), one in self.tallies.items():
            if name == channel:
                total.final += one.final
                total.delivered += one.delivered
                total.within += one.within
                total.channel_within += one.channel_within
        return total
