"""Limits of time that follow what the same code took, and runs that Cella lost and began again."""
import json
import os
import signal
from pathlib import Path

import pytest
from program import valid
from server import Server, UnixConnection, descendants, wait_until


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def run(server, code, connection=None, **more):
    status, _, result = server.run(language="bash", code=code, connection=connection, **more)
    assert status == 200, result
    return valid(result)


def adaptive(server, code, **more):
    return run(server, code, adaptive_timeout=True, **more)


# ---- limits of time ----


def test_without_it_nothing_is_said(server):
    assert run(server, "echo 1")["timeout"] is None
    assert run(server, "echo 1", adaptive_timeout=False)["timeout"] is None


def test_it_follows_earlier_runs(server):
    timeout = adaptive(server, "sleep 0.1 # first")["timeout"]
    assert timeout == {"limit_ms": 30000, "expected_ms": None, "samples": 0, "pace": None}
    timeout = adaptive(server, "sleep 0.1 # first")["timeout"]
    assert (timeout["limit_ms"], timeout["samples"]) == (5000, 1)
    assert 100 <= timeout["expected_ms"] < 5000 and timeout["pace"] in ("normal", "slow", "stuck")
    timeout = adaptive(server, "sleep 0.1 # another")["timeout"]
    assert timeout["samples"] == 0  # of other code


def test_what_it_is_given_does_not_matter(server):
    adaptive(server, "cat # input", stdin="1")
    for more in {"stdin": "2"}, {"args": ["x"]}, {"env": {"A": "b"}}, {"tag": "mine"}:
        assert adaptive(server, "cat # input", **more)["timeout"]["samples"] > 0
    assert adaptive(server, "cat # input", files=[{"path": "f", "content": ""}])["timeout"]["samples"] == 0


def test_what_is_asked_for_is_the_most(server):
    code = "while :; do :; done # asked"
    result = adaptive(server, code, limits={"wall_ms": 300, "cpu_ms": 60000})
    assert (result["status"], result["timeout"]["limit_ms"]) == ("wall_time", 300)
    assert adaptive(server, code, limits={"wall_ms": 200, "cpu_ms": 60000})["timeout"]["samples"] == 1


def test_the_cap_is_the_most(server, tmp_path):
    policies = tmp_path / "cella" / "policies"
    policies.mkdir(parents=True)
    (policies / "short.yaml").write_text(
        "adaptive_timeout: true\nlimits: {wall_ms: {cap: 2s, default: 1s}}\n")
    for parent in [tmp_path, *tmp_path.parents[:2], policies.parent, policies]:
        os.chmod(parent, 0o755)
    with Server(environment={"XDG_CONFIG_HOME": str(tmp_path)}) as other:
        result = run(other, "echo 1", policy="short")
        assert result["timeout"]["limit_ms"] == 2000
        assert run(other, "echo 1", policy="short")["timeout"]["samples"] == 1
        assert run(other, "echo 1", policy="short", adaptive_timeout=False)["timeout"] is None


def test_it_says_when_one_is_slow(server):
    code = "read x; sleep $x"
    for _ in range(2):
        adaptive(server, code, stdin="0.2\n")
    result = adaptive(server, code, stdin="3\n")
    assert result["timeout"]["pace"] == "stuck" and result["status"] == "ok"
    assert [note for note in result["notes"] if note.startswith("stuck: it took 3")]


def test_only_what_took_its_time_counts(server):
    code = "exit 3 # counted"
    adaptive(server, code)
    adaptive(server, "kill -9 $$ # counted")
    assert adaptive(server, code)["timeout"]["samples"] == 1
    code = "x=$(head -c 200m /dev/zero | tr '\\0' x) # not counted"
    assert adaptive(server, code, limits={"memory_bytes": 32 << 20})["status"] == "memory"
    assert adaptive(server, code, limits={"memory_bytes": 32 << 20})["timeout"]["samples"] == 0


def test_the_last_fifty_count(server):
    connection = server.connect()
    for _ in range(52):
        result = adaptive(server, "exit 0 # many", connection=connection)
    assert result["timeout"]["samples"] == 50


