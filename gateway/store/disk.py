"""What SQLite does by itself and our own files need."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """The names in it are on disk when this returns. Raises OSError."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def hold(paths: Iterable[Path], held: Path) -> None:
    """Give files second names in `held`, so that they stay when they are deleted. Raises OSError."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, FileExistsError):  # deleted just now; held already
            os.link(path, held / path.name)
