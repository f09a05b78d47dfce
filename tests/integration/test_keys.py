"""API keys: who gets in, what each may use, and that tenants are kept apart."""
import json
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from program import CELLA, IS_ROOT, NOBODY
from server import Server, UnixConnection, events_of, wait_until

LINE = {"language": "bash", "code": "echo hello"}
SLEEP = {"language": "bash", "code": "echo up; sleep 60"}
BURN = {"language": "bash", "code": "while :; do :; done", "limits": {"cpu_ms": 1200}}


def cella_key(directory, *words, expect=0):
    done = subprocess.run([CELLA, "key", *words, "--state", str(Path(directory) / "state")],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == expect, done.stderr
    return done.stdout.strip() if expect == 0 else done.stderr.splitlines()


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def run(server, key, connection=None, headers=None, **request):
    return server.ask("POST", "/v1/runs", request, {**bearer(key), **(headers or {})}, connection)


def refused(server, method, path, body=None, headers=None, connection=None):
    """Status, text, hint and the headers of a problem."""
    status, got, problem = server.ask(method, path, body, headers, connection)
    assert got["Content-Type"] == "application/problem+json", problem
    return status, problem["detail"], problem["hint"], got


class Keys:
    """A server's directory with keys in it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="key")
        self.path = Path(self.directory.name)

    def create(self, name, *options):
        return cella_key(self.path, "create", name, *options)

    def revoke(self, name):
        cella_key(self.path, "revoke", name)

    def serve(self, *options):
        return Server(*options, directory=self.path)


@pytest.fixture
def keys():
    own = Keys()
    yield own
    own.directory.cleanup()


@pytest.fixture(scope="module")
def shared():
    """A server with keys of several kinds, for what leaves nothing behind."""
    own = Keys()
    own.key = {"alice": own.create("alice"), "bob": own.create("bob"),
               "tight": own.create("tight", "--key-policy", "strict", "--key-policy", "default"),
               "watcher": own.create("watcher", "--metrics")}
    with own.serve() as server:
        own.server = server
        yield own
    own.directory.cleanup()


# ---- the command ----


def test_keys_are_made_listed_and_revoked(keys):
    assert cella_key(keys.path, "list") == "none: whoever can connect may use the server"
    key = keys.create("alice", "--rate", "100/m", "--concurrency", "3", "--cpu-seconds-per-day", "60",
                      "--key-policy", "strict", "--key-policy", "default")
    assert re.fullmatch("cella_[0-9a-f]{64}", key)
    assert re.fullmatch("cella_[0-9a-f]{64}", keys.create("bob")) and key != keys.create("carol")
    listed = json.loads(cella_key(keys.path, "list", "--json"))["keys"]
    assert [one["name"] for one in listed] == ["alice", "bob", "carol"]
    assert (listed[0]["policies"], listed[1]["policies"]) == (["strict", "default"], ["default"])
    assert (listed[0]["rate"], listed[0]["rate_seconds"], listed[0]["concurrency"],
            listed[0]["cpu_seconds_per_day"]) == (100, 60, 3, 60)
    assert "100/m" in cella_key(keys.path, "list")
    file = keys.path / "state" / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text() and key[6:] not in file.read_text()
    for name in ("alice", "bob", "carol"):
        keys.revoke(name)
    assert cella_key(keys.path, "list") == "none: nobody may use the server by TCP"


@pytest.mark.parametrize("words, text, hint", [
    (["create", "alice"], "there is a key of 'alice' already", "'cella key revoke alice' makes way"),
    (["revoke", "bob"], "there is no key of 'bob'", "'cella key list'"),
    (["create", "local"], "a key cannot be of 'local'", "'local' is the operator's"),
    (["create", "Bob"], "a key cannot be of 'Bob'", "a name has up to 64"),
    (["create", ""], "a key cannot be of ''", "a name has up to 64"),
    (["create", "b" * 65], f"a key cannot be of '{'b' * 65}'", "a name has up to 64"),
    (["create", "../b"], "a key cannot be of '../b'", "a name has up to 64"),
    (["create", "b", "--rate", "0"], "--rate 0 is no whole number from 1 to 1000000", ""),
    (["create", "b", "--rate", "1000001"], "--rate 1000001 is no whole number from 1 to 1000000", ""),
    (["create", "b", "--rate", "5/d"], "--rate 5/d is no number of requests", "100/m"),
    (["create", "b", "--concurrency", "-1"], "--concurrency -1 is no whole number", ""),
    (["create", "b", "--cpu-seconds-per-day", "1.5"], "--cpu-seconds-per-day 1.5 is no whole", ""),
    (["create", "b", "--key-policy", "a/b"], "--key-policy 'a/b' is no policy's name", "cella policy"),
    (["create", "b"] + ["--key-policy", "default"] * 17, "a key has at most 16 policies", ""),
    (["create"], "it is 'cella key create NAME'", "'cella help key'"),
    (["list", "more"], "it is 'cella key create NAME'", "'cella help key'"),
])
def test_what_cannot_be(keys, words, text, hint):
    keys.create("alice")
    lines = cella_key(keys.path, *words, expect=126)
    assert lines[0].startswith(f"cella: {text}")
    assert hint in "".join(lines[1:])
    assert [key["name"] for key in json.loads(cella_key(keys.path, "list", "--json"))["keys"]] == ["alice"]


def test_many_at_a_time_lose_nothing(keys):
    state = str(keys.path / "state")
    made = [subprocess.Popen([CELLA, "key", "create", f"key{i}", "--state", state],
                             stdout=subprocess.DEVNULL) for i in range(20)]
    assert [process.wait(30) for process in made] == [0] * 20
    assert len(json.loads(cella_key(keys.path, "list", "--json"))["keys"]) == 20


# ---- who gets in ----


def test_a_key_is_demanded(shared):
    server = shared.server
    for path in ("/v1/runs", "/v1/nothing", "/metrics", "/version", "/openapi.json"):
        status, text, hint, headers = refused(server, "GET", path)
        assert (status, text) == (401, "this server demands a key")
        assert hint == "send it as 'Authorization: Bearer KEY'"
        assert headers["WWW-Authenticate"] == 'Bearer realm="cella"'
    assert server.ask("GET", "/healthz")[0] == server.ask("GET", "/readyz")[0] == 200
    assert run(server, shared.key["alice"], **LINE)[2]["stdout"] == "hello\n"
    assert server.ask("GET", "/version", headers={"Authorization": "bEARER  " + shared.key["bob"]})[0] == 200


@pytest.mark.parametrize("value", ["Bearer cella_" + "0" * 64, "Bearer x", "Bearer a b", "Bearer \x00",
                                   "Bearer " + "x" * 8000])
def test_a_wrong_key(shared, value):
    status, text, _, headers = refused(shared.server, "GET", "/v1/runs", headers={"Authorization": value})
    if "\x00" in value:
        assert status == 400
        return
    assert (status, text) == (401, "the key is not, or no longer, one of ours")
    assert 'error="invalid_token"' in headers["WWW-Authenticate"]


def test_what_is_no_bearer(shared):
    key = shared.key["alice"]
    for value in (key, "Basic " + key, "Bearer" + key, "Bearer\t" + key, "Bearer  "):
        assert refused(shared.server, "GET", "/v1/runs", headers={"Authorization": value})[0] == 401
    with shared.server.raw() as connection:  # of two nobody knows which is meant
        lines = f"Authorization: Bearer {key}\r\n" * 2
        connection.sendall(f"GET /version HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 401 ")


def test_before_the_body_is_read(shared):
    with shared.server.raw() as connection:
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 1000000\r\n\r\n")
        assert connection.recv(20).startswith(b"HTTP/1.1 401 ")


def test_any_host_will_do_with_a_key(shared):
    headers = {**bearer(shared.key["alice"]), "Host": "runs.example.org", "Origin": "https://example.org"}
    assert shared.server.ask("GET", "/version", headers=headers)[0] == 200


def test_the_socket_needs_none(shared):
    server = shared.server
    run(server, shared.key["alice"], **LINE)
    connection = UnixConnection(server.socket)
    status, _, body = server.ask("GET", "/v1/runs", connection=connection)
    assert status == 200 and body["runs"]  # it sees everybody's


def test_no_keys_and_then_one():
    with Server() as server:
        assert server.logged("there are no keys: every user of this host may use it by TCP")
        assert server.run(**LINE)[0] == 200
        connection = server.connect()
        assert server.ask("GET", "/version", connection=connection)[0] == 200
        key = cella_key(server.directory, "create", "alice")
        assert refused(server, "GET", "/version", connection=connection)[0] == 401
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200
        cella_key(server.directory, "revoke", "alice")
        assert refused(server, "GET", "/version", headers=bearer(key))[0] == 401
        assert refused(server, "GET", "/version")[0] == 401  # nobody gets in by the last one's end
        (server.directory / "state" / "keys.json").unlink()
        assert server.ask("GET", "/version")[0] == 200


def test_a_file_that_cannot_be_read_lets_nobody_in(keys):
    key = keys.create("alice")
    file = keys.path / "state" / "keys.json"
    good = file.read_text()
    with keys.serve() as server:
        for bad in ("", "{", "[]", '{"keys": [{"name": "alice"}]}', good.replace('"alice"', '"a b"'),
                    good.replace('"default"', ""), good.replace("[{", "[{},{"), "x" * (5 << 20)):
            file.write_text(bad)
            assert refused(server, "GET", "/version", headers=bearer(key))[0] == 401
        assert server.logged("nobody gets in with a key: keys.json") >= 8
        file.write_text(good)
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200
        file.chmod(0o644)
        assert refused(server, "GET", "/version", headers=bearer(key))[0] == 401
        assert server.logged("keys.json is open to other users")
        file.chmod(0o600)
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200


def test_a_server_does_not_start_with_such_a_file(keys):
    keys.create("alice")
    (keys.path / "state" / "keys.json").write_text("{")
    done = subprocess.run([CELLA, "serve", "--listen", "127.0.0.1:0", "--socket", str(keys.path / "s"), "--state",
                           str(keys.path / "state")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 125 and "cella: keys.json: " in done.stderr


def test_other_addresses_with_keys(keys):
    key = keys.create("alice")
    with keys.serve("--listen", "0.0.0.0:0") as server:
        assert server.logged("can read keys and programs: there is no TLS")
        server.port = int(re.findall(r"listens on 0\.0\.0\.0:(\d+)", server.text())[-1])
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200
        (keys.path / "state" / "keys.json").unlink()
        assert refused(server, "GET", "/version")[0] == 401  # nevertheless


# ---- revoked ----


def test_a_revoked_key_stops_at_once(keys):
    key, other = keys.create("alice"), keys.create("bob")
    with keys.serve("--audit", str(keys.path / "audit")) as server:
        kept, streaming = server.connect(), server.connect()
        assert server.ask("GET", "/version", headers=bearer(key), connection=kept)[0] == 200
        streaming.request("POST", "/v1/runs", json.dumps(SLEEP),
                          {**bearer(key), "Content-Type": "application/json", "Accept": "text/event-stream"})
        events = events_of(streaming.getresponse())
        assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
        later = run(server, key, headers={"Prefer": "respond-async"}, **SLEEP)[2]["id"]
        own = run(server, other, headers={"Prefer": "respond-async"}, **SLEEP)[2]["id"]
        keys.revoke("alice")
        assert refused(server, "GET", "/version", headers=bearer(key), connection=kept)[0] == 401
        name, result = next(events)
        assert (name, result["status"]) == ("result", "cancelled")  # its runs end too
        operator = lambda path: server.ask("GET", path, connection=UnixConnection(server.socket))
        wait_until(lambda: operator(f"/v1/runs/{later}")[2].get("status") == "cancelled")
        assert operator(f"/v1/runs/{own}")[0] == 202
        assert server.logged("the key of alice is revoked") == 1
        audited = [json.loads(line) for line in (keys.path / "audit").read_text().splitlines()]
        assert [one["tenant"] for one in audited if one["event"] == "key.revoked"] == ["alice"]
        again = keys.create("alice")  # its history is the same tenant's
        runs = server.ask("GET", "/v1/runs", headers=bearer(again))[2]["runs"]
        assert later in [one["id"] for one in runs]
        server.ask("DELETE", f"/v1/runs/{own}", headers=bearer(other))
        wait_until(server.is_idle)


def test_revoked_while_the_body_comes(keys):
    key = keys.create("alice")
    with keys.serve() as server, server.raw() as connection:
        body = json.dumps(LINE).encode()
        connection.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: "
                           f"application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        keys.revoke("alice")
        wait_until(lambda: server.logged("the key of alice is revoked"))
        connection.sendall(body)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 403 ") and b"the key of alice is revoked" in answer


def test_runs_end_without_another_request(keys):
    key = keys.create("alice")
    with keys.serve() as server:
        run(server, key, headers={"Prefer": "respond-async"}, **SLEEP)
        keys.revoke("alice")
        wait_until(server.is_idle)


# ---- one tenant and another ----


def test_tenants_do_not_see_each_other(shared):
    server = shared.server
    alice, bob = shared.key["alice"], shared.key["bob"]
    mine = run(server, alice, headers={"Prefer": "respond-async"}, language="bash", code="echo mine; sleep 60",
               tag="apart")[2]["id"]
    assert server.ask("GET", f"/v1/runs/{mine}", headers=bearer(alice))[0] == 202
    assert server.ask("GET", f"/v1/runs/{mine}", headers=bearer(bob))[0] == 404
    assert server.ask("DELETE", f"/v1/runs/{mine}", headers=bearer(bob))[0] == 404
    assert server.ask("DELETE", f"/v1/runs/{mine}", headers=bearer(alice))[0] == 202
    wait_until(lambda: server.ask("GET", f"/v1/runs/{mine}", headers=bearer(alice))[0] == 200)
    assert server.ask("GET", f"/v1/runs/{mine}", headers=bearer(bob))[0] == 404
    for query in ("?tag=apart", "?q=mine"):
        for key, found in ((alice, 1), (bob, 0)):
            assert len(server.ask("GET", "/v1/runs" + query, headers=bearer(key))[2]["runs"]) == found
    runs = server.ask("GET", "/v1/stats", headers=bearer(alice))[2]["runs"]
    run(server, bob, **LINE)
    assert server.ask("GET", "/v1/stats", headers=bearer(alice))[2]["runs"] == runs


def test_only_who_may_sees_the_whole(shared):
    server = shared.server
    for path in ("/metrics", "/v1/pools"):
        status, text, hint, _ = refused(server, "GET", path, headers=bearer(shared.key["alice"]))
        assert (status, text) == (403, f"{path} tells of everybody's runs")
        assert "--metrics" in hint
        assert server.ask("GET", path, headers=bearer(shared.key["watcher"]))[0] == 200


# ---- bounds ----


def test_policies(shared):
    server, key = shared.server, shared.key["tight"]
    result = run(server, key, language="python", code="print(1)")[2]
    assert result["policy"]["name"] == "strict"  # the first of the key's
    assert run(server, key, policy="default", **LINE)[2]["policy"]["name"] == "default"
    for policy in ("data", "open", "nonesuch", "strict2"):
        status, _, problem = run(server, key, policy=policy, **LINE)
        assert (status, problem["field"]) == (403, "policy")
        assert problem["detail"] == f"the key of tight is not for the policy '{policy}'"
        assert problem["hint"] == "it is for: strict, default"
    assert run(server, shared.key["alice"], **LINE)[2]["policy"]["name"] == "default"


def test_rates(keys):
    key, free = keys.create("slow", "--rate", "3/h"), keys.create("free")
    with keys.serve() as server:
        for left in (2, 1, 0):
            status, headers, _ = server.ask("GET", "/version", headers=bearer(key))
            assert status == 200
            assert headers["RateLimit-Policy"] == '"rate";q=3;w=3600'
            assert re.fullmatch(f'"rate";r={left};t=\\d+', headers["RateLimit"])
        status, text, hint, headers = refused(server, "GET", "/version", headers=bearer(key))
        assert (status, text) == (429, "the key of slow is for 3 requests in 3600 s")
        assert 1100 < int(headers["Retry-After"]) <= 1200  # when a third of an hour is over
        assert hint == f"come again in {headers['Retry-After']} s"
        assert headers["RateLimit"].startswith('"rate";r=0;t=')
        with server.raw() as connection:  # before its body is read
            connection.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n"
                               "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n".encode())
            assert connection.recv(20).startswith(b"HTTP/1.1 429 ")
        assert server.ask("GET", "/version", headers=bearer(free))[0] == 200
        assert "RateLimit" not in server.ask("GET", "/version", headers=bearer(free))[1]


def test_a_rate_comes_back(keys):
    key = keys.create("quick", "--rate", "1")
    with keys.serve() as server:
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200
        waits = []

        def comes_again():
            status, headers, _ = server.ask("GET", "/version", headers=bearer(key))
            waits.append(headers["Retry-After"])
            return status == 200

        wait_until(comes_again)
        assert set(waits[:-1]) <= {"1"}


def test_concurrency(keys):
    key, other = keys.create("alice", "--concurrency", "2"), keys.create("bob")
    with keys.serve() as server:
        ids = [run(server, key, headers={"Prefer": "respond-async"}, **SLEEP)[2]["id"] for _ in range(2)]
        status, headers, problem = run(server, key, **LINE)
        assert (status, headers["Retry-After"]) == (429, "1")
        assert problem["detail"] == "the key of alice is for 2 runs at one time"
        assert run(server, other, **LINE)[0] == 200
        server.ask("DELETE", f"/v1/runs/{ids[0]}", headers=bearer(key))
        wait_until(lambda: run(server, key, **LINE)[0] == 200)
        server.ask("DELETE", f"/v1/runs/{ids[1]}", headers=bearer(key))
        wait_until(server.is_idle)


def test_who_goes_away_holds_its_place_until_the_run_has_ended(keys):
    key = keys.create("alice", "--concurrency", "1")
    with keys.serve() as server:
        connection = server.connect()
        connection.request("POST", "/v1/runs", json.dumps(SLEEP),
                           {**bearer(key), "Content-Type": "application/json"})
        wait_until(lambda: not server.is_idle())
        connection.close()
        wait_until(lambda: run(server, key, **LINE)[0] == 200)
        wait_until(server.is_idle)


def test_processor_seconds_of_a_day(keys):
    key = keys.create("alice", "--cpu-seconds-per-day", "1")
    with keys.serve() as server:
        status, headers, _ = run(server, key, **LINE)
        assert status == 200
        assert headers["RateLimit-Policy"] == '"cpu";q=1;qu="cpu-seconds";w=86400'
        assert run(server, key, **BURN)[2]["status"] == "cpu_time"

        def is_used_up():
            status, headers, problem = run(server, key, **LINE)
            assert status == 429
            assert problem["detail"] == "the key of alice is for 1 processor seconds a day, which are used"
            assert problem["hint"] == "come again tomorrow, UTC"
            assert 0 < int(headers["Retry-After"]) <= 86400
            assert re.fullmatch(r'"cpu";r=0;t=\d+', headers["RateLimit"])

        is_used_up()
        assert server.ask("GET", "/v1/runs", headers=bearer(key))[0] == 200  # only runs are refused
    with keys.serve() as server:  # it is in the history
        is_used_up_again = run(server, key, **LINE)
        assert is_used_up_again[0] == 429
        keys.revoke("alice")
        another = keys.create("alice", "--cpu-seconds-per-day", "1")
        assert run(server, another, **LINE)[0] == 429  # another key of the same tenant


# ---- waiting for room ----


def budget_full(server, count=8):
    """Runs that take all there is."""
    ids = []
    for _ in range(count):
        status, _, body = server.ask("POST", "/v1/runs", {**SLEEP, "limits": {"memory_bytes": 10 << 30}},
                                     {"Prefer": "respond-async"}, UnixConnection(server.socket))
        assert status == 202, body
        ids.append(body["id"])
    return ids


def test_a_deadline_for_the_queue():
    with Server("--queue-time", "300ms") as server:
        budget_full(server, 2)
        big = {**LINE, "limits": {"memory_bytes": 10 << 30}}
        for headers in ({}, {"Accept": "text/event-stream"}):
            status, got, problem = server.ask("POST", "/v1/runs", big, headers)
            assert (status, got["Retry-After"]) == (429, "1")
            assert problem["type"] == "urn:cella:error:busy"
            assert problem["detail"] == "there was no room for the run in 0 s"
            assert "Prefer: wait=SECONDS" in problem["hint"]
        status, _, problem = server.ask("POST", "/v1/runs", big, {"Prefer": "wait=0"})
        assert status == 429
        assert server.ask("POST", "/v1/runs", big, {"Prefer": "respond-async, wait=0"})[0] == 202
        text = server.ask("GET", "/metrics")[2].decode()
        assert 'cella_refusals_total{reason="late"} 3' in text
        assert "cella_queue_runs 2" in text
        assert len(server.ask("GET", "/v1/runs?limit=9")[2]["runs"]) == 0  # none of them was run
        server.ask("GET", "/healthz")
        server.process.terminate()
        server.process.terminate()
        wait_until(lambda: server.logged("ends: "))
        server.process.terminate()
        server.process.wait(30)


@pytest.mark.parametrize("value", ["wait=x", "wait=", "wait=99999999999999999999", "waits=0", "x, wait=\"9\""])
def test_a_wait_that_is_none(shared, value):
    assert run(shared.server, shared.key["alice"], headers={"Prefer": value}, **LINE)[0] == 200


def test_one_tenant_does_not_fill_the_queue(keys):
    heavy, light = keys.create("heavy"), keys.create("light")
    with keys.serve() as server:
        taken = 0
        connection = server.connect()
        while taken < 1024:
            status, _, problem = run(server, heavy, connection, {"Prefer": "respond-async"}, **SLEEP)
            if status != 202:
                break
            taken += 1
        assert (status, taken) == (429, 512)  # of 1024
        assert problem["detail"] == "heavy has 512 runs, and the server takes no more of one key now"
        assert run(server, light, **LINE)[2]["stdout"] == "hello\n"  # and does not wait for theirs
        keys.revoke("heavy")
        wait_until(server.is_idle, 30)


def idle_files(server):
    """Of the control groups of its runs: what says whether one stands back for others."""
    found = set()
    for pid in server.keeper_and_runs:
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            continue  # it has ended
        for line in lines:
            _, controllers, path = line.split(":", 2)
            for place in {controllers, "cpu" if "cpu" in controllers.split(",") else controllers, "unified"}:
                file = Path(f"/sys/fs/cgroup/{place}{path}/cpu.idle")
                if "cella-" in path and file.exists():
                    found.add(file)
    return found


def test_who_has_much_stands_back_for_a_moment(keys):
    heavy, light = keys.create("heavy"), keys.create("light")
    with keys.serve() as server:
        connection = server.connect()
        connection.request("POST", "/v1/runs", json.dumps({
            "language": "bash", "code": "echo up; while :; do :; done",
            "limits": {"cpu_ms": 60000, "wall_ms": 60000}}),
            {**bearer(heavy), "Content-Type": "application/json", "Accept": "text/event-stream"})
        events = events_of(connection.getresponse())
        assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
        files = idle_files(server)
        if not files:
            keys.revoke("heavy")
            wait_until(server.is_idle)
            pytest.skip("this host has no control groups that can be idle")
        says = lambda: {file.read_text().strip() for file in files}
        assert says() == {"0"}
        seen, over = set(), threading.Event()

        def look():
            while not over.is_set():
                seen.update(says())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            wait_until(lambda: run(server, light, language="bash", code="sleep 0.01")[0] == 200 and "1" in seen)
        finally:
            over.set()
            looking.join()
        wait_until(lambda: says() == {"0"})  # and for no longer
        run(server, light, language="bash", code="sleep 0.2")
        assert says() == {"0"}  # a long one has it to its end no more
        keys.revoke("heavy")
        wait_until(server.is_idle)


@pytest.mark.skipif(not IS_ROOT, reason="needs root to become another user")
def test_what_root_has_made_is_the_servers(keys):
    state = keys.path / "state"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    keys.create("alice")
    assert (state / "keys.json").stat().st_uid == NOBODY
