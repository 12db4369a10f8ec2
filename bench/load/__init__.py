"""A load generator for any SMPP server or SMS HTTP API.

Where to look:

- `schedule`  when messages are due: the open model
- `texts`, `mix`  what they say, and of which class they are
- `traffic`   hands due messages to connections with room (`lines`), keeps those for which there is none
- `smpp`, `http`  a connection of each kind
- `checks`    what can be known before a run
- `worker`    a source process: orders in (`orders`), a report a second out
- `sources`   starts the source processes, joins their reports
- `loose`     messages and receipts that are in two of them
- `hand`      Ctrl-C
- `run`       a whole run, from the first look at the target to the result
- `find_max`  many short runs, for the highest rate that holds
- `cli`       the commands

What became of each message is in the book (`bench.measure.book`).
"""
