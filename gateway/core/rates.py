"""How fast accounts may submit: one bucket each, whichever door they use."""

from collections.abc import Iterable

from config.schema import Account
from routing.throttle import TokenBucket


class Rates:
    """Buckets of `messages_per_second`; an account that was taken away has none, and is refused elsewhere."""

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def configure(self, accounts: Iterable[Account]) -> None:
        """Take over the accounts; those whose rate is the same keep what they have used."""
        before = self._buckets
        self._buckets = {}
        for one in accounts:
            bucket, rate = before.get(one.system_id), one.messages_per_second
            self._buckets[one.system_id] = bucket if bucket is not None and bucket.rate == rate else TokenBucket(rate, rate)

    def take(self, account: str, wanted: int, now: float) -> int:
        """How many of `wanted` messages may come now."""
        bucket = self._buckets.get(account)
        return wanted if bucket is None else bucket.take(wanted, now)

    def take_whole(self, account: str, wanted: int, now: float) -> float:
        """All or nothing: 0 when all may come, else seconds until it is worth another try."""
        bucket = self._buckets.get(account)
        return 0.0 if bucket is None or bucket.take_whole(wanted, now) else bucket.wait_s(now, wanted)