def test_another_tenant_has_its_own(server):
    adaptive(server, "exit 0 # mine")
    theirs = adaptive(server, "exit 0 # mine", connection=UnixConnection(server.socket))
    assert theirs["timeout"]["samples"] == 0


def test_it_outlives_the_server(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Server(directory=tmp_path) as first:
        adaptive(first, "exit 0")
        first.stop(signal.SIGKILL)
    with Server(directory=tmp_path) as second:
        assert adaptive(second, "exit 0")["timeout"]["samples"] == 1


def test_without_a_history_nothing_is_known():
    with Server("--history", "0") as server:
        for _ in range(2):
            timeout = adaptive(server, "exit 0")["timeout"]
            assert (timeout["limit_ms"], timeout["samples"]) == (30000, 0)


# ---- begun again ----


def started(server, **request):
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps({"language": "bash", **request}),
                       {"Content-Type": "application/json"})
    return connection


def test_what_was_lost_is_begun_again():
    with Server() as server:
        waiting = started(server, code="sleep 1; echo done")
        later = server.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 1; echo later"},
                           {"Prefer": "respond-async"})[1]["Location"]
        wait_until(lambda: server.has_processes(3))
        os.kill(server.keeper(), signal.SIGKILL)
        result = valid(json.load(waiting.getresponse()))
        assert (result["status"], result["stdout"], result["attempts"]) == ("ok", "done\n", 2)
        assert "Cella lost it, and began it 2 times" in result["notes"]
        assert result["id"] in [row["id"] for row in server.ask("GET", "/v1/runs")[2]["runs"]]
        wait_until(lambda: server.ask("GET", later)[0] == 200)
        result = valid(server.ask("GET", later)[2])
        assert (result["stdout"], result["attempts"]) == ("later\n", 2)
        assert later.endswith(result["id"])
        stats = server.ask("GET", "/v1/stats")[2]
        assert stats["rates"]["recovery"] == 1 and stats["statuses"] == {"ok": 2}


def runs_sleep(server):
    """Whether a program of the present keeper sleeps."""
    for pid in descendants(server.keeper()):
        try:
            if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                return True
        except OSError:
            pass  # it ended meanwhile
    return False


def test_not_more_than_three_times_more():
    with Server() as server:
        waiting = started(server, code="sleep 60", limits={"wall_ms": 60000})
        for attempt in range(1, 5):
            wait_until(lambda: runs_sleep(server), 30)
            os.kill(server.keeper(), signal.SIGKILL)
            if attempt < 4:
                wait_until(lambda: server.logged(" ready") == attempt + 1, 30)
        response = waiting.getresponse()
        assert (response.status, json.load(response)["status"]) == (500, 500)
        [row] = server.ask("GET", "/v1/runs")[2]["runs"]
        assert (row["status"], row["attempts"]) == ("internal", 4)
        assert server.ask("GET", "/v1/stats")[2]["rates"]["recovery"] == 0


def test_not_for_who_has_gone():
    with Server() as server:
        waiting = started(server, code="sleep 60")
        wait_until(lambda: server.has_processes(1))
        waiting.sock.close()
        os.kill(server.keeper(), signal.SIGKILL)
        wait_until(lambda: server.logged(" ready") == 2, 30)
        wait_until(server.is_idle)
        [row] = server.ask("GET", "/v1/runs")[2]["runs"]
        assert (row["status"] in ("cancelled", "internal"), row["attempts"]) == (True, 1)


def test_not_what_failed_by_itself(server):
    before = server.logged("is begun again")
    for code in "exit 1", "kill -9 $$", "no_such_command":
        assert run(server, code)["attempts"] == 1
    assert server.logged("is begun again") == before


def test_a_cancelled_one_is_not_begun_again():
    with Server() as server:
        later = server.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 60"},
                           {"Prefer": "respond-async"})[1]["Location"]
        wait_until(lambda: server.has_processes(1))
        os.kill(server.keeper(), signal.SIGKILL)
        wait_until(lambda: server.logged("is begun again") == 1)
        assert server.ask("DELETE", later)[0] == 202
        wait_until(lambda: server.ask("GET", later)[0] == 200, 30)
        assert server.ask("GET", later)[2]["status"] in ("internal", "cancelled")
        wait_until(lambda: server.logged(" ready") == 2, 30)
        wait_until(server.is_idle)
