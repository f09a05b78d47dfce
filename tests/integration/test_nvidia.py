"""The contract of /execute, row by row, with what its original gets wrong done right."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from ceiling import under
from program import CELLA, IS_ROOT, NOBODY, ROOT, USERS
from server import Server, wait_until

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-XSS-Protection": "1; mode=block",
}


@pytest.fixture(scope="module", name="server")
def one_server():
    with Server() as server:
        yield server


def has_libraries():
    return subprocess.run(["/usr/bin/python3", "-c", "import numpy, pandas, scipy, IPython, plotly"],
                          env={}, stderr=subprocess.DEVNULL, check=False).returncode == 0


libraries = pytest.mark.skipif(not has_libraries(), reason="the libraries are not installed")


def post(server, body, headers=None):
    """Status and answer; every one has the headers."""
    status, sent, answer = server.ask("POST", "/execute", body, headers)
    assert sent["Content-Type"] == "application/json"
    for name, value in HEADERS.items():
        assert sent.get_all(name) == [value], name
    return status, answer


def call(server, code, timeout=30, language="python", headers=None, **more):
    """The answer, as NVIDIA's client asks."""
    body = {"generated_code": code, "timeout": timeout, "language": language, **more}
    status, answer = post(server, json.dumps(body), headers)
    assert status == 200, answer
    return answer


def told(answer):
    return answer["process_status"], answer["stdout"], answer["stderr"]


# ---- the table ----

def test_what_is_around_it(server):
    status, sent, answer = server.ask("GET", "/")
    assert (status, answer["status"]) == (200, "ok") and answer["message"].startswith("Piston v")
    assert all(sent[name] == value for name, value in HEADERS.items())
    assert server.ask("GET", "/health")[2]["status"] == "healthy"
    for method, path, expected in [("GET", "/execute", 405), ("PUT", "/execute", 405),
                                   ("POST", "/", 405), ("GET", "/sessions/a/b", 404)]:
        status, sent, _ = server.ask(method, path)
        assert status == expected, (method, path)
    assert server.ask("GET", "/execute")[1]["Allow"] == "POST"


def test_an_answer(server):
    assert call(server, "import sys; print('out'); print('err', file=sys.stderr)") == \
        {"process_status": "completed", "stdout": "out\n", "stderr": "err\n"}
    # No expression is echoed, nothing is kept from call to call, and guards of main hold.
    assert told(call(server, "x = 5\nx")) == ("completed", "", "")
    assert "NameError" in call(server, "x")["stderr"]
    assert told(call(server, "if __name__ == '__main__': print(__name__)")) == \
        ("completed", "__main__\n", "")
    # What is not said has a default.
    status, answer = post(server, {"generated_code": "print(1)"})
    assert (status, told(answer)) == (200, ("completed", "1\n", ""))


def test_errors_of_the_program(server):
    status, stdout, stderr = told(call(server, "print('a')\ndef f():\n    1 / 0\nf()"))
    assert (status, stdout) == ("error", "a\n")
    assert stderr.startswith("Traceback (most recent call last):\n") and ", in f\n" in stderr
    assert stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "SyntaxError" in call(server, "print('Hello World'\n# no end")["stderr"]
    assert "EOFError" in call(server, "input()")["stderr"]
    assert "ModuleNotFoundError" in call(server, "import nonexistent_module")["stderr"]


@pytest.mark.parametrize("code, status, stderr", [
    ("import sys; print(1); sys.exit()", "completed", ""),
    ("import sys; print(1); sys.exit(3)", "error", "exited with code 3"),
    ("import sys; print(1); sys.exit('why')", "error", "why\n"),
    ("import os; print(1, flush=True); os._exit(0)", "completed", ""),
    ("import os; print(1, flush=True); os._exit(4)", "error", "exited with code 4"),
    ("print(1)\nraise KeyboardInterrupt", "error", "KeyboardInterrupt\n"),
    ("import os; print(1, flush=True); os.kill(os.getpid(), 11)", "error", "SIGSEGV"),
    ("import os; os.write(1, b'1\\n')", "completed", ""),
    ("import subprocess; subprocess.run(['echo', '1'])", "completed", ""),
    ("import os\nif os.fork() == 0: print(1)\nelse: os.wait()", "completed", ""),
    ("import os; print(1, flush=True); os.system('kill -9 $PPID')", "error", "SIGKILL"),
])
def test_ends_that_hung(server, code, status, stderr):
    """In the original these lose the output, or the answer."""
    answer = call(server, code)
    assert (answer["process_status"], answer["stdout"]) == (status, "1\n")
    assert stderr in answer["stderr"] and bool(stderr) == bool(answer["stderr"])


