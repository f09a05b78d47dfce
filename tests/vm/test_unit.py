"""The units of packaging/ under systemd itself: what they restrict takes nothing from runs.  Runs in
the machine of tests/vm, as root.
"""
import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ["CELLA_TEST_BUILD"])
ROOT = Path(__file__).resolve().parents[2]
UNITS = Path("/etc/systemd/system")
EXPOSURE_MAX = 4.5  # of ten, by systemd-analyze security; docs/operations.md has it too


def systemctl(*words, check=True):
    return subprocess.run(["systemctl", *words], check=check, capture_output=True, text=True,
                          timeout=120).stdout.strip()


def property_of(name):
    return systemctl("show", "--value", f"--property={name}", "cella.service")


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", 8420, timeout=120)
    connection.request(method, path, json.dumps(body) if body else None,
                       {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def run(**request):
    status, result = ask("POST", "/v1/runs", request)
    assert status == 200, result
    return result


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true\n" + journal()
        time.sleep(0.1)


def is_ready():
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        return ask("GET", "/readyz")[0] == 200
    return False


def journal():
    return subprocess.run(["journalctl", "--unit=cella", "--no-pager", "--lines=40"],
                          capture_output=True, text=True, check=False).stdout


def keeper():
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            parent = (comm.parent / "stat").read_text().rpartition(")")[2].split()[1]
            if comm.read_text() == "cella-keeper\n" and parent == property_of("MainPID"):
                return int(comm.parent.name)
    raise AssertionError("there is no keeper")


@pytest.fixture(scope="module", autouse=True)
def unit():
    text = (ROOT / "build-test/cella.service").read_text()
    before = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    text = text.replace(before, f"ExecStart={BUILD}/cella serve").replace("WatchdogSec=30",
                                                                          "WatchdogSec=10")
    (UNITS / "cella.service").write_text(text)
    (UNITS / "cella.socket").write_text((ROOT / "packaging/cella.socket").read_text())
    systemctl("daemon-reload")
    systemctl("start", "cella.socket")
    done = subprocess.run(["systemctl", "start", "cella.service"], check=False, timeout=120)
    assert done.returncode == 0, journal()
    yield
    systemctl("stop", "cella.socket", "cella.service")
    assert property_of("Result") == "success", journal()
    assert not list(Path("/sys/fs/cgroup").rglob("cella-*"))
    assert not Path("/run/cella/serve.sock").exists() and Path("/run/cella/uids").exists()


def test_it_is_ready_when_systemd_says_that_it_has_started():
    assert ask("GET", "/readyz")[0] == 200
    assert property_of("StatusText") == "takes runs"
    assert "which was passed to it" in journal()


@pytest.mark.parametrize("language, code", [("bash", "echo 42"), ("python", "print(42)"),
                                            ("c", '#include <stdio.h>\nint main(){puts("42");}')])
def test_runs_are_held_as_without_it(language, code):
    by_unit = run(language=language, code=code)
    assert by_unit["stdout"] == "42\n", by_unit
    done = subprocess.run([BUILD / "cella", "run", "--no-server", "--json", "-l", language, "-c", code],
                          capture_output=True, text=True, check=True, timeout=120)
    alone = json.loads(done.stdout)
    assert by_unit["protections"] == alone["protections"]
    assert by_unit["mechanisms"] == alone["mechanisms"]
    assert by_unit["mechanisms"]["memory_bytes"] == "cgroup v2"


def test_warm_runs():
    wait_until(lambda: run(language="python", code="print(1)")["start"] == "warm")


def test_a_run_that_is_killed_for_its_memory_ends_nothing_else():
    main = property_of("MainPID")
    result = run(language="python", code="x = bytearray(10 ** 9)", limits={"memory_bytes": 64 << 20})
    assert result["status"] == "memory"
    assert run(language="bash", code="echo on")["stdout"] == "on\n"
    assert property_of("MainPID") == main and property_of("ActiveState") == "active"


def test_it_is_confined():
    assert "seccomp" in ask("GET", "/version")[1]["confinement"]


def test_it_has_no_network():
    main = property_of("MainPID")
    assert os.readlink(f"/proc/{main}/ns/net") != os.readlink("/proc/1/ns/net")
    assert Path(f"/proc/{main}/net/dev").read_text().count(":") == 1  # a loopback of its own


def test_a_program_has_its_own_loopback():
    code = """import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
client.sendall(b"heard")
print(server.accept()[0].recv(9).decode())"""
    assert run(language="python", code=code)["stdout"] == "heard\n"


def test_reload():
    systemctl("reload", "cella.service")
    wait_until(lambda: "has read its languages again" in journal())
    assert "has read its configuration again" in journal()
    assert property_of("ActiveState") == "active"


def test_killed_and_started_again():
    main = property_of("MainPID")
    os.kill(int(main), signal.SIGKILL)
    assert ask("GET", "/healthz")[0] == 200  # who asks meanwhile waits in the socket
    wait_until(is_ready)
    assert property_of("MainPID") != main
    assert run(language="bash", code="echo on")["stdout"] == "on\n"


def test_a_keeper_that_hangs_is_seen():
    main = property_of("MainPID")
    os.kill(keeper(), signal.SIGSTOP)
    wait_until(lambda: property_of("MainPID") not in (main, "0"), 120)
    wait_until(is_ready)
    assert "watchdog" in journal().lower()


def test_the_score():
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "cella.service"],
                          capture_output=True, text=True, check=False)
    score = float(done.stdout.rpartition("cella.service: ")[2].split()[0])
    print(f"exposure: {score}")
    assert score <= EXPOSURE_MAX
