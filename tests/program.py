"""The program under test, who runs it, and what its results must look like.

CELLA_TEST_BUILD is the directory of the build, which everyone must be able to read; without it, it
is build-test of the tree.
"""
import functools
import json
import os
import subprocess
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("CELLA_TEST_BUILD", ROOT / "build-test")).resolve()
CELLA = str(BUILD / "cella")

IS_ROOT = os.geteuid() == 0
NOBODY = 65534

# The words before a command that make it run as that user.  Only root can become another.
USERS = {"user": []}
if IS_ROOT:
    USERS = {"root": [], "user": ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                                  "--clear-groups", "--"]}

# Sanitizers keep what is freed for a while.
SANITIZED = b"__asan_init" in Path(CELLA).read_bytes()


def make_caches(directory):
    """A directory of each user's in it, by his name."""
    directory.chmod(0o755)
    places = {}
    for name in USERS:
        places[name] = directory / name
        places[name].mkdir()
        if IS_ROOT and name == "user":
            os.chown(places[name], NOBODY, NOBODY)
    return places


@functools.cache
def _validator():
    schema = json.loads((ROOT / "schema" / "result.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def run_request(user, request, cache="/proc/none"):
    """Exit code of the command and result.  What is compiled is kept in `cache`."""
    done = subprocess.run(
        USERS[user] + [CELLA, "run", "--json", "--request", "-"],
        input=json.dumps(request).encode(),
        capture_output=True,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache)},
    )
    assert done.stdout, done.stderr
    return done.returncode, valid(json.loads(done.stdout))


def valid(result):
    """The result, which has been held against its schema."""
    problems = [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(result)]
    assert not problems, "\n".join(problems)
    return result
