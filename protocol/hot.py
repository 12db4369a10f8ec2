"""The functions of the hot path: compiled where that was possible, else in Python. Callers name them `hot.read` and so on."""

import os

from protocol import fast

PURE_PYTHON = "TENSEC_PURE_PYTHON"
"""Environment: set to anything, the codec is the one in Python."""

read, write, ok_with_id, receipt_words = fast.read, fast.write, fast.ok_with_id, fast.receipt_words
compiled = False

if not os.environ.get(PURE_PYTHON):
    try:
        from protocol import native
    except ImportError:
        pass
    else:
        read, write, ok_with_id, receipt_words = native.read, native.write, native.ok_with_id, native.receipt_words
        compiled = True
