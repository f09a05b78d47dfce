"""A server keeps warm what it is asked for again, also for `cella run`."""
import json
import subprocess

import pytest
from program import CELLA, USERS, valid
from server import Server

TRIES = 200
REQUEST = {"language": "python", "code": "print(6 * 7)"}


@pytest.fixture(scope="module", params=USERS)
def server(request):
    with Server("--pool-memory", "256m", user=request.param) as running:
        running.user = request.param
        yield running


def test_posts_become_warm(server):
    for _ in range(TRIES):
        status, _, body = server.ask("POST", "/v1/runs", REQUEST)
        result = valid(body)
        assert (status, result["stdout"]) == (200, "42\n")
        if result["start"] == "warm":
            return
    pytest.fail("no run was warm")


def test_cella_run_is_warm_by_it(server):
    test_posts_become_warm(server)
    command = [*USERS[server.user], CELLA, "run", "--json", "-l", "python", "-c", REQUEST["code"]]
    for _ in range(TRIES):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              check=True, env={"PATH": "/usr/bin:/bin", "CELLA_SOCKET": server.socket})
        result = valid(json.loads(done.stdout))
        assert result["stdout"] == "42\n"
        if result["start"] == "warm":
            return
    pytest.fail("no run was warm")
