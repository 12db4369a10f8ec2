"""Structured logs: one line per event or batch, never one per PDU. Numbers are masked; texts and passwords do not occur."""

import logging
import sys
from typing import Any

import msgspec
import structlog

from config.schema import Log

_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without local variables: they hold texts, numbers and passwords."""


def mask(number: str) -> str:
    """A number with all but its prefix and two last digits hidden: 861380*****00."""
    return number[:6] + "*" * (len(number) - 8) + number[-2:] if len(number) > 8 else "*" * len(number)


def configure(log: Log) -> None:
    """Lines of JSON, or for people, on standard error."""
    level = logging.getLevelNamesMapping()[log.level.upper()]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [structlog.processors.add_log_level, stamp, _tracebacks]
    if log.format == "json":
        encoder = msgspec.json.Encoder(enc_hook=repr)
        factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
        processors = [*shared, structlog.processors.JSONRenderer(serializer=lambda obj, **_: encoder.encode(obj))]
    else:
        factory = structlog.WriteLoggerFactory(sys.stderr)
        plain = structlog.dev.plain_traceback  # the pretty one shows local variables
        processors = [*shared[:2], structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)


class _Libraries(logging.Handler):
    """What libraries say, as lines of ours: whoever reads the log by machine must be able to read all of it."""

    def emit(self, record: logging.LogRecord) -> None:
        told = {"exc_info": record.exc_info} if record.exc_info else {}
        lead, _, rest = record.getMessage().partition("\n")
        more = {"detail": rest} if rest.strip() else {}
        logger().log(record.levelno, lead, library=record.name, **more, **told)


def logger(**values: Any) -> Any:
    """A bound logger."""
    return structlog.get_logger(**values)


class Repeated:
    """What a peer may do any number of times is told the 1st, 2nd, 4th, 8th ... time: nobody fills the disk with our words."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, to: Any, event: str, reason: str, **values: Any) -> None:
        """One more; a warning with the count so far when it is a power of two."""
        self.count += 1
        if self.count & (self.count - 1) == 0:
            to.warning(event, reason=reason, times=self.count, **values)
