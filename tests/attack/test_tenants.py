"""The rows about tenants: what one of them can do to the others, or with a key that is no longer his.

Each has a key without bounds, or with those that are tried: what holds him then is what the server
has for all."""
import contextlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from program import CELLA, IS_ROOT, NOBODY
from server import Server, UnixConnection, wait_until

LINE = {"language": "bash", "code": "echo hello"}
SLEEP = {"language": "bash", "code": "sleep 60"}
LATER = {"Prefer": "respond-async"}
EVENTS = {"Accept": "text/event-stream"}
MIB = 1 << 20


class Service:
    """A server with keys."""

    def __init__(self, *options, **bounds):
        self.directory = tempfile.TemporaryDirectory(prefix="ten")
        self.keys = {name: self.create(name, *words) for name, words in bounds.items()}
        self.server = Server(*options, directory=self.directory.name)

    def key(self, *words):
        state = str(Path(self.directory.name) / "state")
        done = subprocess.run([CELLA, "key", *words, "--state", state], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, timeout=30, check=True)
        return done.stdout.strip()

    def create(self, name, *words):
        return self.key("create", name, *words)

    def end_all(self):
        """What is on its way would be waited for by a server that ends."""
        for name in self.keys:
            self.key("revoke", name)
        wait_until(self.server.is_idle, 30)

    def headers(self, name):
        return {"Authorization": f"Bearer {self.keys[name]}", "Content-Type": "application/json"}

    def ask(self, name, method, path, body=None, fields=None):
        return self.server.ask(method, path, body, {**self.headers(name), **(fields or {})})

    def run(self, name, body, fields=None):
        return self.ask(name, "POST", "/v1/runs", body, fields)

    def begin(self, name, path, body, fields=None):
        """A connection with which nothing is read of what is answered."""
        connection = self.server.raw()
        data = json.dumps(body).encode()
        head = {"Host": "h", "Content-Length": len(data), **self.headers(name), **(fields or {})}
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        connection.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
        return connection

    def ended(self):
        """How many runs are remembered."""
        return self.server.ask("GET", "/v1/stats", connection=UnixConnection(self.server.socket))[2]["runs"]

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *failure):
        self.server.__exit__(*failure)
        self.directory.cleanup()


def prints(size, letter="x"):
    """A program that writes so much."""
    return {"language": "python", "code": f"import sys; sys.stdout.write({letter!r} * {size})",
            "limits": {"stdout_bytes": size}}


# ---- what is there for all ----


@pytest.mark.heavy
def test_answers_that_one_does_not_take_hold_up_him_alone():
    with Service(heavy=(), light=()) as service:
        slow = [service.begin("heavy", "/v1/runs", prints(60 * MIB)) for _ in range(8)]
        heads = [connection.recv(12) for connection in slow]
        assert heads.count(b"HTTP/1.1 429") >= 2 and heads.count(b"HTTP/1.1 200") >= 2
        assert service.run("light", LINE)[2]["stdout"] == "hello\n"
        assert len(service.run("light", prints(2 * MIB))[2]["stdout"]) == 2 * MIB
        status, _, problem = service.run("heavy", LINE)
        assert (status, problem["detail"]) == (429, "too many large results wait for their readers")
        for connection in slow:
            connection.close()
        wait_until(lambda: service.run("heavy", LINE)[0] == 200)


@pytest.mark.heavy
def test_streams_that_one_does_not_read_hold_up_him_alone():
    """A run that has ended counts no more as one of his, but its output is held."""
    with Service(heavy=("--concurrency", "1"), light=()) as service:
        slow, statuses = [], []
        for _ in range(12):
            before = service.ended()
            slow.append(service.begin("heavy", "/v1/runs", prints(30 * MIB), EVENTS))
            statuses.append(slow[-1].recv(12))
            if statuses[-1] != b"HTTP/1.1 200":
                break
            wait_until(lambda: service.ended() > before)
        assert statuses[-1] == b"HTTP/1.1 429" and len(statuses) > 4
        assert service.run("light", LINE)[2]["stdout"] == "hello\n"
        for connection in slow:
            connection.close()
        wait_until(lambda: service.run("heavy", LINE)[0] == 200)


