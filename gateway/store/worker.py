"""A thread that does one thing after the other, for whoever must not block. It knows no event loop: `done` is called in the
thread.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeAlias

Done: TypeAlias = Callable[[Any, BaseException | None], None]
Job: TypeAlias = tuple[Callable[[], Any], Done]


class Worker:
    """See the module. `name` shows in thread lists."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], Any], done: Done) -> None:
        """Call `job`, then `done` with its result or error."""
        self._jobs.put((job, done))

    def _work(self) -> None:
        while (next_job := self._jobs.get()) is not None:
            job, done = next_job
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - it is raised where the job came from
                done(None, error)
            else:
                done(result, None)
            del next_job, job, done

    def stop(self) -> None:
        """End once everything so far is done."""
        self._jobs.put(None)
        self._thread.join()
