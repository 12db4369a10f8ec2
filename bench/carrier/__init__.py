"""A simulated SMSC: answers, reports, delays, refuses, loses and breaks lines as it is told, and keeps a ledger.

Where to look:

- `options`     every switch, once
- `behaviour`   decides what becomes of one submit: pure, all randomness from one seed (`latency`, `ids`)
- `rules`       what a client does wrong in one submit
- `smsc`        the carrier: the life of a submit, timers (`wheel`), one flush per batch
- `deliveries`  receipts and MO on their way to any bind of an account
- `connection`  one connection: the session's events; `line` its TCP side and how it breaks
- `binds`       who may bind
- `requests`    submit_multi, query_sm, cancel_sm, replace_sm
- `receipts`    receipts and mobile-originated messages as deliver_sm
- `ledger`      one line per submit; `counters` the sums
- `arrivals`    when each submit came, for load runs (`parts`: which part of a message it is)
- `scenario`    switches and a time line as a file (`bench/scenarios/carriers`); `timeline` lets it happen
- `switches`    values of switches from TOML and JSON; `actions` what changes or happens at run time
- `control`     commands on stdin
- `port`        where it listens, or does not for a while
- `cli`         the process: first line `{"listening": port}`, last line the counters
"""
