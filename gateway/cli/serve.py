"""`tensec serve`: the gateway in the foreground."""

import sys

import trio

from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, fail, read_config


def serve(*, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM; SIGHUP reads the configuration again."""
    from gateway.core import log
    from gateway.core.clock import SystemClock
    from gateway.core.service import Service, StartError
    from gateway.store.vault import VaultError

    settings = read_config(config)
    log.configure(settings.log)
    try:
        service = Service(settings, config, SystemClock())
        trio.run(service.run)
    except (StartError, OSError) as error:
        fail(str(error))
    except BaseExceptionGroup as group:
        unusable, _ = group.split(VaultError)
        if unusable is not None:  # another core has taken over, or the data was lost under us
            fail(str(_first(unusable)))
        log.logger().critical("core failed", exc_info=group)
        sys.exit(1)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