def test_much_output(server):
    code = "import sys\nprint('x' * 200000)\nsys.stderr.write('y' * 200000)"
    assert told(call(server, code)) == ("completed", "x" * 200000 + "\n", "y" * 200000)


def test_timeouts(server):
    assert told(call(server, "print(1, flush=True)\nwhile True: pass", timeout=0.3)) == \
        ("timeout", "1\n", "Timed out\n")
    code = "import sys, time\nprint('a', end='', file=sys.stderr, flush=True)\ntime.sleep(60)"
    assert told(call(server, code, timeout=0.3)) == ("timeout", "", "a\nTimed out\n")
    for timeout in [0, -1, -0.5]:
        assert told(call(server, "print(1)", timeout)) == ("timeout", "", "Timed out\n")
    # Above what the policy gives is as much as it gives.
    assert call(server, "print(1)", timeout=10 ** 9)["process_status"] == "completed"
    # Later clients are told for how long.
    for timeout, seconds in [(1, "1"), (0.25, "0.25"), (0, "0"), (0.0, "0.0")]:
        assert told(call(server, "while True: pass", timeout, std_input="")) == \
            ("timeout", "", f"Execution timed out after {seconds} seconds\n")


@pytest.mark.parametrize("body, text", [
    ("nul", "Invalid JSON data"), ("", "Invalid JSON data"), ("null", "Invalid JSON data"),
    ('{"generated_code": "print("test")", "timeout": 10}', "Invalid JSON data"),
    (b'"\xff"', "Invalid JSON data"), ("[" * 1000, "Invalid JSON data"),
    ("{}", "Missing required field: generated_code"),
    ("[]", "Missing required field: generated_code"),
    ('{"generated_code": null}', "Missing required field: generated_code"),
    ('{"generated_code": 5}', "generated_code must be a string"),
    ('{"generated_code": "", "timeout": "10"}', "timeout must be a number of seconds"),
    ('{"generated_code": "", "timeout": true}', "timeout must be a number of seconds"),
    ('{"generated_code": "", "timeout": [1]}', "timeout must be a number of seconds"),
    ('{"generated_code": "", "language": 5}', "language must be a string"),
    ('{"generated_code": "", "language": "ruby"}',
     "Only python execution is supported, not 'ruby' (and ipython, python3, pypy3, shell)"),
    ('{"generated_code": "", "language": "lean4"}',
     "Execution of lean4 is not available on this server: Debian has no package of it"),
    ('{"generated_code": "", "std_input": 5}', "std_input must be a string"),
    ('{"generated_code": "", "max_output_characters": -1}',
     "max_output_characters must be a number, and not below 0"),
    ('{"generated_code": "", "max_output_characters": "x"}',
     "max_output_characters must be a number, and not below 0"),
    ('{"generated_code": "", "traceback_verbosity": "loud"}',
     "traceback_verbosity must be Plain, Context, Verbose or Minimal"),
])
def test_refusals(server, body, text):
    status, answer = post(server, body)
    assert (status, told(answer)) == (400, ("error", "", text))


def test_what_is_no_json(server):
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]:
        status, answer = post(server, "{}", {"Content-Type": kind})
        assert (status, answer["stderr"]) == (400, "Request must be JSON"), kind
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"]:
        assert post(server, '{"generated_code": ""}', {"Content-Type": kind})[0] == 200, kind


@pytest.mark.parametrize("code, stdout", [
    ("{'generated_code': 'print(1)\\nprint(\"a\")'}", "1\na\n"),
    ('{"generated_code": "print(1)\\nprint(\\"a\\")"}', "1\na\n"),
    ("{'generated_code': 'print(\"it\\'s\")'}", "it's\n"),
    ("```python\nprint(1)\n```", "1\n"), ("```\nprint(1)\n```", "1\n"), ("`print(1)`", "1\n"),
    ("python_x = 1\nprint(python_x)", "1\n"), ("```python\npython_x = 1\nprint(python_x)\n```", "1\n"),
    ("{'generated_code': '```py\\nprint(1)\\n```'}", "1\n"),
    ("   print(1)\n   print(2)\n", "1\n2\n"),
])
def test_input_forms(server, code, stdout):
    assert told(call(server, code)) == ("completed", stdout, "")


