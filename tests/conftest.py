"""What every pytest here shares: the program under test, a way to run it, and that nothing stays.

CELLA names the program; without it, it is the one of the test build.
"""
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import leaks
import pytest

ROOT = Path(__file__).resolve().parent.parent
CELLA = Path(os.environ.get("CELLA", ROOT / "build-test" / "cella")).resolve()

# For a run by an ordinary user.  The tests must be root to become one.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def schema(name):
    return json.loads((ROOT / "schema" / f"{name}.schema.json").read_text())


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """The whole session leaves the host as it was."""
    before = leaks.snapshot()
    yield
    leaks.assert_nothing_new(before)


@pytest.fixture(scope="session")
def cella():
    """The path of the program under test."""
    assert CELLA.is_file(), f"{CELLA} is not built"
    return CELLA


@pytest.fixture(scope="session")
def validate():
    """A function that checks a result against its schema and gives it back."""
    validator = jsonschema.Draft202012Validator(schema("result"))

    def check(result):
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(result)]
        assert not errors, "\n".join(errors)
        return result

    return check


@pytest.fixture(params=["root", "user"])
def who(request):
    """The words before a command that make it run as that user."""
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("not root")
        return []
    return NOBODY if request.param == "user" else []


@pytest.fixture
def run_json(cella, validate):
    """run_json({...request...}, who=[...]) runs a request and gives (result, exit code)."""

    def run(request, who=(), timeout=120):
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
        done = subprocess.run([*who, cella, "run", "--json", "--request", "-"], cwd="/",
                              env=environment, input=json.dumps(request).encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              check=False)
        assert done.stdout, f"no result; exit {done.returncode}: {done.stderr.decode()}"
        return validate(json.loads(done.stdout)), done.returncode

    return run