@pytest.mark.heavy
def test_bodies_that_one_does_not_end_hold_up_him_alone():
    with Service(heavy=(), light=()) as service:
        head = (f"POST /v1/runs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {service.keys['heavy']}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {64 * MIB}\r\n\r\n").encode()
        slow = []
        for _ in range(5):
            slow.append(service.server.raw())
            try:
                slow[-1].sendall(head + b" " * (64 * MIB - 1))
            except OSError:
                pass  # it is refused by then
        large = {**LINE, "stdin": "x" * 20 * MIB}
        assert service.run("light", LINE)[2]["stdout"] == "hello\n"
        assert service.run("light", large)[2]["stdout"] == "hello\n"
        for connection in slow:
            connection.close()


def test_batches_of_one_leave_some_for_others():
    with Service(heavy=(), light=()) as service:
        batch = {"program": SLEEP, "tests": [{}] * 2, "parallel": 1}
        statuses = [service.ask("heavy", "POST", "/v1/batches", batch, LATER)[0] for _ in range(17)]
        assert statuses == [202] * 16 + [429]
        assert service.ask("light", "POST", "/v1/batches", batch, LATER)[0] == 202
        service.end_all()


@pytest.mark.heavy
def test_large_batches_of_one_leave_some_for_others():
    with Service(heavy=(), light=()) as service:
        batch = {"program": SLEEP, "tests": [{"stdin": "x" * (60 * MIB)}]}
        asked = [service.ask("heavy", "POST", "/v1/batches", batch, LATER) for _ in range(3)]
        assert [status for status, _, _ in asked] == [202, 202, 429]
        size = len(json.dumps(batch))
        assert asked[2][2]["detail"] == f"heavy has {2 * size} bytes of batches, and takes no {size} more now"
        assert service.ask("light", "POST", "/v1/batches", batch, LATER)[0] == 202
        service.end_all()


