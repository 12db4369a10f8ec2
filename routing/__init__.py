"""Decisions, without waiting: pure functions and small classes. Time and chance are arguments.

- `records`   the message and its attempts, as data
- `policy`    what may be sent (`screen`)
- `plan`      which channel takes which message
- `failover`  what a carrier's answer means
- `throttle`  how fast (token bucket)
- `sla`       the ten seconds, counted
"""
