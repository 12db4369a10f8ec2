"""What a channel sends as one."""

import msgspec

from routing.records import AttemptKey, Message


class Part(msgspec.Struct, gc=False):
    """One submit_sm to be: part `number` (from 1) of `total` of one attempt. `answered` once the carrier said anything."""

    message: Message
    key: AttemptKey
    number: int
    total: int
    data: bytes
    concat_reference: int = 0
    user_reference: int = 0
    written: float = 0.0
    begun: float = 0.0
    """When its attempt was stored: from then on the channel's clock runs."""
    answered: bool = False
    unclear: bool = False