def test_exports_of_one_leave_some_for_others():
    with Service(heavy=(), light=()) as service:
        for _ in range(12):
            service.run("heavy", prints(MIB * 9 // 10))
        slow = [service.server.raw() for _ in range(9)]
        for connection in slow:
            connection.sendall(f"GET /v1/runs/export HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                               f"{service.keys['heavy']}\r\n\r\n".encode())
        heads = sorted(connection.recv(12) for connection in slow)
        assert heads == [b"HTTP/1.1 200"] * 8 + [b"HTTP/1.1 429"]
        assert service.ask("light", "GET", "/v1/runs/export")[0] == 200
        for connection in slow:
            connection.close()


def most_at_one_time(results):
    """Of tests that print when they began and ended."""
    times = [(int(at), step) for result in results for test in result["tests"]
             for at, step in zip(test["stdout"].split(), (1, -1))]
    now = most = 0
    for _, step in sorted(times):
        now += step
        most = max(most, now)
    return most


def test_batches_keep_to_the_runs_at_one_time():
    """Several that begin while each of them has but one run, which compiles."""
    code = """#include <stdio.h>
        #include <time.h>
        #include <unistd.h>
        static void tell(void) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            printf("%lld\\n", now.tv_sec * 1000000000LL + now.tv_nsec);
        }
        int main(void) { tell(); usleep(400000); tell(); }"""
    with Service(alice=("--concurrency", "3")) as service:
        paths = []
        for number in range(6):
            batch = {"program": {"language": "c", "code": f"{code} /* {number} */",
                                 "limits": {"memory_bytes": 16 * MIB}},
                     "tests": [{}] * 8, "parallel": 8}
            status, headers, problem = service.ask("alice", "POST", "/v1/batches", batch, LATER)
            if status == 202:
                paths.append(headers["Location"])
            else:
                assert problem["detail"] == "the key of alice is for 3 runs at one time"
        assert paths
        for path in paths:
            wait_until(lambda: service.ask("alice", "GET", path)[0] == 200, 60)
        results = [service.ask("alice", "GET", path)[2] for path in paths]
        assert {result["verdict"] for result in results} == {"accepted"}
        assert 1 < most_at_one_time(results) <= 3
        wait_until(lambda: service.run("alice", LINE)[0] == 200)


# ---- keys that hold no more ----


def test_a_key_in_the_place_of_another_is_another():
    """Also when the server sees both changes at once."""
    with Service(alice=()) as service:
        run_id = service.run("alice", SLEEP, LATER)[2]["id"]
        wait_until(lambda: not service.server.is_idle())
        service.server.process.send_signal(signal.SIGSTOP)
        service.key("revoke", "alice")
        old, service.keys["alice"] = service.keys["alice"], service.create("alice")
        service.server.process.send_signal(signal.SIGCONT)
        wait_until(lambda: service.ask("alice", "GET", f"/v1/runs/{run_id}")[2].get("status") == "cancelled")
        assert service.server.logged("the key of alice is revoked") == 1
        assert service.server.logged("the key of alice is new") == 1
        service.keys["old"] = old
        assert service.ask("old", "GET", "/version")[0] == 401


def test_what_was_begun_with_a_key_is_not_the_next_ones():
    """A request, and a WebSocket, that began with one and go on when there is another of its name."""
    with Service(alice=()) as service, service.server.raw() as connection, service.server.raw() as socket:
        body = json.dumps(LINE).encode()
        head = f"Host: h\r\nAuthorization: Bearer {service.keys['alice']}\r\n"
        connection.sendall(f"POST /v1/runs HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: "
                           f"{len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        socket.sendall(f"GET /v1/runs/interactive HTTP/1.1\r\n{head}Connection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        assert socket.recv(4096).startswith(b"HTTP/1.1 101 ")
        service.key("revoke", "alice")
        wait_until(lambda: service.server.logged("the key of alice is revoked"))
        service.keys["alice"] = service.create("alice")
        assert service.run("alice", LINE)[0] == 200
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")
        socket.sendall(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)
        assert b"the key of alice is revoked" in b"".join(iter(lambda: socket.recv(4096), b""))
        assert service.ended() == 1


def test_an_export_ends_with_its_key():
    with Service(alice=()) as service:
        for _ in range(40):
            service.run("alice", prints(MIB // 2))
        connection = http.client.HTTPConnection("127.0.0.1", service.server.port, timeout=30)
        connection.request("GET", "/v1/runs/export", headers=service.headers("alice"))
        response = connection.getresponse()
        assert response.readline()
        service.key("revoke", "alice")
        wait_until(lambda: service.server.logged("the key of alice is revoked"))
        with pytest.raises(http.client.IncompleteRead):
            response.read()


# ---- the state directory ----


@pytest.mark.parametrize("spoil, text", [
    (lambda state: state.chmod(0o777), "can be written by everybody"),
    pytest.param(lambda state: os.chown(state, NOBODY, NOBODY), "belongs to another user",
                 marks=pytest.mark.skipif(not IS_ROOT, reason="needs root to give a directory away"))])
def test_a_state_directory_that_is_not_ones_own(tmp_path, spoil, text):
    """Keys that others put there would let them in."""
    state = tmp_path / "state"
    state.mkdir()
    spoil(state)
    done = subprocess.run([CELLA, "serve", "--listen", "127.0.0.1:0", "--socket", str(tmp_path / "socket"),
                           "--state", str(state)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          timeout=30)
    assert done.returncode != 0
    assert f"the state directory {state} {text}" in done.stderr


# ---- what is remembered ----


def fastest(ask, times=5):
    """In seconds."""
    taken = []
    for _ in range(times):
        began = time.monotonic()
        assert ask()[0] == 200
        taken.append(time.monotonic() - began)
    return min(taken)


def test_who_has_few_runs_does_not_wait_for_those_of_others():
    """A search of the history is in the server's one loop: so everybody would wait with him."""
    kept = "tenant, added_at, bytes, kept, record, request, result, summary"
    with Service(heavy=(), light=()) as service:
        service.run("heavy", LINE)
        wait_until(lambda: service.ask("heavy", "GET", "/v1/runs")[2]["runs"])
        file = Path(service.directory.name) / "state" / "history.db"
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute(f"INSERT INTO runs(id, {kept}) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL "
                             "SELECT n + 1 FROM numbers WHERE n < 40000) "
                             f"SELECT printf('%026d', n), {kept} FROM numbers, runs WHERE number = 1")
            database.commit()
        whole = fastest(lambda: service.server.ask("GET", "/v1/stats",
                                                   connection=UnixConnection(service.server.socket)))
        for path in "/v1/runs", "/v1/stats", "/v1/runs?tag=x", "/v1/runs/export":
            seconds = fastest(lambda: service.ask("light", "GET", path))
            assert seconds < whole / 5, (path, seconds, whole)
