"""`python -m bench.leash PARENT COMMAND...`: becomes the command, which gets SIGTERM when its parent dies in whatever way.

For children that do not read their stdin, and so would outlive a parent that was killed. Linux only; elsewhere it just becomes
the command. The kernel looks at the thread that started the child: start such children in the main thread.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def leashed(command: Sequence[str]) -> list[str]:
    """The command line that makes `command` a child of ours that does not outlive us."""
    return [sys.executable, "-m", "bench.leash", str(os.getpid()), *command]


def main(parent: str, *command: str) -> None:
    """Never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it died before the kernel was asked
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
