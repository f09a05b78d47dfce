"""The world of canaries, and one pool of threads in which the attacks run.

Of one module, not of the session: they must be gone when the session looks for what is left."""
import resource
from concurrent.futures import ThreadPoolExecutor

import harness
import pytest


@pytest.fixture(scope="module")
def world():
    for who in harness.WHO:
        harness.config_directory(who)  # before the threads, which would make it twice
    world = harness.World()
    yield world
    world.close()


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(4) as executor:
        yield executor


def pytest_configure(config):
    # What a run would inherit if Cella let it.
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    config.addinivalue_line("markers", "heavy: takes seconds or much of the machine")
