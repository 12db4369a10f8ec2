"""SMPP 3.4 without I/O: bytes in, events out, bytes waiting.

Nothing here opens a socket, reads a clock, draws a random number or awaits. Where to look:

- the wire      `commands`, `status`, `fields`, `tlv`, `pdu` (every PDU as data), `codec`, `fast` (hot PDUs), `framing`
- the dialogue  `states` (who may send what), `window` (requests in flight), `session` (both roles)
- the content   `gsm7`, `text` (data_coding), `udh`, `segment`, `reassembly`, `receipt`, `ids`, `times`, `address`
- `validate`    what a server must refuse although it could be parsed
- `errors`      whose fault it is, and whether the session can go on
"""
