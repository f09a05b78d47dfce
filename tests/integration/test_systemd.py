"""What a server and a manager of services say to each other: sockets that are passed, readiness,
signs of life.  No systemd is needed but for its socket-activate; a socket of ours listens.
"""
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from program import CELLA
from server import UnixConnection, child_named, wait_until

SECONDS = 30


class Manager:
    """Starts a server as systemd would, with a socket that is told of it."""

    def __init__(self, tmp_path, *sockets, **variables):
        self.path = str(tmp_path / "notify")
        self.said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.said.bind(self.path)
        self.said.settimeout(SECONDS)
        self.messages = []
        self.log = tmp_path / "log"
        self.socket = str(tmp_path / "s")
        env = {"PATH": "/usr/bin:/bin", "CELLA_CONFIG": "none", "NOTIFY_SOCKET": self.path, **variables}
        # A number that is only known after the fork: the shell's, which becomes the server.
        line = (f'export LISTEN_PID=$$ LISTEN_FDS={len(sockets)}; exec "$@"' if sockets
                else 'export WATCHDOG_PID=$$; exec "$@"')
        for number, passed in enumerate(sockets, 3):
            line = f"exec {number}<&{passed.fileno()}; {line}"
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", line, "bash", CELLA, "serve", "--listen", "none", "--socket",
             self.socket, "--state", str(tmp_path / "state"), "--log", str(self.log),
             "--pool-memory", "0"], env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=[passed.fileno() for passed in sockets])

    def hear(self, wanted):
        """The next message that has this line, as {name: value} of its lines."""
        while True:
            lines = self.said.recv(4096).decode().split("\n")
            self.messages.append(dict(line.partition("=")[::2] for line in lines))
            if wanted in lines:
                return self.messages[-1]

    def keeper(self):
        return child_named(self.process.pid, "cella-keeper")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.code = self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.errors = self.process.communicate()[1].decode()
            self.said.close()


def tcp_socket(address="127.0.0.1", family=socket.AF_INET):
    listening = socket.socket(family)
    listening.bind((address, 0))
    listening.listen()
    return listening


def ask(connection, path="/readyz"):
    connection.request("GET", path)
    return connection.getresponse().status


