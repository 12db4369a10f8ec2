"""Whole situations with a verdict: a gateway, its carriers, a load, and what goes wrong meanwhile; one TOML file each.

- `script`  the shape of a file
- `stage`   the processes: carriers, gateway, Redis
- `play`    the command: load after load, what happens when, the verdict
- `carriers/`  what a carrier alone can do (`tensec sim carrier --scenario`)
"""
