"""What is shown of a load run: a page for people, a summary for the terminal, a comparison of two runs.

Everything here reads `bench.measure.result.Result` and measures nothing. Names, errors and targets come from outside: they are
cleaned and escaped where they are written (`markup.py`, `numbers.py`). What was not measured is said to be so, with the reason.
"""