def test_halves_of_characters(server):
    assert told(call(server, "print('\ud83d', len('\ud83d'))")) == ("completed", "\ufffd 1\n", "")
    assert told(call(server, "print('\U0001f600')")) == ("completed", "\U0001f600\n", "")
    status, _, stderr = told(call(server, "print(chr(0xd83d))"))
    assert status == "error" and "UnicodeEncodeError" in stderr
    assert call(server, "import os; os.write(1, b'a\\xff')")["stdout"] == "a\ufffd"
    assert call(server, "print('a\0b' == 'a' + chr(0) + 'b')")["process_status"] == "error"


def test_a_body_that_is_too_large(server):
    with server.raw() as connection:
        connection.sendall(b"POST /execute HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ") and b'{"process_status":"error"' in answer
    status, answer = post(server, {"generated_code": "#" * (17 << 20)})
    assert status == 400 and "16777216 bytes" in answer["stderr"], answer


def test_memory(server):
    shown = subprocess.run([CELLA, "policy", "show", "execute", "--json"], stdout=subprocess.PIPE,
                           env={"PATH": "/usr/bin:/bin"}, check=True).stdout
    assert json.loads(shown)["limits"]["memory_bytes"]["default"] == 10 << 30
    code = "x = bytearray(600 << 20)\nx[::4096] = b'x' * (600 << 8)\nprint(len(x))"
    assert told(call(server, code)) == ("completed", f"{600 << 20}\n", "")


# ---- what later clients send ----

def test_later_fields(server):
    assert call(server, "print(input())", std_input="ab\n")["stdout"] == "ab\n"
    answer = call(server, "import sys\nprint('a\u00e9\U0001f600d')\nsys.stderr.write('xyz')",
                  max_output_characters=3)
    assert (answer["stdout"], answer["stderr"]) == ("a\u00e9\U0001f600<output cut>", "xyz")
    assert call(server, "print('abc')", max_output_characters=0)["stdout"] == "<output cut>"
    assert call(server, "print('abc')", max_output_characters=4)["stdout"] == "abc\n"
    assert call(server, "print(1)", language="python3")["stdout"] == "1\n"
    assert call(server, "echo $((6 * 7)); exit 2", language="shell")["stdout"] == "42\n"


def test_pypy(server):
    code = "import sys; print(input(), sys.implementation.name, __name__); 1 / 0"
    status, stdout, stderr = told(call(server, code, language="pypy3", std_input="in"))
    assert (status, stdout) == ("error", "in pypy __main__\n")
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


def test_an_interpreter_that_is_missing(tmp_path):
    """Says so, and how to get it."""
    runtimes = tmp_path / "cella" / "runtimes"
    runtimes.mkdir(parents=True)
    (runtimes / "pypy3.yaml").write_text("package: pypy3\npath: [/usr/bin/no-pypy]\nentry: main.py\n"
                                         "run: ['{path}', '{entry}']\n")
    with Server(environment={"XDG_CONFIG_HOME": str(tmp_path)}) as server:
        status, answer = post(server, {"generated_code": "1", "language": "pypy3"})
        assert (status, told(answer)) == (400, (
            "error", "",
            "pypy3 is not installed: there is no /usr/bin/no-pypy: apt install pypy3"))


@pytest.mark.programs
@libraries
def test_ipython(server):
    def cell(code, **more):
        return told(call(server, code, language="ipython", **more))
    assert cell("x = 6\nx * 7") == ("completed", "42\n", "")
    assert cell("print('a')\n'b'") == ("completed", "a\n'b'\n", "")
    status, stdout, stderr = cell("def f():\n    1 / 0\nf()", traceback_verbosity="plain")
    assert (status, stderr) == ("error", "") and stdout.endswith("ZeroDivisionError: division by zero\n")
    assert "\x1b" not in stdout
    status, stdout, _ = cell("1 / 0", traceback_verbosity="Minimal")
    assert (status, stdout) == ("error", "ZeroDivisionError: division by zero\n")
    assert cell("!echo hi") == ("completed", "hi\n", "")


