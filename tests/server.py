"""A server for tests: `cella serve` on a Unix socket and a free port of its own."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from program import CELLA, NOBODY, SANITIZED, USERS

START_SECONDS = 30


def descendants(pid):
    """The processes below one."""
    parents = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if fields[0] != "Z":
            parents[int(directory.name)] = int(fields[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def child_named(pid, name):
    """The pid of its child that has that name, which must be there."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{child}/comm").read_text() == f"{name}\n":
                return int(child)
    raise AssertionError(f"{pid} has no child {name}")


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Server:
    """`with Server() as server:` runs one; leaving it, it has ended, and all that it had with it."""

    def __init__(self, *options, user=None, directory=None, environment=None, prefix=()):
        self.own_directory = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="srv"))  # sockets have short paths
        if user == "user" and self.own_directory and USERS["user"]:
            os.chown(self.directory, NOBODY, NOBODY)
        self.socket = str(self.directory / "serve.sock")
        self.log = self.directory / "log"
        before = len(self.text())
        self.process = subprocess.Popen(
            [*prefix, *USERS.get(user, []), CELLA, "serve", "--listen", "127.0.0.1:0", "--socket", self.socket,
             "--state", str(self.directory / "state"), "--log", str(self.log),
             *([] if "--pool-memory" in options else ["--pool-memory", "0"]), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", **(environment or {})})
        try:
            wait_until(lambda: re.search('[ "]ready', self.text()[before:]) or self.process.poll() is not None,
                       START_SECONDS)
            assert self.process.poll() is None, self.process.communicate()
            self.port = int(re.findall(r"listens on 127\.0\.0\.1:(\d+)", self.text())[-1])
        except BaseException:
            self.end()
            raise

    def keeper(self):
        """Its pid."""
        return child_named(self.process.pid, "cella-keeper")

    def memory(self):
        """Resident, in bytes; with sanitizers it says nothing."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 0 if SANITIZED else int(status.split("VmRSS:")[1].split()[0]) * 1024

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def logged(self, words):
        return self.text().count(words)

    @property
    def keeper_and_runs(self):
        return descendants(self.process.pid)

    def is_idle(self):
        return len(self.keeper_and_runs) == 3

    def has_processes(self, count):
        """Of runs: beside the keeper, what starts one, and what does checkpoints."""
        return len(self.keeper_and_runs) >= 3 + count

    def stop(self, number=signal.SIGTERM, seconds=30):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=seconds)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        if self.own_directory:
            shutil.rmtree(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        below = self.keeper_and_runs
        try:
            if failure[0] is not None:
                self.process.kill()
            elif self.process.returncode is None:
                assert self.stop() == 0
            wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in below))
        finally:
            self.end()

    # ---- asking ----

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Status, headers and body; JSON is read."""
        connection = connection or self.connect()
        if body is not None and not isinstance(body, (bytes, str)) and not hasattr(body, "__next__"):
            body = json.dumps(body)
        given = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body, {**given, **(headers or {})})
        response = connection.getresponse()
        data = response.read()
        if data and (response.getheader("Content-Type") or "").endswith(("/json", "+json")):
            data = json.loads(data)
        return response.status, response.headers, data

    def run(self, connection=None, **request):
        return self.ask("POST", "/v1/runs", request, connection=connection)

    def problem(self, *args, **more):
        """Of an answer that must be one: status, text, hint."""
        status, headers, data = self.ask(*args, **more)
        assert headers["Content-Type"] == "application/problem+json", data
        assert data["status"] == status
        return status, data["detail"], data["hint"]

    def raw(self):
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def events_of(response):
    """Name and data of each server-sent event, as they come."""
    name = None
    for line in response:
        line = line.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])
