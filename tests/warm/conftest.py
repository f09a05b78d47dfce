import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from client import Client  # noqa: E402
from program import USERS, make_caches  # noqa: E402


@pytest.fixture(scope="module", params=USERS)
def user(request):
    return request.param


@pytest.fixture(scope="session")
def caches():
    """A directory for each user, in which what one client has compiled another finds."""
    with tempfile.TemporaryDirectory() as directory:
        yield make_caches(Path(directory))


def client(user, start, caches):
    client = Client(user, start, {"XDG_CACHE_HOME": str(caches[user])})
    yield client
    client.close()


@pytest.fixture(scope="module")
def cold(user, caches):
    yield from client(user, "cold", caches)


@pytest.fixture(scope="module")
def warm(user, caches):
    yield from client(user, "warm", caches)


@pytest.fixture(scope="module")
def any_start(user, caches):
    yield from client(user, "any", caches)
