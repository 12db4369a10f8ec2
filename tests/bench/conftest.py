import sys

import pytest

from bench.processes import Child


@pytest.fixture
def carrier():
    """Start carriers: `carrier("--loss", "1")` gives the running child; whatever the test leaves behind is ended."""
    children = []

    def start(*options):
        limit = () if "--max-seconds" in options else ("--max-seconds", "90")
        child = Child([sys.executable, "-m", "bench", "carrier", "--seed", "1", *limit, *map(str, options)])
        children.append(child)
        child.port = child.first["listening"]
        return child

    yield start
    for child in children:
        child.kill()
