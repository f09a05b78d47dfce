"""API keys: who gets in, what each may use, and that tenants are kept apart."""
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from program import CELLA, IS_ROOT, NOBODY, USERS
from server import Server, UnixConnection, events_of, wait_until

LINE = {"language": "bash", "code": "echo hello"}
SLEEP = {"language": "bash", "code": "echo up; sleep 60"}
BURN = {"language": "bash", "code": "while :; do :; done", "limits": {"cpu_ms": 1200, "wall_ms": 60000}}


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
    (["create", "b", "--key-policy", "strict.yaml"], "--key-policy 'strict.yaml' is no policy's name",
     "cella policy"),
    (["create", "b", "--key-policy", "default", "--key-policy", "strikt"],
     "unknown policy 'strikt'; there are data, default, ", "did you mean 'strict'?"),
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


# ---- where a server's keys are ----


def key_of(directory, *words, user=(), **variables):
    """Exit code, what was printed, and the lines of standard error."""
    done = subprocess.run([*user, CELLA, "key", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, cwd=directory, check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(directory), **variables})
    return done.returncode, done.stdout.strip(), done.stderr.splitlines()


def test_the_configuration_says_where_they_are(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text(f"state: {tmp_path}/by-file\n")
    made = lambda: sorted(path.parent.name for path in tmp_path.glob("*/keys.json"))
    code, key, lines = key_of(tmp_path, "create", "alice", "--config", str(file))
    assert (code, lines, made()) == (0, [], ["by-file"]) and key.startswith("cella_")
    assert "alice" in key_of(tmp_path, "list", CELLA_CONFIG=str(file))[1]
    assert key_of(tmp_path, "create", "bob", "--config", str(file), CELLA_STATE=f"{tmp_path}/by-variable")[0] == 0
    assert made() == ["by-file", "by-variable"]
    assert key_of(tmp_path, "create", "carol", "--config", str(file), "--state", f"{tmp_path}/by-option",
                  CELLA_STATE=f"{tmp_path}/by-variable")[0] == 0
    assert made() == ["by-file", "by-option", "by-variable"]
    with Server("--config", str(file), "--state", f"{tmp_path}/by-file", directory=tmp_path) as server:
        assert server.ask("GET", "/version", headers=bearer(key))[0] == 200
    assert key_of(tmp_path, "revoke", "alice", "--config", "serve.yaml")[0] == 0  # from where it is asked


@pytest.mark.parametrize("text, told", [
    ("history_day: 3\n", ":1:1: history_day is not a field"),
    ("state: relative\n", ":1:1: state must be an absolute path"),
    (None, "cannot open ")])
def test_a_configuration_that_is_wrong_makes_no_key(tmp_path, text, told):
    file = tmp_path / "serve.yaml"
    if text is not None:
        file.write_text(text)
    code, printed, lines = key_of(tmp_path, "create", "alice", "--config", str(file))
    assert (code, printed) == (125, "")
    assert lines[0].startswith("cella: ") and told in lines[0] and str(file) in lines[0]
    assert not list(tmp_path.rglob("keys.json"))


def test_a_users_own_server(tmp_path):
    """An ordinary user's: root's is in /etc and /var."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "cella").mkdir()
        os.chmod(home, 0o755)
        if IS_ROOT:
            os.chown(home, NOBODY, NOBODY)
        (Path(home) / "cella" / "serve.yaml").write_text(f"state: {home}/elsewhere\n")
        more = {"user": USERS["user"], "XDG_CONFIG_HOME": home, "XDG_RUNTIME_DIR": home, "HOME": home}
        assert key_of(home, "create", "alice", **more)[0] == 0
        assert os.path.exists(f"{home}/elsewhere/keys.json")
        assert key_of(home, "create", "alice", "--config", "none", **more)[0] == 0
        assert os.path.exists(f"{home}/.local/state/cella/keys.json")


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount")
def test_a_state_directory_that_is_read_only(keys):
    keys.create("alice")
    state = str(keys.path / "state")
    before = (keys.path / "state" / "keys.json").read_bytes()
    read_only = ["unshare", "--mount", "sh", "-c",
                 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', state]
    for words, text in ((("create", "bob"), "cannot lock the keys: Read-only file system"),
                        (("revoke", "alice"), "cannot lock the keys: Read-only file system")):
        code, _, lines = key_of(keys.path, *words, "--state", state, user=read_only)
        assert (code, lines[0]) == (125, f"cella: {text}")
    code, printed, _ = key_of(keys.path, "list", "--state", state, user=read_only)
    assert code == 0 and "alice" in printed
    assert (keys.path / "state" / "keys.json").read_bytes() == before


# ---- who gets in ----


def test_a_key_is_demanded(shared):
    server = shared.server
    for path in ("/v1/runs", "/v1/nothing", "/metrics", "/version", "/openapi.json"):
        status, text, hint, headers = refused(server, "GET", path)
        assert (status, text) == (401, "this server demands a key")
        assert hint == "send it as 'Authorization: Bearer KEY'"
        assert headers["WWW-Authenticate"] == 'Bearer realm="cella"'
    connection = server.connect()
    connection.request("GET", "/version")
    response = connection.getresponse()
    assert (response.reason, json.load(response)["title"]) == ("Unauthorized", "Unauthorized")
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
        assert server.logged("there are no keys: every user") == 1
        (server.directory / "state" / "keys.json").unlink()
        assert server.ask("GET", "/version")[0] == 200
        assert server.logged("there are no keys: every user") == 2
        told = server.text()
        assert told.index("listens on 127.0.0.1:") < told.index("there are no keys")


def test_a_file_that_cannot_be_read_lets_nobody_in(keys):
    key = keys.create("alice")
    file = keys.path / "state" / "keys.json"
    good = file.read_text()
    with keys.serve() as server:
        for bad in ("", "{", "[]", '{"keys": [{"name": "alice"}]}', good.replace('"alice"', '"a b"'),
                    good.replace('"alice"', '"local"'), good.replace('"default"', ""), good.replace("[{", "[{},{"), "x" * (5 << 20)):
            file.write_text(bad)
            assert refused(server, "GET", "/version", headers=bearer(key))[0] == 401
        assert server.logged("nobody gets in with a key: keys.json") >= 9
        assert server.logged("keys[0].name is 'local', which is whoever comes by the Unix socket")
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
    for words in (["127.0.0.1:0"], ["0.0.0.0:0", "--check"]):
        done = subprocess.run([CELLA, "serve", "--socket", str(keys.path / "s"), "--state",
                               str(keys.path / "state"), "--listen", *words], capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 125 and "cella: keys.json: " in done.stderr


def test_other_addresses_with_keys(keys):
    key = keys.create("alice")
    subprocess.run([CELLA, "serve", "--check", "--listen", "0.0.0.0:0", "--socket", str(keys.path / "s"), "--state",
                    str(keys.path / "state")], check=True, timeout=30, stdout=subprocess.DEVNULL)
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


def test_a_key_whose_policy_is_not_there(tmp_path, keys):
    """It was when the key was made; what is wrong is not the client's, who has named none."""
    policy = tmp_path / "cella" / "policies" / "lab.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text("extends: default\n")
    environment = {"PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path)}
    key = subprocess.run([CELLA, "key", "create", "alice", "--key-policy", "lab", "--state",
                          str(keys.path / "state")], capture_output=True, text=True, timeout=30, check=True,
                         env=environment).stdout.strip()
    policy.unlink()
    batch = {"program": LINE, "tests": [{"stdin": ""}]}
    with Server(directory=keys.path, environment=environment) as server:
        missing = "the key of alice is for the policy 'lab', which this server does not have"
        assert missing in json.dumps(server.ask("POST", "/v1/batches", batch, bearer(key))[2])
        for body in (LINE, {**LINE, "policy": "lab"}):
            status, _, problem = server.ask("POST", "/v1/runs", body, bearer(key))
            assert (status, problem["detail"], problem["field"]) == (403, missing, None)
            assert problem["hint"].startswith("the operator must add that policy, or make another key")
            assert "strict" not in json.dumps(problem)
        policy.write_text("extends: default\n")
        assert run(server, key, **LINE)[2]["policy"]["name"] == "lab"


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
        assert (status, headers["Retry-After"]) == (429, "1")  # nothing is known yet
        assert problem["detail"] == "the key of alice is for 2 runs at one time"
        assert run(server, other, **LINE)[0] == 200
        server.ask("DELETE", f"/v1/runs/{ids[0]}", headers=bearer(key))
        wait_until(lambda: run(server, key, **LINE)[0] == 200)
        server.ask("DELETE", f"/v1/runs/{ids[1]}", headers=bearer(key))
        wait_until(server.is_idle)


def test_when_to_come_again_follows_what_runs_take(keys):
    key, other = keys.create("alice", "--concurrency", "1"), keys.create("bob", "--concurrency", "1")
    later = {"Prefer": "respond-async"}
    with keys.serve() as server:
        for _ in range(2):
            assert run(server, key, language="bash", code="sleep 1.3")[0] == 200
        assert run(server, other, **LINE)[0] == 200
        ids = {of: run(server, of, headers=later, **SLEEP)[2]["id"] for of in (key, other)}
        told = {of: run(server, of, **LINE)[1] for of in (key, other)}
        assert 2 <= int(told[key]["Retry-After"]) <= 20  # as long as they take, rounded up
        assert told[other]["Retry-After"] == "1"  # those of each by themselves
        time.sleep(2.1)
        status, headers, problem = run(server, other, **LINE)
        assert status == 429 and 3 <= int(headers["Retry-After"]) <= 20  # as long as this one takes already
        assert problem["hint"] == "come again when one of them has ended"
        for of, one in ids.items():
            server.ask("DELETE", f"/v1/runs/{one}", headers=bearer(of))
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
            assert problem["detail"] == "the key of alice is for 1 processor second a day, and no more is left"
            assert problem["hint"] == "come again tomorrow, UTC"
            assert 0 < int(headers["Retry-After"]) <= 86400
            assert re.fullmatch(r'"cpu";r=0;t=\d+', headers["RateLimit"])

        is_used_up()
        assert server.ask("GET", "/v1/runs", headers=bearer(key))[0] == 200  # only runs are refused
    with keys.serve("--history", "0") as server:  # whatever is remembered of the runs
        is_used_up_again = run(server, key, **LINE)
        assert is_used_up_again[0] == 429
        keys.revoke("alice")
        another = keys.create("alice", "--cpu-seconds-per-day", "1")
        assert run(server, another, **LINE)[0] == 429  # another key of the same tenant


LONG = {"language": "bash", "code": "echo up; sleep 60", "limits": {"cpu_ms": 1500}}


def seconds_left(server, key):
    headers = server.ask("GET", "/version", headers=bearer(key))[1]
    return int(re.search(r'"cpu";r=(\d+)', headers["RateLimit"])[1])


def begin_long(server, key, request):
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps(request),
                       {**bearer(key), "Content-Type": "application/json", "Accept": "text/event-stream"})
    response = connection.getresponse()
    events = events_of(response)
    assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
    return response  # who lets go of it ends the run


@pytest.mark.parametrize("history", ["256m", "0"])
def test_a_killed_server_gives_no_seconds(keys, history):
    key = keys.create("alice", "--cpu-seconds-per-day", "100")
    burns = {"language": "bash", "code": "echo up; while :; do :; done", "limits": {"cpu_ms": 60000, "wall_ms": 60000}}
    with keys.serve("--history", history) as server:
        assert seconds_left(server, key) == 100
        held = begin_long(server, key, burns)
        time.sleep(1.2)
        server.stop(signal.SIGKILL)
    with keys.serve("--history", history) as server:
        left = seconds_left(server, key)
        assert left <= 99  # it has used a second, and counts with all that it may have used
        assert server.logged("1 run of tenants had no end") == 1
        held = begin_long(server, key, LONG)
        time.sleep(1.6)
        server.stop(signal.SIGKILL)
    with keys.serve("--history", history) as server:  # but never with more than its limit
        assert left - 2 <= seconds_left(server, key) <= left - 1
        left = seconds_left(server, key)
        assert run(server, key, **LINE)[2]["status"] == "ok"
        assert seconds_left(server, key) in (left, left - 1)
    with keys.serve("--history", history) as server:  # one that ended by itself leaves nothing behind
        assert seconds_left(server, key) in (left, left - 1)
        assert server.logged("had no end") == 2


def test_seconds_are_used_up_by_crashes(keys):
    key = keys.create("alice", "--cpu-seconds-per-day", "2")
    for times in range(4):
        with keys.serve() as server:
            status, _, problem = run(server, key, headers={"Prefer": "respond-async"}, **LONG)
            if status == 429:
                break
            wait_until(lambda: not server.is_idle())
            time.sleep(1.6)
            server.stop(signal.SIGKILL)
    assert (status, times) == (429, 2)
    assert problem["detail"] == "the key of alice is for 2 processor seconds a day, and no more is left"


def test_a_killed_keeper_gives_no_seconds(keys):
    key = keys.create("alice", "--cpu-seconds-per-day", "100")
    with keys.serve() as server:
        held = begin_long(server, key, LONG)
        time.sleep(1.6)
        os.kill(server.keeper(), signal.SIGKILL)
        wait_until(lambda: server.logged(" ready") == 2, 30)
        wait_until(lambda: seconds_left(server, key) == 99)
        held.close()


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
            assert status == 429 and 1 <= int(got["Retry-After"]) <= 10  # behind one that waits
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
        assert (status, taken) == (429, 480)  # of 960, the socket's share left out
        assert problem["detail"] == "heavy has 480 runs, and the server takes no more of one key now"
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


def groups_of_program(server, argument):
    """The control groups of the one that was started with that argument."""
    for pid in server.keeper_and_runs:
        with contextlib.suppress(OSError):  # it has ended
            if argument in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                return [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    return []


def test_who_has_nothing_else_goes_first_for_a_moment(keys):
    heavy, light = keys.create("heavy"), keys.create("light")
    with keys.serve() as server:
        connection = server.connect()
        connection.request("POST", "/v1/runs", json.dumps({
            "language": "bash", "code": "echo up; while :; do :; done",
            "limits": {"cpu_ms": 60000, "wall_ms": 60000}}),
            {**bearer(heavy), "Content-Type": "application/json", "Accept": "text/event-stream"})
        events = events_of(connection.getresponse())
        assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
        others = idle_files(server)
        if not others:
            keys.revoke("heavy")
            wait_until(server.is_idle)
            pytest.skip("this host has no control groups that can be idle")
        says = lambda files: {"1" if "/back/" in str(file) else file.read_text().strip()
                              for file in files if file.exists()}
        assert says(others) == {"0"}  # there is nobody else, and the trial at the start was nobody
        seen, over = set(), threading.Event()

        def look():
            while not over.is_set():
                with contextlib.suppress(OSError):  # one that has just gone
                    seen.update(says(idle_files(server) - others))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            wait_until(lambda: run(server, light, language="bash", code="sleep 0.3")[0] == 200
                       and seen == {"0", "1"})  # first it goes first, then it is as all are
        finally:
            over.set()
            looking.join()
        assert says(others) == {"1"}  # as all are where there are others
        # What begins now, of the one who has something, stands back together with the like.
        assert run(server, heavy, None, {"Prefer": "respond-async"}, language="bash", code="sleep 86.4")[0] == 202
        assert run(server, light, None, {"Prefer": "respond-async"}, language="bash", code="sleep 97.5")[0] == 202
        wait_until(lambda: groups_of_program(server, "86.4") and groups_of_program(server, "97.5"))
        assert any("/back/cella-" in path for path in groups_of_program(server, "86.4"))
        assert not any("/back/cella-" in path for path in groups_of_program(server, "97.5"))
        keys.revoke("light")
        keys.revoke("heavy")
        wait_until(server.is_idle)


@pytest.mark.skipif(not IS_ROOT, reason="needs root to become another user")
def test_what_root_has_made_is_the_servers(keys):
    state = keys.path / "state"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    keys.create("alice")
    assert (state / "keys.json").stat().st_uid == NOBODY