# ---- the libraries ----

@pytest.mark.programs
@libraries
def test_libraries(server):
    code = """
import numpy as np, pandas as pd, scipy.stats, plotly.graph_objects as go, os
print(np.mean([1, 2, 3, 4, 5]), pd.DataFrame({'A': [1, 2, 3]})['A'].sum(), scipy.stats.norm.cdf(0))
go.Figure(go.Scatter(x=[1, 2, 3], y=[4, 5, 6])).write_html('plot.html')
print(os.getcwd(), os.path.getsize('plot.html') > 1000)
"""
    assert told(call(server, code)) == ("completed", "3.0 6 0.5\n/workspace True\n", "")


@pytest.mark.programs
@libraries
def test_libraries_are_there_already():
    with Server("--pool-memory", "2g") as server:
        def is_ready():
            call(server, "1")
            return any(row["language"] == "python" and row["ready"] > 0
                       for row in server.ask("GET", "/v1/pools")[2]["pools"])
        wait_until(is_ready, 60)
        code = "import time; t = time.process_time()\n" \
               "import numpy, pandas, scipy, IPython, plotly.graph_objects\n" \
               "print(time.process_time() - t < 0.05)"
        assert told(call(server, code)) == ("completed", "True\n", "")
        assert told(call(server, "x = 2\nx", language="ipython")) == ("completed", "2\n", "")


# ---- a directory of the operator's ----

def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def place():
    """A directory that everybody can reach."""
    path = Path(tempfile.mkdtemp(prefix="cella-nvidia-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Sandbox:
    """What packaging/start_local_sandbox starts, on a port of its own."""

    def __init__(self, who, place, output, pools="0"):
        self.port = free_port()
        self.log = place / "log"
        words = [str(ROOT / "packaging" / "start_local_sandbox"), "test-sandbox", str(output)]
        if who == "root":  # /etc is covered meanwhile, so that the host's own stays as it is
            words = under(place / "etc", "", words)
            (place / "etc").mkdir()
        else:
            words = USERS[who] + words
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self.log.open("w"), stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "CELLA": str(CELLA), "SANDBOX_PORT": str(self.port),
                 "CELLA_STATE": str(place / "state"), "CELLA_POOL_MEMORY": pools,
                 "HOME": str(place)})

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        return re.search("\\bready", self.log.read_text())

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Content-Type": "application/json",
                                                **(headers or {})})
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())

    def __enter__(self):
        wait_until(self.is_ready, 60)
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


@pytest.mark.parametrize("who", [*USERS, "root"] if IS_ROOT and "root" not in USERS else USERS)
@pytest.mark.parametrize("exists", [True, False], ids=["there", "to be made"])
def test_start_local_sandbox(place, who, exists):
    output = place / "output data" if who != "root" else place / "output"
    if exists:
        output.mkdir()
    for each in [place, output] if exists else [place]:
        if IS_ROOT and who != "root":
            os.chown(each, NOBODY, NOBODY)
    with Sandbox(who, place, output) as sandbox:
        assert told(call(sandbox, "import os; print(os.getcwd(), os.listdir())")) == \
            ("completed", "/workspace []\n", "")
        assert told(call(sandbox, "open('a.txt', 'w').write('left here')")) == ("completed", "", "")
        assert call(sandbox, "print(open('a.txt').read())")["stdout"] == "left here\n"
        assert call(sandbox, "ls", language="shell")["stdout"] == "a.txt\n"
        found = (output / "a.txt").stat()
        assert (found.st_uid, found.st_gid) == (output.stat().st_uid, output.stat().st_gid)
        (output / "by the operator").write_text("x")
        assert "by the operator" in call(sandbox, "import os; print(os.listdir())")["stdout"]
        run_id = sandbox.ask("GET", "/v1/runs?limit=1")[2]["runs"][0]["id"]
        result = sandbox.ask("GET", f"/v1/runs/{run_id}")[2]
        assert "disk_limit" in result["protections"]
        assert result["mechanisms"]["disk_bytes"] == "tmpfs, and supervision of writable mounts"
        assert told(call(sandbox, "import os; os.symlink('/etc/passwd', 'l')"))[0] == "error"
    assert sorted(path.name for path in output.iterdir()) == ["a.txt", "by the operator"]


