"""The HTTP API: worker processes on asyncio and uvloop, beside the core and joined to it by a Unix socket.

Where to look:

- `operations`  every endpoint in one table: method, path, scope, what comes in and goes out; OpenAPI is made from it
- `messages`, `batches`, `webhooks`, `keys`, `operating`, `events`  what the endpoints do
- `schemas`     what JSON looks like outside; `render` makes it of records
- `dispatch`    from a request to an operation and back: key, scope, body, errors (`problems`, `bodies`)
- `corelink`    the way to the core; `directory` what it has told us of keys and webhooks
- `courier`     hands events to webhooks; `destinations` says where these may be
- `worker`      a process as a whole; `ops` the port for operators

A worker holds nothing that cannot be lost: what it accepted the core has stored, and it may be killed at any moment.
"""
