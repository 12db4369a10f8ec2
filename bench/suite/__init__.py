"""The standing suite: every figure worth keeping, in one run, against the one before and against the targets.

`rows.py` is the table of what is measured; begin there.
"""
