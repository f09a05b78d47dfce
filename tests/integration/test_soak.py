"""Long and violent use: thousands of runs, and kill -9 of everything at random moments.

Nothing may be left: no process, mount, control group, lock, descriptor, directory or memory.
"""
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import leaks
import pytest
from program import BUILD, CELLA, ROOT, SANITIZED, USERS

RUNS = int(os.environ.get("CELLA_SOAK_RUNS", "10000"))
KILLS = 100
MOMENT_MAX = 0.06 if SANITIZED else 0.03  # in seconds: while it starts, and a while after
SEED = int(os.environ.get("CELLA_SEED", str(time.time_ns())))

pytestmark = pytest.mark.alone


def build_guest(directory):
    guest = directory / "guest"
    subprocess.run(["musl-gcc", "-static", "-O2", "-s", "-o", str(guest),
                    str(ROOT / "tests/integration/soak_guest.c")], check=True)
    directory.chmod(0o755)
    for parent in directory.parents:
        if parent != Path("/tmp") and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    return str(guest)


@pytest.mark.parametrize("user", USERS)
def test_many_runs_leave_nothing(user, tmp_path):
    before = leaks.snapshot()
    runs = RUNS if user == "root" else RUNS // 10
    done = subprocess.run(USERS[user] + [str(BUILD / "soak"), build_guest(tmp_path), str(runs)],
                          capture_output=True, text=True, timeout=1200)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    leaks.assert_nothing_new(before)


def children(pid):
    try:
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(task) for task in tasks]


def victim(caller, whom):
    """The caller, its keeper, or the keeper's first sandbox; None when it is not there yet."""
    if whom == "caller":
        return caller
    keepers = children(caller)
    if whom == "keeper" or not keepers:
        return keepers[0] if keepers else None
    inits = children(keepers[0])
    return inits[0] if inits else None


@pytest.mark.parametrize("whom", ["keeper", "caller", "init"])
def test_kill_at_random_moments_leaves_nothing(whom):
    before = leaks.snapshot()
    random_moment = random.Random(SEED)
    print(f"CELLA_SEED={SEED}")
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [CELLA, "run", "-l", "bash", "--collect", "*", "-c",
             "for i in 1 2 3 4 5 6 7 8; do (sleep 9 &) ; echo $i > $i; sleep 0.002; done; sleep 9"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        time.sleep(random_moment.uniform(0, MOMENT_MAX))
        target = victim(process.pid, whom)
        if target is not None:
            try:
                os.kill(target, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        else:
            process.kill()
        error = process.communicate(timeout=20)[1].decode()
        if whom == "init" and target is not None:
            assert process.returncode in (125, 137), (process.returncode, error)
        if whom == "keeper" and target is not None:
            assert process.returncode == 125, (process.returncode, error)
    assert killed > KILLS / 3
    # What a killed keeper could not clean, the next one does, once the last process has died.
    time.sleep(0.3)
    subprocess.run([CELLA, "run", "-l", "command", "--", "/bin/true"], check=True, timeout=20)
    leaks.assert_nothing_new(before)
