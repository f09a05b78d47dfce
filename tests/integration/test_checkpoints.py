"""Checkpoints of the history, which a process apart does: none in the server's loop while it lives."""
import contextlib
import os
import signal
import struct

import pytest
from server import Server, child_named, wait_until
from test_confinement import held_by, status_of
from test_history import ids, later, result_at

LARGE = {"language": "python", "code": "print('x' * 3_900_000)", "limits": {"stdout_bytes": 4 << 20}}


def log_of(server):
    """How many pages are in the log of the history, and how many of them are in the database too: as
    the head of the index has it that SQLite shares between processes."""
    data = (server.directory / "state" / "history.db-shm").read_bytes()
    return struct.unpack_from("=I", data, 16)[0], struct.unpack_from("=I", data, 96)[0]


def fill(server, pages):
    """Runs until there are so many pages."""
    done = []
    while log_of(server)[0] < pages:
        done.append(server.run(**LARGE)[2]["id"])
        assert server.ask("GET", "/healthz")[0] == 200  # what came of the run is written down
    return done


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def helper_of(server):
    return child_named(server.process.pid, "cella-records")


def test_the_loop_does_none():
    with Server() as server:
        with stopped(helper_of(server)):
            done = fill(server, 2000)
            assert log_of(server)[1] == 0
        wait_until(lambda: log_of(server)[0] == log_of(server)[1])
        done.append(server.run(language="bash", code="echo next")[2]["id"])
        wait_until(lambda: log_of(server)[0] < 1000)  # begun anew
        assert ids(server) == done[::-1]


def test_without_it_the_server_does_them():
    with Server() as server:
        os.kill(helper_of(server), signal.SIGKILL)
        done, found = [], []
        for _ in range(5):
            done.append(server.run(**LARGE)[2]["id"])
            assert server.ask("GET", "/healthz")[0] == 200
            found.append(log_of(server))
        assert all(there == in_database or there < 1000 for there, in_database in found)
        assert any(there == in_database for there, in_database in found)
        assert ids(server) == done[::-1]


@pytest.mark.alone
def test_the_log_has_a_bound():
    """64 MiB more than there were when it was asked first: whoever does not keep up is not waited for."""
    with Server() as server:
        with stopped(helper_of(server)):
            fill(server, 16_000)
            assert log_of(server)[1] == 0
            fill(server, 19_000)
            assert log_of(server)[1] > 16_000
        wait_until(lambda: log_of(server)[0] == log_of(server)[1])


def test_what_it_holds():
    with Server() as server:
        helper = helper_of(server)
        assert {name.split(":")[0] for name in held_by(helper)} == {"socket"} and len(held_by(helper)) == 1
        status = status_of(helper)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert {status[f"Cap{which}"].strip("0") for which in ("Inh", "Prm", "Eff", "Amb")} == {""}
        fill(server, 1000)
        wait_until(lambda: {os.path.basename(name) for name in held_by(helper) if "socket" not in name} == {
            "history.db", "history.db-wal", "history.db-shm"})


def test_it_ends_with_its_server(tmp_path):
    """Also with one that was killed; and the next one has what was acknowledged."""
    with Server(directory=tmp_path) as first:
        helper = helper_of(first)
        with stopped(helper):
            done = fill(first, 1500)
            path = later(first, language="bash", code="sleep 60")
            os.kill(helper, signal.SIGTERM)  # as whoever ends all of them sends it
            first.process.kill()
            first.process.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{helper}"))
    with Server(directory=tmp_path) as second:
        assert result_at(second, path)["status"] == "internal"
        assert ids(second)[1:] == done[::-1]
    assert not (tmp_path / "state" / "history.db-wal").exists()
