"""What would otherwise be found only during a run, or after it. ValueError and OSError say what the user has to change."""

from collections.abc import Mapping
from pathlib import Path

from bench.carrier.arrivals import RECORD_SIZE, read_arrivals
from bench.load.orders import Order
from bench.load.schedule import Schedule
from bench.load.smpp import KINDS, submit
from bench.load.texts import fill, parts_of
from bench.load.traffic import Unit
from protocol import codec
from protocol.errors import LocalProtocolError


def check_order(order: Order) -> None:
    """Whether everything said can be put into PDUs."""
    to = int(f"{order.prefix}{'9' * order.digits}")
    for one in order.classes:
        for template in one.texts:
            text = fill(template, 999, to)
            if order.kind == "http":
                continue
            coding, parts = parts_of(text)
            login = one.login
            try:
                codec.encode(KINDS[order.bind][0](1, system_id=login.system_id, password=login.password), bytearray())
                codec.encode(submit(order, Unit(0.0, to, 1, len(parts), coding, parts[0], text)), bytearray())
            except LocalProtocolError as error:
                raise ValueError(f"no SMPP server takes that (--login, --source, --to, --text): {error}") from None


def check_numbers(order: Order, schedule: Schedule) -> None:
    """Whether every message has a recipient of its own: two with the same would count as one that arrived twice."""
    if schedule.rate is None and schedule.messages is None:
        return  # as many as the target takes; source processes stop when there are none left
    numbers = 10**order.digits
    if schedule.total > numbers:
        raise ValueError(f"--to has room for {numbers} recipients, the run needs {schedule.total:.0f}: give it more #")


def check_arrivals(arrivals: Mapping[str, Path]) -> None:
    """Whether carriers write there."""
    for name, path in arrivals.items():
        try:
            # The end is enough: what is no such file is known by its head.
            size = path.stat().st_size
            read_arrivals(path, size - size % RECORD_SIZE)
        except FileNotFoundError:
            raise ValueError(f"--arrivals {name}={path}: no such file, start the carrier that writes it first") from None
        except (ValueError, OSError) as error:
            raise ValueError(f"--arrivals: {error}") from None


def check_out(folder: Path) -> None:
    """Whether the report can be left there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ValueError(f"--out {folder}: the report cannot be written there: {error.strerror}") from None
