"""What SQLite does by itself and our own files need."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """The names in it are on disk when this returns. Raises OSError."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
