"""`tensec serve`: the gateway in the foreground."""

import os
import sys
from functools import partial
from pathlib import Path

from config.schema import Config
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, fail, read_config


def serve(*, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM; SIGHUP reads the configuration again."""
    from gateway import log

    settings = read_config(config)
    log.configure(settings.log)
    if settings.http.listen:
        sys.exit(_family(settings, config))
    run_core(settings, config)


def run_core(settings: Config, config: Path) -> None:
    """The core in this process."""
    import trio

    from gateway import log
    from gateway.clock import SystemClock
    from gateway.core.service import Service, StartError
    from gateway.cpus import CpuError, run_on
    from gateway.store.vault import VaultError

    try:
        if settings.core.cpus:
            run_on(settings.core.cpus)
        service = Service(settings, config, SystemClock())
        trio.run(service.run)
    except (StartError, CpuError, OSError) as error:
        fail(str(error))
    except BaseExceptionGroup as group:
        unusable, _ = group.split(VaultError)
        if unusable is not None:  # another core has taken over, or the data was lost under us
            fail(str(_first(unusable)))
        log.logger().critical("core failed", exc_info=group)
        sys.exit(1)


def _family(settings: Config, config: Path) -> int:
    """The core and the API's workers, as children."""
    from gateway import log
    from gateway.listening import ListenError, listen
    from gateway.parent import Child, Parent

    http = settings.http
    try:
        door = listen("http.listen", http.listen)
        ops = listen("http.ops_listen", http.ops_listen) if http.ops_listen else None
    except ListenError as error:
        fail(str(error))

    def core() -> int:
        for sock in (door, ops):
            if sock is not None:
                sock.close()
        run_core(settings, config)
        return 0

    def worker(number: int) -> int:
        from gateway.api.worker import run
        from gateway.cpus import leave

        leave(settings.core.cpus)
        run(settings, door, ops if number == 0 else None)
        return 0

    children = [Child("core", core)]
    children += [Child(f"api {number}", partial(worker, number)) for number in range(http.workers)]
    where = {"api": _place(door)} | ({"ops": _place(ops)} if ops is not None else {})
    log.logger().info("api listening", pid=os.getpid(), tls=http.tls is not None, **where)
    return Parent(children, settings.core.drain_timeout_s).run()


def _place(sock: object) -> str:
    host, port = sock.getsockname()[:2]  # type: ignore[attr-defined]
    return f"{host}:{port}"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
