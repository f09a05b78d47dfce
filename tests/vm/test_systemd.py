"""Control groups version 2, and who gets them from systemd.  Runs in the machine of tests/vm, as
root: as root, as a user who has logged in, and in services, delegated and not.
"""
import contextlib
import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CELLA = os.environ["CELLA"]
GROUPS = Path("/sys/fs/cgroup")
USER = "user"  # may log in; has a manager of his own
UID = 1000
DAEMON = 1  # an account that never logs in

LOGIN = ["su", "--login", USER, "--command"]
SERVICE = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--uid={DAEMON}"]
HELD_BY_GROUPS = ("memory_bytes", "processes", "cpus", "cpu_ms", "swap_bytes")
TRUE = "run --json -l command -- /bin/true"


def cella(prefix, words=TRUE, before=""):
    """Through a shell, which `su` has anyway."""
    command = f"{before} {CELLA} {words}"
    prefix = prefix if prefix[:1] == ["su"] else [*prefix, "/bin/sh", "-c"]
    return subprocess.run([*prefix, command], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)


def results(done):
    assert done.stdout, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def holders(result):
    assert result["status"] == "ok", result["message"]
    return {result["mechanisms"][name] for name in HELD_BY_GROUPS}


def units():
    """Scopes of Cella's that the user's manager knows."""
    done = subprocess.run([*LOGIN, "systemctl --user --all --no-legend list-units 'cella-*'"],
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def left_groups():
    return [str(path) for path in GROUPS.rglob("cella-*")]


def settled(look):
    """What `look` finds, once it finds nothing or after a while."""
    deadline = time.monotonic() + 20
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    assert not settled(left_groups) and not settled(units)


def manager_pid():
    done = subprocess.run(["systemctl", "show", "--value", "--property=MainPID",
                           f"user@{UID}.service"], capture_output=True, text=True, check=True)
    return int(done.stdout)


# ---- who gets them ----

def test_root():
    assert holders(results(cella([]))[0]) == {"cgroup v2"}


def test_a_user_who_has_logged_in():
    done = subprocess.run([*LOGIN, "cat /proc/self/cgroup"], capture_output=True, text=True,
                          check=True)
    assert "session-" in done.stdout, done.stdout  # a group of root's: nothing delegated
    assert holders(results(cella(LOGIN))[0]) == {"cgroup v2"}


def test_a_user_in_a_service_of_his_own():
    prefix = "systemd-run --user --quiet --pipe --wait --collect"
    assert holders(results(cella(LOGIN, before=prefix))[0]) == {"cgroup v2"}


def test_a_user_in_a_delegated_scope_of_his_own():
    prefix = "systemd-run --user --quiet --scope --collect -p Delegate=yes"
    assert holders(results(cella(LOGIN, before=prefix))[0]) == {"cgroup v2"}


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR=/nonexistent", "PATH=/nonexistent",
                                      "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent"])
def test_the_environment_does_not_matter(variable):
    assert holders(results(cella(LOGIN, before=variable))[0]) == {"cgroup v2"}


def test_a_delegated_service_without_a_manager():
    """The engine is in that group as well, and is moved out of the way."""
    prefix = [*SERVICE, "--property=Delegate=yes"]
    assert holders(results(cella(prefix))[0]) == {"cgroup v2"}


def test_two_engines_in_one_delegated_service():
    prefix = [*SERVICE, "--property=Delegate=yes"]
    both = results(cella(prefix, f"{TRUE} & {CELLA} {TRUE}; wait"))
    one_by_one = results(cella(prefix, f"{TRUE}; {CELLA} {TRUE}"))
    assert len(both) == len(one_by_one) == 2
    for result in one_by_one:
        assert holders(result) == {"cgroup v2"}
    assert all(result["status"] == "ok" for result in both), both


def test_a_service_that_nothing_is_delegated_to():
    result = results(cella(SERVICE))[0]
    assert "cgroup v2" not in holders(result)
    assert result["mechanisms"]["memory_bytes"] == "supervision"


def test_a_policy_that_demands_them():
    strict = "run --json --policy strict -l command -- /bin/true"
    assert holders(results(cella(LOGIN, strict))[0]) == {"cgroup v2"}
    done = cella(SERVICE, strict.replace("--json", ""))
    assert done.returncode == 125 and "demands control groups" in done.stderr, done


# ---- when something goes wrong ----

def test_a_manager_that_does_not_answer_costs_a_second():
    cella(LOGIN)  # he has a manager now
    pid = manager_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        done = cella(["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"])
        assert time.monotonic() - started < 10  # of emulated time
        result = results(done)[0]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result["status"] == "ok"
    assert result["mechanisms"]["memory_bytes"] == "supervision"


def test_a_manager_that_was_not_given_the_processors():
    drop_in = Path("/run/systemd/system/user@.service.d/delegate.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nDelegate=\nDelegate=pids memory\n")
    restart_manager()
    try:
        result = results(cella(LOGIN))[0]
    finally:
        drop_in.unlink()
        restart_manager()
    assert result["status"] == "ok", result["message"]
    assert result["mechanisms"]["memory_bytes"] == "cgroup v2"
    assert result["mechanisms"]["cpus"] is None and "cpu_limit" not in result["protections"]


def restart_manager():
    subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=60)
    subprocess.run(["systemctl", "restart", f"user@{UID}.service"], check=True, timeout=60)


@contextlib.contextmanager
def sleeping(prefix):
    """A run that goes on, and the pid of its keeper."""
    known = keepers()
    words = f"{CELLA} run -l command --time 1m -- /bin/sleep 50"
    prefix = prefix or ["/bin/sh", "-c"]
    process = subprocess.Popen([*prefix, words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (new := keepers() - known) or not left_groups():
        assert time.monotonic() < deadline, "no run has begun"
        time.sleep(0.05)
    yield new.pop()
    process.wait(30)


def keepers():
    found = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if comm.read_text() == "cella-keeper\n":
                found.add(int(comm.parent.name))
    return found


@pytest.mark.parametrize("prefix", [[], LOGIN], ids=["root", "user"])
def test_a_killed_keeper_leaves_what_the_next_one_removes(prefix):
    with sleeping(prefix) as keeper:
        time.sleep(1)
        os.kill(keeper, signal.SIGKILL)
    assert holders(results(cella(prefix))[0]) == {"cgroup v2"}  # the fixture looks


def test_the_end_of_the_engine_ends_the_scope():
    with sleeping(LOGIN) as keeper:
        assert "cella-" in units()
        parent = int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)


def test_many_at_once():
    with ThreadPoolExecutor(6) as pool:
        for done in pool.map(lambda _: cella(LOGIN), range(12)):
            assert holders(results(done)[0]) == {"cgroup v2"}


# ---- what doctor says ----

def finding(done):
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if "control groups:" in line)
    return "\n".join(lines[at:at + 3])


def test_doctor():
    assert finding(cella([], "doctor")).startswith("ok ")
    assert finding(cella(LOGIN, "doctor")).startswith("ok ")
    text = finding(cella(SERVICE, "doctor"))
    assert text.startswith("warn") and "enable-linger" in text, text
    assert "Delegate=yes" in text, text
    assert finding(cella([*SERVICE, "--property=Delegate=yes"], "doctor")).startswith("ok ")
