"""Adding a section to a configuration file: what stands there stays, and the file is replaced only by one that loads."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from config.loader import ConfigError, load
from gateway.cli.common import fail


def append_section(path: Path, section: str) -> None:
    """Put `section` at the end of the file. What is wrong with the whole of it ends the command with exit 2, and the file is
    as before.
    """
    try:
        before = path.read_bytes()
        made = _joined(before, section)
        status = path.stat()
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        fail(f"{path}: {error.strerror}", 2)
    new = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(number, status.st_mode & 0o7777)
            with suppress(PermissionError):  # it is ours then
                os.fchown(number, status.st_uid, status.st_gid)
            file.write(made)
            file.flush()
            os.fsync(number)
        load(new, os.environ)  # beside the old one, for files it names are found from there
        new.replace(path.resolve())
    except ConfigError as error:
        for line in error.errors:
            print(line.replace(name, str(path)), file=sys.stderr)
        fail(f"{path} is as it was", 2)
    except OSError as error:
        fail(f"{path} is as it was: {error.strerror}", 2)
    finally:
        new.unlink(missing_ok=True)


def _joined(before: bytes, section: str) -> bytes:
    """With an empty line between, and the file's own line ends."""
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before else end if before.endswith(b"\n") else end * 2
    return before + gap + section.encode().replace(b"\n", end)
