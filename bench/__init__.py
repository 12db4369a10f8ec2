"""The other side of every test: carrier simulators and load clients, in processes of their own, over sockets only.

Nothing here imports gateway or routing: what judges the gateway shares no decision with it.
"""
