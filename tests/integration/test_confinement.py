"""What holds the server itself: that it is confined, and that each layer stops what it is to stop.

A test build tries each forbidden thing after it has confined itself, and leaves out the layers that
CELLA_UNCONFINED names: so that what is refused here would be done without them is shown as well.
"""
import os
import re
from pathlib import Path

import pytest
from program import CELLA
from server import Server, child_named, wait_until

LAYERS = ["no_new_privileges", "no_capabilities", "landlock_files", "landlock_network",
          "landlock_signals", "seccomp"]
# What is tried, and the layers that stop it, each by itself.
ATTEMPTS = {
    "read_file": {"landlock_files"},
    "write_file": {"landlock_files"},
    "make_file": {"landlock_files"},
    "execute": {"landlock_files"},
    "signal_outsider": {"landlock_signals"},
    "change_owner": {"no_capabilities"},
    "unix_socket": {"seccomp"},
    "connect_tcp": {"landlock_network", "seccomp"},
    "user_namespace": {"seccomp"},
    "clone_namespace": {"seccomp"},
    "mount_file_system": {"landlock_files", "no_capabilities", "seccomp"},
    "trace_outsider": {"landlock_files", "landlock_network", "landlock_signals", "no_capabilities",
                       "seccomp"},
    "add_key": {"seccomp"},
}
if b"__asan_init" in Path(CELLA).with_name("cella-serve").read_bytes():
    ATTEMPTS["trace_outsider"].remove("seccomp")  # the check for leaks needs that call


def attempted(tmp_path, *holding):
    """What came of each attempt where only these layers hold."""
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "file").write_text("secret")
    (outside / "made").unlink(missing_ok=True)
    waived = [layer for layer in LAYERS if layer not in holding]
    with Server(environment={"CELLA_ATTEMPTS": str(outside), "CELLA_UNCONFINED": ",".join(waived)}
                ) as server:
        found = dict(re.findall(r"attempt (\w+): (.*)", server.text()))
        held = re.search(r"is confined by(.*)", server.text())[1].split()
    assert held == [layer for layer in LAYERS if layer in holding]
    assert found.keys() == ATTEMPTS.keys()
    return {name for name, text in found.items() if text == "done"}


def test_nothing_that_is_tried_succeeds(tmp_path):
    assert attempted(tmp_path, *LAYERS) == set()


def test_without_any_layer_all_of_it_does(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("an ordinary user has no capability to begin with")
    assert attempted(tmp_path) == ATTEMPTS.keys()


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_one_layer_alone(tmp_path, layer):
    if os.geteuid() != 0:
        pytest.skip("an ordinary user has no capability to begin with")
    assert ATTEMPTS.keys() - attempted(tmp_path, layer) == {
        name for name, layers in ATTEMPTS.items() if layer in layers}


def status_of(pid):
    return dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if ":\t" in line)


@pytest.mark.parametrize("user", [None, "user"])
def test_what_the_kernel_says(user):
    with Server(user=user) as server:
        status = status_of(server.process.pid)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert {status[f"Cap{which}"].strip("0") for which in ("Inh", "Prm", "Eff", "Amb")} == {""}
        if user is None and os.geteuid() == 0:
            assert status["CapBnd"].strip("0") == ""
        keeper = status_of(child_named(server.process.pid, "cella-keeper"))
        assert keeper["Seccomp"] == "0"  # what it makes has filters of its own
        held = server.ask("GET", "/version")[2]["confinement"]
        assert held == LAYERS
        metrics = server.ask("GET", "/metrics")[2].decode()
        assert all(f'cella_confinement{{layer="{layer}"}} 1' in metrics for layer in LAYERS)


def test_interpreters_are_still_asked_for_their_version():
    with Server(environment={"XDG_CACHE_HOME": "/proc/none"}) as server:
        version = server.run(language="python", code="import sys; print(sys.version.split()[0])")[2]
        assert version["language"]["version"] == version["stdout"].strip()


def test_a_spawner_that_was_killed():
    """The server works on; only a new keeper it cannot have, and ends."""
    with Server() as server:
        os.kill(child_named(server.process.pid, "cella-spawner"), 9)
        assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
        os.kill(server.keeper(), 9)
        assert server.process.wait(30) == 125
        assert b"starts keepers has ended" in server.process.stderr.read()


def held_by(pid):
    return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2}


def test_it_holds_nothing_of_the_server():
    with Server() as server:
        held = held_by(child_named(server.process.pid, "cella-spawner"))
        assert {name.split(":")[0] for name in held} == {"socket", "anon_inode"}  # the keeper's pidfd
        assert len(held) == 2
        before = server.keeper()
        os.kill(before, 9)
        wait_until(lambda: server.logged(" ready") == 2)
        assert server.keeper() != before
