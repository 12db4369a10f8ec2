"""The ten seconds, counted per class and channel, on two clocks.

The user's clock runs from max(arrival, due) to delivery, our queueing included; the channel's from the write to delivery.
A message that ends without delivery is outside the ten seconds.
"""

WITHIN_S = 10.0


class Tally:
    """Counts of messages that became final."""

    def __init__(self) -> None:
        self.final = 0
        self.delivered = 0
        self.within = 0
        self.channel_within = 0

    def deliver(self, since_due: float, since_written: float | None) -> None:
        """One was delivered; latencies in seconds on the user's clock and the channel's."""
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

    def of(self, class_: str, channel: str) -> Tally:
        """Those of a class on a channel."""
        tally = self.tallies.get((class_, channel))
        if tally is None:
            tally = self.tallies[class_, channel] = Tally()
        return tally

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