@pytest.mark.skipif(not IS_ROOT, reason="a mount for each sandbox is root's to make")
def test_calls_in_a_workspace_are_warm(place):
    output = place / "output"
    output.mkdir()
    with Sandbox("root", place, output, "1g") as sandbox:
        def is_warm():
            assert told(call(sandbox, "open('n', 'a').write('x')")) == ("completed", "", "")
            run_id = sandbox.ask("GET", "/v1/runs?limit=1")[2]["runs"][0]["id"]
            return sandbox.ask("GET", f"/v1/runs/{run_id}")[2]["start"] == "warm"

        wait_until(is_warm, 60)
        assert call(sandbox, "print(len(open('n').read()))")["stdout"] == f"{(output / 'n').stat().st_size}\n"
        assert (output / "n").stat().st_uid == 0


@pytest.mark.skipif(not IS_ROOT, reason="what root is given goes into the ceiling")
@pytest.mark.parametrize("name, text", [
    ("a link", "leads over a link to"), ("a link/below", "leads over a link to"),
    ("two words", "has no space in its name"), ("x\nmount writable_of_root /srv", "has no space in its name"),
    ("/", "is not /")])
def test_root_is_not_led_elsewhere(place, name, text):
    """Nor does a name end up as another line of the ceiling, or one that voids the others."""
    elsewhere = place / "elsewhere"
    (elsewhere / "below").mkdir(parents=True)
    (place / "a link").symlink_to(elsewhere)
    (place / "etc").mkdir()
    script = str(ROOT / "packaging" / "start_local_sandbox")
    done = subprocess.run(under(place / "etc", "", [script, "test-sandbox", str(place / name)]),
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30,
                          env={"PATH": os.environ["PATH"], "CELLA": "/bin/true", "HOME": str(place)})
    assert done.returncode == 1 and text in done.stderr
    assert not list((place / "etc").rglob("ceiling.conf"))


def test_keys():
    """Refusals of a server with keys are in the contract's form too."""
    with Server() as server:
        made = subprocess.run(
            [CELLA, "key", "create", "one", "--state", server.directory / "state", "--key-policy",
             "execute"], stdout=subprocess.PIPE, text=True, check=True)
        body = {"generated_code": "print(1)"}
        wait_until(lambda: post(server, body)[0] == 401)
        assert "demands a key" in post(server, body)[1]["stderr"]
        key = {"Authorization": f"Bearer {made.stdout.split()[-1]}"}
        assert post(server, body, key) == (200, {"process_status": "completed", "stdout": "1\n",
                                                 "stderr": ""})
        assert server.ask("GET", "/")[0] == server.ask("GET", "/health")[0] == 200
        job = {"language": "python", "version": "*", "files": [{"content": "1"}]}
        status, _, answer = server.ask("POST", "/api/v2/execute", job, key)
        assert status == 400 and "is not for the policy 'piston'" in answer["message"]


def test_a_workspace_that_is_none(tmp_path):
    for path, text in [(tmp_path / "none", "No such file"), (CELLA, "is no directory")]:
        done = subprocess.run(
            [CELLA, "serve", "--listen", "none", "--socket", tmp_path / "s", "--state",
             tmp_path / "state", "--workspace", path], capture_output=True, text=True, check=False)
        assert done.returncode == 126 and text in done.stderr, done


def test_the_page_about_it_is_true(tmp_path):
    """The examples of docs/contracts.md, in order: each prints what stands below it."""
    text = (ROOT / "docs" / "contracts.md").read_text()
    with Server() as server:
        for block in text.split("```console\n")[1:]:
            lines = block.split("```\n")[0].replace("127.0.0.1:8420", f"127.0.0.1:{server.port}")
            command, _, expected = lines.replace("\\\n", "").partition("\n")
            done = subprocess.run(["bash", "-c", command.removeprefix("$ ")], capture_output=True,
                                  text=True, cwd=tmp_path, timeout=60, check=False)
            assert done.stdout == expected, (command, done.stderr)