def test_ready_when_it_is_and_the_end(tmp_path):
    with Manager(tmp_path) as manager:
        assert manager.hear("READY=1")["STATUS"] == "takes runs"
        assert ask(UnixConnection(manager.socket)) == 200
        manager.process.send_signal(signal.SIGHUP)
        assert 0 < int(manager.hear("RELOADING=1")["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        manager.hear("READY=1")
        manager.process.terminate()
        manager.hear("STOPPING=1")
        manager.process.wait(SECONDS)
    assert manager.code == 0
    assert not any("WATCHDOG" in message for message in manager.messages)


def test_an_abstract_place(tmp_path):
    name = f"cella-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
        said.bind(f"\0{name}")
        said.settimeout(SECONDS)
        with Manager(tmp_path, NOTIFY_SOCKET=f"@{name}"):
            assert said.recv(4096).startswith(b"READY=1\n")


@pytest.mark.parametrize("variables, text", [
    ({"NOTIFY_SOCKET": "relative"}, "NOTIFY_SOCKET=relative is no absolute path and no abstract name"),
    ({"NOTIFY_SOCKET": "/" + "x" * 120}, "is no absolute path"),
    ({"NOTIFY_SOCKET": "/nonexistent"}, "cannot speak to NOTIFY_SOCKET=/nonexistent"),
    ({"WATCHDOG_USEC": "0"}, "WATCHDOG_USEC=0 is no time"),
    ({"WATCHDOG_USEC": "-1"}, "WATCHDOG_USEC=-1 is no time"),
    ({"WATCHDOG_USEC": "1s"}, "WATCHDOG_USEC=1s is no time"),
])
def test_what_makes_no_sense(tmp_path, variables, text):
    with Manager(tmp_path, **variables) as manager:
        manager.process.wait(SECONDS)
    assert manager.code == 125 and text in manager.errors


def test_signs_of_life_need_the_keeper(tmp_path):
    """One that hangs gives none: so whoever wants them sees it."""
    with Manager(tmp_path, WATCHDOG_USEC="400000") as manager:
        manager.hear("READY=1")
        for _ in range(3):
            manager.hear("WATCHDOG=1")
        keeper = manager.keeper()
        os.kill(keeper, signal.SIGSTOP)
        try:
            manager.said.settimeout(1)
            with pytest.raises(TimeoutError):  # a few may have been on their way
                for _ in range(5):
                    manager.hear("WATCHDOG=1")
            assert ask(UnixConnection(manager.socket), "/healthz") == 200  # it is the keeper alone
        finally:
            os.kill(keeper, signal.SIGCONT)
        manager.said.settimeout(SECONDS)
        manager.hear("WATCHDOG=1")


def test_signs_of_life_for_another_process(tmp_path):
    with Manager(tmp_path, WATCHDOG_USEC="40000") as manager:
        manager.hear("READY=1")
        manager.hear("WATCHDOG=1")
    (tmp_path / "two").mkdir()
    with tcp_socket() as passed, Manager(tmp_path / "two", passed, WATCHDOG_USEC="40000",
                                         WATCHDOG_PID="1") as manager:
        manager.hear("READY=1")
        manager.said.settimeout(0.5)
        with pytest.raises(TimeoutError):
            manager.hear("WATCHDOG=1")


def test_a_new_keeper_is_told(tmp_path):
    with Manager(tmp_path) as manager:
        manager.hear("READY=1")
        os.kill(manager.keeper(), signal.SIGKILL)
        assert manager.hear("STATUS=starts a new keeper").keys() == {"STATUS"}
        manager.hear("READY=1")


# ---- sockets that are passed ----


def test_sockets_are_taken_as_they_are(tmp_path):
    path = str(tmp_path / "passed")
    with socket.socket(socket.AF_UNIX) as local, tcp_socket() as tcp:
        local.bind(path)
        local.listen()
        with Manager(tmp_path, local, tcp, LISTEN_FDNAMES="one:two") as manager:
            manager.hear("READY=1")
            port = tcp.getsockname()[1]
            assert ask(UnixConnection(path)) == 200
            assert ask(http.client.HTTPConnection("127.0.0.1", port)) == 200
            assert not os.path.exists(manager.socket)  # in its place
            text = manager.log.read_text()
            assert f"listens on {path}, which was passed" in text and f"127.0.0.1:{port}, which" in text
            environment = open(f"/proc/{manager.keeper()}/environ", "rb").read()
            assert b"LISTEN" not in environment and b"NOTIFY" not in environment
        assert os.path.exists(path)  # it is not the server's to remove
        # What comes between two servers waits in the socket.
        waiting = UnixConnection(path)
        waiting.request("GET", "/readyz")
        (tmp_path / "two").mkdir()
        with Manager(tmp_path / "two", local) as manager:
            assert waiting.getresponse().status in (200, 503)


def test_one_kind_alone(tmp_path):
    with tcp_socket() as tcp, Manager(tmp_path, tcp) as manager:
        manager.hear("READY=1")
        assert ask(UnixConnection(manager.socket)) == 200
    assert not os.path.exists(manager.socket)


@pytest.mark.parametrize("make, code, text", [
    (lambda: tcp_socket("0.0.0.0"), 126, "is for others than this host too, and there are no keys"),
    (lambda: socket.socket(socket.AF_INET), 125, "is no stream socket that listens"),
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 125, "is no stream socket that listens"),
    (lambda: open("/dev/null", "rb"), 125, "is no stream socket that listens")])
def test_sockets_that_are_none(tmp_path, make, code, text):
    with make() as passed, Manager(tmp_path, passed) as manager:
        manager.process.wait(SECONDS)
    assert manager.code == code and text in manager.errors


@pytest.mark.parametrize("variables, text", [
    ({"LISTEN_FDNAMES": "one:two"}, "LISTEN_FDNAMES has 2 names for 1 sockets"),
    ({"LISTEN_FDNAMES": ""}, None)])
def test_names_must_fit(tmp_path, variables, text):
    with tcp_socket() as passed, Manager(tmp_path, passed, **variables) as manager:
        if text is None:
            manager.hear("READY=1")
        else:
            manager.process.wait(SECONDS)
    assert text is None or (manager.code == 125 and text in manager.errors)


@pytest.mark.parametrize("pid, fds, text", [
    ("1", "1", None), ("self", "17", "LISTEN_FDS=17 is more than the 16 that there may be"),
    ("self", "-1", "LISTEN_FDS=-1 is no number"), ("x", "1", "LISTEN_PID=x is no number"),
    ("self", "0", None)])
def test_counts(tmp_path, pid, fds, text):
    line = f'export LISTEN_PID={"$$" if pid == "self" else pid} LISTEN_FDS={fds}; exec "$@"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", line, "bash", CELLA, "serve", "--config", "none", "--listen", "none",
         "--socket", f"{tmp_path}/s", "--state", f"{tmp_path}/state", "--pool-memory", "0"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
    try:
        if text is None:
            wait_until(lambda: os.path.exists(f"{tmp_path}/s"))
            process.terminate()
        assert process.wait(SECONDS) == (0 if text is None else 125)
        assert text is None or text in process.stderr.read().decode()
    finally:
        process.kill()
        process.communicate()


def test_by_systemd_itself(tmp_path):
    activate = shutil.which("systemd-socket-activate")
    if activate is None:
        pytest.skip("systemd-socket-activate is not there")
    path = str(tmp_path / "passed")
    process = subprocess.Popen(
        [activate, "--listen", path, "--setenv=CELLA_CONFIG=none", "--fdname=local", CELLA, "serve",
         "--listen", "none", "--state", str(tmp_path / "state"), "--log", str(tmp_path / "log"),
         "--pool-memory", "0"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(path))
        connection = UnixConnection(path)
        assert ask(connection, "/healthz") == 200
        wait_until(lambda: ask(UnixConnection(path)) == 200, SECONDS)
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
