"""What a lane counts for monitoring alone: how fast the carrier answers, what it makes us wait, what had to go another way."""

from bisect import bisect_left
from collections.abc import Sequence

import trio

from gateway.core.part import Part

ANSWER_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class LaneCounts:
    """Since the lane was made."""

    def __init__(self) -> None:
        self.answers = [0] * (len(ANSWER_EDGES_S) + 1)
        """Answers to submits, by how long they took: up to each edge, and longer."""
        self.answers_s = 0.0
        """All of these together."""
        self.throttled = 0
        self.unknown = 0
        """Attempts that left and had no answer in time, or whose link died."""
        self.failovers = 0
        """Messages that another channel had before."""
        self.paced_s = 0.0
        """Seconds in which something could have been sent, had the pace allowed it."""

    def answered(self, took_s: Sequence[float]) -> None:
        """So many answers."""
        answers = self.answers
        for one in took_s:
            answers[bisect_left(ANSWER_EDGES_S, one)] += 1
        self.answers_s += sum(took_s)

    def taken(self, parts: Sequence[Part], channel: str) -> None:
        """Parts that are about to begin: the channel in a message is still that of its attempt before."""
        self.failovers += sum([part.number == 1 and part.message.channel not in ("", channel) for part in parts])

    def unclear(self, part: Part) -> None:
        """Once for each part, however often it is found out."""
        self.unknown += not part.unclear
        part.unclear = True

    async def pace(self, seconds: float) -> None:
        """Wait, as the pace wants it."""
        self.paced_s += seconds
        await trio.sleep(seconds)
