import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from fixtures import scripted, start  # noqa: F401 - fixtures
from redis_server import redis_prefix, redis_server  # noqa: F401 - fixtures
from scene import ROUNDS, Scene, fresh_seed


@pytest.fixture
def embedded():
    """The [store] table of the store on the core's own disk."""
    return {"kind": "embedded"}


@pytest.fixture
def redis(redis_server, redis_prefix):  # noqa: F811 - the fixtures
    """The [store] table of the store in a Redis server, which all tests share and which lives on when the core dies."""
    return {"kind": "redis", "redis": {"url": redis_server.url, "prefix": redis_prefix}}


@pytest.fixture(params=["embedded", "redis"])
def durable(request):
    """The [store] table of each store that outlives the core."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["embedded", "redis"])
def store(request):
    """The same, where one of them is enough for every day: Redis has its turn in long runs."""
    if request.param == "embedded":
        return request.getfixturevalue("embedded")
    if ROUNDS == 1:
        pytest.skip("only in long runs: make faults")
    return request.getfixturevalue("redis")


@pytest.fixture
def scene(request, start, tmp_path):  # noqa: F811 - the fixture
    """`scene(store, ...)` makes the scene of a test, with a seed that a failure shows."""
    made = []

    def make(store, **how):
        seed = fresh_seed()
        print(f"FAULTS_SEED={seed}")
        made.append(Scene(start, tmp_path / f"scene{len(made)}", seed, store, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()
