"""What becomes of one submit, decided without sockets or clocks: the time is handed in, all randomness comes from one seed.

Every concern draws from a stream of its own, so that a switch turned on does not change what another one draws.
"""

from bisect import bisect_right
from itertools import accumulate
from random import Random, SystemRandom

import msgspec

from bench.carrier.ids import spellers
from bench.carrier.options import Options
from protocol.receipt import MessageState
from protocol.status import Status

_REGISTERED = 0x03


class Plan(msgspec.Struct, gc=False, frozen=True):
    """What the carrier does with one submit. Delays are seconds; `dlr_delay` counts from the response."""

    status: int
    resp_delay: float | None
    """None: swallowed."""
    message_id: str = ""
    receipt_id: str = ""
    state: MessageState = MessageState.UNKNOWN
    """What the message comes to, after `dlr_delay`."""
    dlr_delay: float = 0.0
    wants_receipt: bool = False
    loses_receipt: bool = False


class TokenBucket:
    """`rate` tokens per second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = self.tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Whether there was a token at `now`."""
        if self._at is not None:
            self.tokens = min(self.burst, self.tokens + (now - self._at) * self.rate)
        self._at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Behaviour:
    """Decides submits one by one, in the order in which they arrive."""

    def __init__(self, options: Options) -> None:
        seed = SystemRandom().getrandbits(48) if options.seed is None else options.seed

        def stream(concern: str) -> Random:
            return Random(f"{seed}:{concern}")

        self._loss, self._full, self._error = stream("loss"), stream("queue full"), stream("error")
        self._resp, self._dlr = stream("response latency"), stream("receipt latency")
        self._late, self._dlr_loss, self._state = stream("late"), stream("receipt loss"), stream("state")
        # Seven hexadecimal digits at most, so that padded spellings begin with a zero.
        self._number = stream("first id").randrange(0x0100000, 0x7000000) if options.first_id is None else options.first_id
        self._bucket = _bucket(options)
        self._rules(options)

    def become(self, options: Options) -> None:
        """Decide by `options` from now on. Ids and randomness go on, and so does the throttle unless it is what changes."""
        if (options.rate, options.burst) != (self.options.rate, self.options.burst):
            self._bucket = _bucket(options)
        self._rules(options)

    def _rules(self, options: Options) -> None:
        self.options = options
        self._refuses = bool(options.refuse or options.rate or options.queue_full_share or options.error_share)
        self._spell, self._respell = spellers(options.id_format, options.dlr_id_format)
        self._states = [state for state, _ in options.stat_mix.shares]
        self._bounds = list(accumulate(share for _, share in options.stat_mix.shares))

    def decide(self, destination: str, registered_delivery: int, now: float) -> Plan:
        """The fate of one submit that arrived at `now` (seconds of any steady clock)."""
        options = self.options
        status = self._refusal(destination, now) if self._refuses else 0
        if status:
            return Plan(status, options.resp_latency.draw(self._resp))
        if options.loss and self._loss.random() < options.loss:
            return Plan(0, None)
        number = self._number
        self._number = number + 1
        message_id = self._spell(number)
        state = self._draw_state()
        late = options.dlr_late_share and self._late.random() < options.dlr_late_share
        return Plan(
            0,
            options.resp_latency.draw(self._resp),
            message_id,
            self._respell(number, message_id),
            state,
            (options.dlr_late if late else options.dlr_latency).draw(self._dlr),
            options.dlr != "none" and receipt_wanted(registered_delivery, state),
            bool(options.dlr_loss) and self._dlr_loss.random() < options.dlr_loss,
        )

    def _refusal(self, destination: str, now: float) -> int:
        options = self.options
        for refusal in options.refuse:
            if refusal.pattern.search(destination):
                return refusal.status
        if self._bucket is not None and not self._bucket.take(now):
            return Status.RTHROTTLED
        if options.queue_full_share and self._full.random() < options.queue_full_share:
            return Status.RMSGQFUL
        return options.error_status if options.error_share and self._error.random() < options.error_share else 0

    def _draw_state(self) -> MessageState:
        if len(self._states) == 1:
            return self._states[0]
        at = bisect_right(self._bounds, self._state.random() * self._bounds[-1])
        return self._states[min(at, len(self._states) - 1)]


def _bucket(options: Options) -> TokenBucket | None:
    return TokenBucket(options.rate, options.burst or max(1.0, options.rate)) if options.rate else None


def receipt_wanted(registered_delivery: int, state: MessageState) -> bool:
    """SMPP 3.4 section 5.2.17: 1 always, 2 on failure; 3 on success comes from 5.0."""
    wish = registered_delivery & _REGISTERED
    return wish == 1 or (wish == 2 and state != MessageState.DELIVERED) or (wish == 3 and state == MessageState.DELIVERED)
