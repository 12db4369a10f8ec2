"""What is wrong with a message itself, by the command_status the core gives it."""

from protocol.status import Status

REFUSALS = {
    int(Status.RINVDSTADR): ("to", "invalid_number", "not a number that can be written as E.164"),
    int(Status.RINVSRCADR): ("from", "sender_not_allowed", "the account may not use this sender"),
    int(Status.RINVMSGLEN): ("text", "too_long", "more than 255 segments"),
    int(Status.RINVEXPIRY): ("expire_at", "too_early", "over before the message can be sent"),
    int(Status.RSUBMITFAIL): ("", "refused", "the account may not send this"),
}
"""Field, code and words."""
