"""NVIDIA's own clients against the server: the code of the toolkit's `code_execution`, as it comes
from PyPI.

Of two releases: the last one with a client of the local sandbox, which asks for /execute, and a
newer one that has Piston's alone.  What the clients need besides is few of what the toolkit does.
"""
import json
import os
import subprocess
import sys

import pytest
from pypi import pypi_directory
from server import Server
from test_nvidia import Sandbox, place  # noqa: F401  (a fixture)
from program import IS_ROOT, NOBODY, USERS

NEEDED = ("requests==2.32.5", "urllib3==2.5.0", "idna==3.11", "certifi==2025.11.12",
          "charset-normalizer==3.4.4", "pydantic==2.12.5", "pydantic-core==2.41.5",
          "typing-extensions==4.15.0", "typing-inspection==0.4.2", "annotated-types==0.7.0")
TOOLKITS = {"local": "nvidia-nat==1.4.3", "piston": "nvidia-nat-core==1.9.0"}

CLIENT = """
import asyncio, json, sys
from nat.tool.code_execution.code_sandbox import get_sandbox
kind, uri, calls = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sandbox = get_sandbox(kind, uri=uri)
print(json.dumps([asyncio.run(sandbox.execute_code(**call)) for call in calls]))
"""


def ask(kind, uri, *calls, toolkit=None):
    """The client's answers to calls, of which each is the code or all arguments."""
    modules = pypi_directory(TOOLKITS[toolkit or kind], *NEEDED)
    calls = [{"generated_code": call} if isinstance(call, str) else call for call in calls]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, kind, uri, json.dumps(calls)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(modules)})
    assert done.returncode == 0, done.stderr
    return [(answer["process_status"], answer["stdout"], answer["stderr"])
            for answer in json.loads(done.stdout)]


@pytest.fixture(scope="module", name="server")
def one_server():
    with Server() as server:
        yield server


def test_the_local_sandbox(server):
    completed, long, error, raised, unread = ask(
        "local", f"http://127.0.0.1:{server.port}",
        "print('out')\nimport sys\nprint('err', file=sys.stderr)", "print('x' * 200000)",
        "print(1)\nsys.exit(3)", "print(1)\n1 / 0", "print('Hello World'\n")
    assert completed == ("completed", "out\n", "err\n")
    assert long == ("completed", "x" * 200000 + "\n", "")
    assert error[:2] == ("error", "1\n") and "NameError: name 'sys'" in error[2]
    assert raised[:2] == ("error", "1\n") and raised[2].endswith("ZeroDivisionError: division by zero\n")
    assert unread[:2] == ("error", "") and "SyntaxError" in unread[2]


@pytest.mark.parametrize("code", [
    "```python\nprint(6 * 7)\n```", "```\nprint(6 * 7)\n```", "`print(6 * 7)`",
    "  ```python\nimport math\nprint(6 * 7)\n```  ", "{'generated_code': 'print(6 * 7)'}",
    '{"generated_code": "```python\\nprint(6 * 7)\\n```"}',
])
def test_what_models_write(server, code):
    assert ask("local", f"http://127.0.0.1:{server.port}/", code) == [("completed", "42\n", "")]


def test_times_and_languages(server):
    """The client waits as long as the program may take, so that its own clock may be first."""
    slow, zero, other = ask(
        "local", f"http://127.0.0.1:{server.port}",
        {"generated_code": "while True: pass", "timeout_seconds": 1},
        {"generated_code": "print(1)", "timeout_seconds": 30, "language": "python"},
        {"generated_code": "print(1)", "language": "ruby"})
    assert slow == ("timeout", "", "Timed out\n")
    assert zero == ("completed", "1\n", "")
    assert other[:2] == ("error", "") and other[2].startswith("Only python execution is supported")


@pytest.mark.parametrize("who", USERS)
def test_files_of_the_workspace(place, who):  # noqa: F811
    """At the port that SANDBOX_PORT says, with the directory of start_local_sandbox."""
    output = place / "output"
    output.mkdir()
    if IS_ROOT and who != "root":
        for path in [place, output]:
            os.chown(path, NOBODY, NOBODY)
    with Sandbox(who, place, output) as sandbox:
        assert ask("local", f"http://127.0.0.1:{sandbox.port}",
                   "open('a.txt', 'w').write('left here')", "print(open('a.txt').read())",
                   "import os; print(os.getcwd(), os.listdir())") == [
                       ("completed", "", ""), ("completed", "left here\n", ""),
                       ("completed", "/workspace ['a.txt']\n", "")]
    assert (output / "a.txt").read_text() == "left here"


@pytest.mark.parametrize("toolkit", TOOLKITS)
@pytest.mark.parametrize("path", ["/api/v2/", "/api/v2/piston/", "/"])
def test_piston(server, toolkit, path):
    """The program, which the client wraps in one that says as JSON what came of it.  The newest
    toolkit asks at the root of port 6000 where it is not told another place."""
    good, bad, died, slow = ask(
        "piston", f"http://127.0.0.1:{server.port}{path}", "```\nprint('é')\n```",
        {"generated_code": "print('x' * 2000)\n1 / 0", "max_output_characters": 1000},
        "import os\nos._exit(3)", {"generated_code": "while True: pass", "timeout_seconds": 1},
        toolkit=toolkit)
    assert (good[0], json.loads(good[1]), good[2]) == (
        "completed", {"process_status": "completed", "stdout": "é\n\n", "stderr": ""}, "")
    told = json.loads(bad[1])
    assert (bad[0], told["process_status"]) == ("completed", "error")
    assert told["stdout"] == "x" * 1000 + "<output cut>\n"
    assert told["stderr"].endswith("ZeroDivisionError: division by zero\n\n")
    assert died == ("error", "", "")
    assert slow[0] in ("timeout", "error")  # by the client's clock, or the server's
