import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from client import Client  # noqa: E402
from program import USERS  # noqa: E402


@pytest.fixture(scope="module", params=USERS)
def user(request):
    return request.param


def client(user, start):
    client = Client(user, start)
    yield client
    client.close()


@pytest.fixture(scope="module")
def cold(user):
    yield from client(user, "cold")


@pytest.fixture(scope="module")
def warm(user):
    yield from client(user, "warm")
