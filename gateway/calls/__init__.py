"""What API workers and the core say to each other, over a Unix socket in the data directory (mode 0600).

- `frames`     octets to batches of calls or replies and back
- `messages`   what is asked and answered on the path of messages: submits, questions, wishes
- `outbound`   what the core hands a worker unasked: documents, events, work for webhooks
- `things`     what the API keeps: keys, webhooks

Neither trio nor asyncio is imported: core and workers bridge these to their own loop. The command line uses the same socket.
"""
