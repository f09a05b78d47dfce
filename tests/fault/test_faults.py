"""Fault injection: each set-up step fails in turn, as root and as an ordinary user.

Every failure must refuse the run, name the step, run nothing of the program, and leave nothing.
Needs a test build: only there does the keeper listen to CELLA_FAULT.
"""
import json
import re
import subprocess

import leaks
import pytest
from program import CELLA, ROOT, USERS, valid

STEPS = re.findall(
    r'X\((\w+),\s*"([a-z_]+)",\s*(HOST|SANDBOX|INIT|PROGRAM),',
    (ROOT / "src/isolate/steps.h").read_text(),
)


def run(user, step, *arguments):
    environment = {"PATH": "/usr/bin:/bin", "CELLA_FAULT": step}
    return subprocess.run(
        USERS[user] + [CELLA, "run", *arguments], env=environment, capture_output=True, timeout=60
    )


def test_the_table_was_read():
    assert len(STEPS) >= 30


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("step", [name for _, name, _ in STEPS])
def test_a_failing_step_refuses_the_run(user, step):
    before = leaks.snapshot()
    done = run(user, step, "--json", "-l", "command", "--", "/bin/echo", "the program ran")
    result = valid(json.loads(done.stdout))
    assert done.returncode == 125, (done.returncode, done.stderr)
    assert result["status"] == "internal"
    assert result["error"]["kind"] == "host"
    assert "injected fault" in result["error"]["text"]
    assert step in result["message"] or step in result["error"]["text"]
    assert result["stdout"] == ""
    assert result["exit_code"] is None
    leaks.assert_nothing_new(before)


@pytest.mark.parametrize("user", USERS)
def test_without_a_fault_the_same_run_succeeds(user):
    done = run(user, "no_such_step", "-l", "command", "--", "/bin/echo", "the program ran")
    assert (done.returncode, done.stdout) == (0, b"the program ran\n"), done.stderr
