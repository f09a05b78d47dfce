"""Piston's contract: its routes, texts and statuses, and clients of its own."""
import json
import time
from base64 import b64encode

import pytest
import websocket
from npm import npm_modules, run_node
from server import Server, wait_until

EXECUTE = "/api/v2/execute"


@pytest.fixture(scope="module", name="server")
def one_server():
    with Server() as server:
        yield server


def file(content, **more):
    return {"content": content, **more}


def execute(server, code="print(1)", language="python", version="*", **more):
    """The answer to a job that is taken."""
    body = {"language": language, "version": version, "files": [file(code)], **more}
    status, _, answer = server.ask("POST", EXECUTE, body)
    assert status == 200, answer
    return answer


def run(server, code="print(1)", **more):
    return execute(server, code, **more)["run"]


def refused(server, body, path=EXECUTE, method="POST"):
    """Status and message of one that is not."""
    status, headers, answer = server.ask(method, path, body)
    assert headers["Content-Type"] == "application/json"
    assert list(answer) == ["message"], answer
    return status, answer["message"]


# ---- what there is ----

@pytest.mark.parametrize("base", ["/api/v2", "/api/v2/piston"])
def test_runtimes(server, base):
    status, _, runtimes = server.ask("GET", f"{base}/runtimes")
    assert status == 200
    known = {row["language"]: row for row in runtimes}
    assert {"python", "c++", "javascript", "bash", "go", "rust", "java"} <= known.keys()
    assert {"py", "python3"} <= set(known["python"]["aliases"]) and "runtime" not in known["python"]
    assert known["javascript"]["runtime"] == "node" and known["c++"]["runtime"] == "gcc"
    for row in runtimes:
        assert row.keys() - {"runtime"} == {"language", "version", "aliases"}
        numbers = row["version"].split(".")
        assert len(numbers) == 3 and all(number.isdigit() for number in numbers), row
        assert row["language"] not in row["aliases"]
    body = {"language": "python", "version": "*", "files": [file("print(1)")]}
    assert server.ask("POST", f"{base}/execute", body)[2]["run"]["code"] == 0


def test_packages(server):
    status, _, packages = server.ask("GET", "/api/v2/packages?language=")
    assert status == 200
    assert all(row.keys() == {"language", "language_version", "installed"} for row in packages)
    known = {row["language"]: row["language_version"] for row in packages}
    assert len(known) == len(packages) and {"gcc", "node"} <= known.keys() and "c++" not in known
    assert refused(server, {"language": "gcc", "version": known["gcc"]}, "/api/v2/packages") == \
        (500, "Already installed")
    version = known["python"]
    assert refused(server, {"language": "cow", "version": "1.0.0"}, "/api/v2/packages") == \
        (404, "Requested package cow-1.0.0 does not exist")
    assert refused(server, {"language": "python", "version": version}, "/api/v2/packages") == \
        (500, "Already installed")
    for method in ["POST", "DELETE"]:
        assert refused(server, {}, "/api/v2/packages", method) == \
            (404, "Requested package undefined-undefined does not exist")
    status, message = refused(server, {"language": "python", "version": version},
                              "/api/v2/packages", "DELETE")
    assert status == 500 and "removed by whoever administers it" in message


def test_nothing_there(server):
    for method, path in [("GET", EXECUTE), ("GET", "/api/v2/nothing"), ("GET", "/api/v2/a/b"),
                         ("PUT", "/api/v2/runtimes"), ("DELETE", EXECUTE)]:
        assert refused(server, None, path, method) == (404, "Not Found")


# ---- jobs ----

def test_an_answer(server):
    answer = execute(server, "import sys; print(input(), sys.argv[1:]); sys.stderr.write('e')",
                     language="py", stdin="in", args=["a", "b c"])
    version = answer.pop("version")
    assert answer.pop("language") == "python" and version.startswith("3.")
    run_stage = answer.pop("run")
    assert answer == {}  # no compile stage
    for usage in ["cpu_time", "wall_time", "memory"]:
        assert run_stage.pop(usage) > 0
    output = run_stage.pop("output")
    assert sorted(output) == sorted("in ['a', 'b c']\ne")
    assert run_stage == {"stdout": "in ['a', 'b c']\n", "stderr": "e", "code": 0, "signal": None,
                         "message": None, "status": None}


@pytest.mark.parametrize("code, more, expected", [
    ("import sys; sys.exit(3)", {}, (3, None, "RE", "Exited with error status 3")),
    ("1 / 0", {}, (1, None, "RE", "Exited with error status 1")),
    ("import os; os.kill(os.getpid(), 11)", {}, (None, "SIGSEGV", "SG", "Caught fatal signal 11")),
    ("import time; time.sleep(60)", {"run_timeout": 200},
     (None, "SIGKILL", "TO", "Time limit exceeded (wall clock)")),
    ("while True: pass", {"run_cpu_time": 200},
     (None, "SIGKILL", "TO", "Time limit exceeded")),
    ("print('o' * 70000)", {}, (None, "SIGKILL", "OL", "stdout length exceeded")),
    ("import sys; sys.stderr.write('e' * 70000)", {},
     (None, "SIGKILL", "EL", "stderr length exceeded")),
])
def test_endings(server, code, more, expected):
    found = run(server, code, **more)
    assert tuple(found[key] for key in ["code", "signal", "status", "message"]) == expected
    assert len(found["stdout"]) <= 65536 and len(found["stderr"]) <= 65536


def test_memory(server):
    found = run(server, "x = bytearray(1 << 30)", run_memory_limit=64 << 20)
    assert (found["code"], found["signal"], found["status"]) == (None, "SIGKILL", "SG")
    assert "memory limit of 64 MiB" in found["message"]
    assert run(server, run_memory_limit=-1, compile_memory_limit=-1)["status"] is None


def test_compile_stage(server):
    good = execute(server, '#include <stdio.h>\nint main(void) { puts("c"); return 4; }',
                   language="gcc", compile_timeout=10000)
    assert good["compile"]["code"] == 0 and good["compile"]["status"] is None
    assert (good["run"]["stdout"], good["run"]["code"]) == ("c\n", 4)
    bad = execute(server, "int main(void) {", language="c")
    assert bad["compile"]["code"] == 1 and bad["compile"]["status"] == "RE"
    assert "error" in bad["compile"]["output"] and bad["run"] == bad["compile"]
    slow = execute(server, "int main(void) {}", language="c", compile_timeout=1)
    assert slow["compile"]["status"] == "TO" and slow["run"] == slow["compile"]


def test_files(server):
    code = "import data, sys\nprint(data.X, open('bin', 'rb').read(), open('a/b', 'rb').read())"
    files = [file(b64encode(b"\x00\xff").decode().rstrip("="), name="bin", encoding="base64"),
             file(code, name="/./main.py"), file("X = 5", name="x/../data.py", encoding="utf8"),
             file("00fFzz", name="a//b", encoding="hex")]
    found = run(server, files=files)
    assert found["stdout"] == "5 b'\\x00\\xff' b'\\x00\\xff'\n", found
    # The first text is what is run, and what has no name gets one.
    assert run(server, files=[file("import os; print(sorted(os.listdir()))"), file("x")])["stdout"] \
        == "['file1.code', 'main.py']\n"
    named = execute(server, language="c", files=[file("int main(void) { return 6; }", name="prog")])
    assert named["run"]["code"] == 6, named


def test_input_ends_with_a_line(server):
    code = "import sys; print(repr(sys.stdin.read()))"
    for given, read in [({}, "\n"), ({"stdin": "a"}, "a\n"), ({"stdin": "a\n"}, "a\n"),
                        ({"stdin": None}, "\n")]:
        assert run(server, code, **given)["stdout"] == repr(read) + "\n"


def test_environment(server):
    """That of Piston; and what the request sets of it does not make a start cold."""
    code = "import os; print(os.environ['PISTON_LANGUAGE'], os.environ['HOME'], os.getcwd())"
    assert run(server, code, language="py")["stdout"] == "python /tmp /workspace\n"
    code = '#include <stdio.h>\n#include <stdlib.h>\n' \
           'int main(void) { return puts(getenv("PISTON_LANGUAGE")) < 0; }'
    assert run(server, code, language="cpp")["stdout"] == "c++\n"
    with Server("--pool-memory", "256m") as warm:
        def is_warm():
            found = execute(warm, "console.log(process.env.PISTON_LANGUAGE)", language="js")
            assert found["run"]["stdout"] == "javascript\n", found
            run_id = warm.ask("GET", "/v1/runs?limit=1")[2]["runs"][0]["id"]
            return warm.ask("GET", f"/v1/runs/{run_id}")[2]["start"] == "warm"
        wait_until(is_warm, 30)


def test_versions(server):
    version = execute(server)["version"]
    major, minor, patch = map(int, version.split("."))
    for selector in ["*", "x", f"{major}", f"{major}.x", f"^{major}.0.0", f"~{major}.{minor}",
                     f">={major}", version, f"{major}.{minor}.{patch}", "1 || 2 || 3",
                     f"{major}.0.0"]:  # an older one of the same kind, see docs/contracts.md
        assert execute(server, version=selector)["version"] == version, selector
    for selector in ["2.7.18", f"{major + 1}", f"{major}.{minor + 1}.0", "latest", f"<{major}", ""]:
        status, message = refused(server, {"language": "python", "version": selector, "files": []})
        assert status == 400
        assert message == (f"python-{selector} runtime is unknown" if selector
                           else "version is required as a string")


@pytest.mark.parametrize("body, message", [
    ({}, "language is required as a string"),
    ([], "language is required as a string"),
    ({"language": 3}, "language is required as a string"),
    ({"language": "python"}, "version is required as a string"),
    ({"language": "python", "version": "*"}, "files is required as an array"),
    ({"files": {}}, "files is required as an array"),
    ({"files": [{}]}, "files[0].content is required as a string"),
    ({"files": [None]}, "files[0].content is required as a string"),
    ({"files": [file("x"), file(3)]}, "files[1].content is required as a string"),
    ({"files": [file("x", name=3)]}, "files[0].name must be a string"),
    ({"files": [file("x", name="../x")]},
     'File path "../x" tries to escape parent directory'),
    ({"files": [file("x", name="a/../../x")]},
     'File path "a/../../x" tries to escape parent directory'),
    ({"language": "cow"}, "cow-* runtime is unknown"),
    ({"language": "c\u00f6w"}, "c\u00f6w-* runtime is unknown"),
    ({"files": []}, "files must include at least one utf8 encoded file"),
    ({"files": [file("eA==", encoding="base64")]},
     "files must include at least one utf8 encoded file"),
    ({"run_timeout": "3"}, "If specified, run_timeout must be a number"),
    ({"run_timeout": 300001}, "run_timeout cannot exceed the configured limit of 300000"),
    ({"run_timeout": 1e300}, "run_timeout cannot exceed the configured limit of 300000"),
    ({"run_cpu_time": -1}, "run_cpu_time must be non-negative"),
    ({"compile_timeout": 1e6}, "compile_timeout cannot exceed the configured limit of 300000"),
    ({"run_memory_limit": -2}, "run_memory_limit must be non-negative"),
    ({"run_memory_limit": 1 << 40},
     "run_memory_limit cannot exceed the configured limit of 10737418240"),
    ({"compile_memory_limit": [1]}, "If specified, compile_memory_limit must be a number"),
    ({"stdin": 5}, "stdin must be a string"),
    ({"args": "abc"}, "args must be an array of strings"),
    ({"args": ["a", 5]}, "args[1] must be a string"),
])
def test_refusals(server, body, message):
    good = {"language": "python", "version": "*", "files": [file("print(1)")]}
    is_whole = message.endswith("is required as a string") and "[" not in message or \
        body == {"language": "python", "version": "*"}
    body = body if is_whole else {**good, **body}
    assert refused(server, body) == (400, message)


def test_what_counts_as_not_given(server):
    for value in [0, None, False, ""]:
        assert run(server, run_timeout=value, run_memory_limit=value)["code"] == 0


def test_hostile_bodies(server):
    for body in [b"", b"{", b"nul", b"\xff", b'{"language": "a", "language": "b"}', b"[" * 100]:
        assert refused(server, body)[0] == 400
    status, _, answer = server.ask("POST", EXECUTE, b"{}", {"Content-Type": "text/plain"})
    assert (status, answer) == (415, {"message": "requests must be of type application/json"})
    # Half of a character, as is written where a text was cut, is no character.
    half = json.dumps({"language": "python", "version": "*",
                       "files": [file("print('\ud83d', '\U0001f600')")]})
    status, _, answer = server.ask("POST", EXECUTE, half)
    assert (status, answer["run"]["stdout"]) == (200, "\ufffd \U0001f600\n")
    assert run(server, "import os; os.write(1, b'a\\xffb')")["stdout"] == "a\ufffdb"
    assert run(server, "#" * (17 << 20))["code"] == 0
    status, message = refused(server, {"language": "python", "version": "*", "files": [file("")],
                                       "args": ["a" * (97 << 10)]})
    assert status == 400 and "98304 bytes" in message
    with server.raw() as connection:
        connection.sendall(b"POST /api/v2/execute HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ") and b'\r\n\r\n{"message":"' in answer
    status, _, answer = server.ask("GET", "/api/v2/runtimes", headers={"Host": "evil.example"})
    assert (status, list(answer)) == (403, ["message"])


# ---- clients ----

def test_piston_api_client(server):
    """The client of the package piston-api-client, by fetch and by node's own HTTP."""
    script = """
const { PistonClient, NodePistonClient } = require('piston-api-client');
(async () => {
  const out = [];
  for (const Client of [PistonClient, NodePistonClient]) {
    const client = new Client({ server: process.argv[1], cacheTime: 1 });
    const runtimes = await client.runtimes();
    out.push(runtimes.success && runtimes.data.some(row => row.language === 'python'));
    const done = await client.execute({ language: 'node-js', version: '*', args: ['Hello', 'World'],
      files: [{ content: 'console.log(process.argv.slice(2))' }] });
    out.push(done.data.run.stdout, done.data.language);
    const bad = await client.execute({ language: 'cow', version: '*', files: [] });
    out.push(bad.data.message);
  }
  console.log(JSON.stringify(out));
})();
"""
    modules = npm_modules("piston-api-client@2.0.1")
    expected = [True, "[ 'Hello', 'World' ]\n", "javascript", "cow-* runtime is unknown"]
    found = run_node(modules, script, f"http://127.0.0.1:{server.port}")
    assert json.loads(found) == 2 * expected


def test_piston_api(server):
    """The client of the package piston-api, which checks every answer against a schema."""
    script = """
const { PistonClient } = require('piston-api');
(async () => {
  const client = new PistonClient({ baseUrl: process.argv[1] });
  const out = [(await client.getRuntimes({ language: 'Python' })).length,
               (await client.getPackages()).length > 5];
  for (const [language, code] of [['python', 'print(input())'], ['bash', 'exit 3'],
                                  ['c', 'int main(void) { return 5; }'], ['c', 'int main(']]) {
    const done = await client.run({ language, code, stdin: 'in' });
    out.push([done.run.stdout, done.run.code, done.run.status]);
  }
  await client.run({ language: 'cow', code: '' }).catch(error => out.push(error.message));
  console.log(JSON.stringify(out));
})();
"""
    modules = npm_modules("piston-api@1.0.1")
    found = run_node(modules, script, f"http://127.0.0.1:{server.port}")
    assert json.loads(found) == [1, True, ["in\n", 0, None], ["", 3, "RE"], ["", 5, "RE"],
                                 ["", 1, "RE"], "API Error: cow-* runtime is unknown"]


# ---- by WebSocket ----

TALK = """
const WebSocket = require('ws');
const [url, sent] = [process.argv[1], JSON.parse(process.argv[2])];
const socket = new WebSocket(url);
const frames = [];
const send = frame => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
socket.on('open', () => sent.filter(step => !step.after).forEach(step => send(step.frame)));
socket.on('message', data => {
  const frame = JSON.parse(data);
  frames.push(frame);
  for (const step of sent)
    if (step.after && Object.entries(step.after).every(([key, value]) => frame[key] === value))
      send(step.frame);
});
socket.on('error', error => frames.push({ type: 'failed', message: String(error) }));
socket.on('close', (code, reason) => {
  console.log(JSON.stringify({ frames, code, reason: String(reason) }));
});
"""


def conversation(server, *sent, path="/api/v2/connect"):
    """What comes back for frames, each sent at once, or after a frame like `after`: all frames, code
    and reason of the close."""
    modules = npm_modules("piston-api@1.0.1")
    steps = [frame if isinstance(frame, dict) and "frame" in frame else {"frame": frame}
             for frame in sent]
    return json.loads(run_node(modules, TALK, f"ws://127.0.0.1:{server.port}{path}",
                               json.dumps(steps)))


def talk(server, *sent, path="/api/v2/connect"):
    """Likewise: frames without output, joined output of each stream, code and reason."""
    done = conversation(server, *sent, path=path)
    output = {name: "".join(frame["data"] for frame in done["frames"]
                            if frame["type"] == "data" and frame["stream"] == name)
              for name in ["stdout", "stderr"]}
    frames = [frame for frame in done["frames"] if frame["type"] != "data"]
    return frames, output, (done["code"], done["reason"])


def job(code, language="python", **more):
    return {"type": "init", "language": language, "version": "*", "files": [file(code)], **more}


def stage(name):
    return {"type": "stage", "stage": name}


def ended(name, code, signal=None):
    return {"type": "exit", "stage": name, "code": code, "signal": signal}


COMPLETED = (4999, "Job Completed")


def test_connect(server):
    version = execute(server)["version"]
    runtime = {"type": "runtime", "language": "python", "version": version}
    for path in ["/api/v2/connect", "/api/v2/piston/connect"]:
        assert talk(server, job("import sys; print(1); sys.stderr.write('e'); sys.exit(3)"),
                    path=path) == \
            ([runtime, stage("run"), ended("run", 3)], {"stdout": "1\n", "stderr": "e"}, COMPLETED)
    code = "x = input('? '); print('got', x); y = input(); print('and', y)"
    assert talk(server, job(code),
                {"after": {"data": "? "}, "frame": {"type": "data", "stream": "stdin", "data": "a\nb\n"}}
                )[1]["stdout"] == "? got a\nand b\n"
    assert talk(server, job("import time; print('in', flush=True); time.sleep(60)"),
                {"after": {"data": "in\n"}, "frame": {"type": "signal", "signal": "SIGKILL"}}) == \
        ([runtime, stage("run"), ended("run", None, "SIGKILL")],
         {"stdout": "in\n", "stderr": ""}, COMPLETED)
    assert talk(server, job("while True: pass", run_timeout=300))[0][-1] == \
        ended("run", None, "SIGKILL")
    assert talk(server, job("import os; os.write(1, b'a\\xffb'); os.write(2, b'\\xc3')"))[1] == \
        {"stdout": "a\ufffdb", "stderr": "\ufffd"}
    many = talk(server, job("print('\u00e9' * 500000)"))
    assert many[1]["stdout"] == "\u00e9" * 500000 + "\n" and many[0][-1] == ended("run", 0)


def test_connect_and_compile(server):
    code = '#include <stdio.h>\nint main(void) { int c; puts("go"); fflush(stdout);' \
           ' while ((c = getchar()) != 10) putchar(c + 1); return 0; } // %s'
    for text in ["once", "once"]:  # the second time it is known already
        frames, output, close = talk(
            server, job(code % text, "c"),
            {"after": {"stage": "run", "type": "stage"},
             "frame": {"type": "data", "stream": "stdin", "data": "HAL\n"}})
        assert frames[1:] == [stage("compile"), ended("compile", 0), stage("run"), ended("run", 0)]
        assert (output["stdout"], close) == ("go\nIBM", COMPLETED)
    frames, output, close = talk(server, job("int main(", "c"))
    assert frames[1:] == [stage("compile"), ended("compile", 1)]
    assert "error" in output["stderr"] and close == COMPLETED


def joined(frames):
    """What came of a stream in several pieces is one."""
    found = []
    for frame in frames:
        if frame["type"] == "data" and found and found[-1].get("stream") == frame["stream"]:
            found[-1]["data"] += frame["data"]
        else:
            found.append(dict(frame))
    return found


def test_what_a_compiler_writes(tmp_path):
    """Comes before its end, in every case: also when it was compiled before."""
    code = '#include <stdio.h>\n#warning careful\n' \
           'int main(void) { puts("out"); return getchar() != 10; }'
    with Server(environment={"XDG_CACHE_HOME": str(tmp_path)}) as server:
        for cached in [False, True]:
            done = conversation(server, job(code, "c"), {
                "after": {"stage": "run", "type": "stage"},
                "frame": {"type": "data", "stream": "stdin", "data": "\n"}})
            first, *told, last = joined(done["frames"][1:])
            assert (first, last, done["code"]) == (stage("compile"), ended("run", 0), 4999)
            assert [(frame["type"], frame.get("stream")) for frame in told] == [
                ("data", "stderr"), ("exit", None), ("stage", None), ("data", "stdout")]
            assert "warning: #warning careful" in told[0]["data"]
            assert told[1:] == [ended("compile", 0), stage("run"),
                                {"type": "data", "stream": "stdout", "data": "out\n"}]
            run_id = server.ask("GET", "/v1/runs?limit=1")[2]["runs"][0]["id"]
            result = server.ask("GET", f"/v1/runs/{run_id}")[2]
            assert result["compile"]["cached"] is cached
        frames = joined(conversation(server, job("#warning careful\nint main(", "c"))["frames"])
        assert [frame["type"] for frame in frames] == ["runtime", "stage", "data", "exit"]
        assert "careful" in frames[2]["data"] and frames[3] == ended("compile", 1)


def test_what_a_compiler_writes_comes_at_once(server):
    """While it still works: this one would for ever."""
    code = ('#if __INCLUDE_LEVEL__ == 0\n#warning careful\n#endif\n#if __INCLUDE_LEVEL__ < 90\n'
            '#include __FILE__\n#include __FILE__\n#endif\n')
    client = websocket.create_connection(f"ws://127.0.0.1:{server.port}/api/v2/connect", timeout=30)
    client.send(json.dumps(job(code, "c", compile_timeout=3000)))
    came, ended_at = {}, None
    while ended_at is None:
        frame = json.loads(client.recv())
        came.setdefault(frame["type"], time.monotonic())
        if frame["type"] == "data":
            assert frame["stream"] == "stderr"
        elif frame["type"] == "exit":
            assert frame == ended("compile", None, "SIGKILL")
            ended_at = came["exit"]
    client.close()
    assert 1 < ended_at - came["data"] < 4


@pytest.mark.parametrize("frames, message, close", [
    (["{"], None, (4002, "Notified Error")),
    ([job("1", "cow")], "cow-* runtime is unknown", (4002, "Notified Error")),
    ([{"type": "init"}], "language is required as a string", (4002, "Notified Error")),
    ([job("1", run_timeout=1e9)], "run_timeout cannot exceed the configured limit of 300000",
     (4002, "Notified Error")),
    ([{"type": "data", "stream": "stdin", "data": "x"}], None, (4003, "Not yet initialized")),
    ([{"type": "signal", "signal": "SIGINT"}], None, (4003, "Not yet initialized")),
    ([job("input()"), job("1")], None, (4000, "Already Initialized")),
    ([job("input()"), {"type": "data", "stream": "stdout", "data": "x"}], None,
     (4004, "Can only write to stdin")),
    ([job("input()"), {"type": "signal", "signal": "SIGNOTHING"}], None, (4005, "Invalid signal")),
    ([job("input()"), {"type": "signal", "signal": "INT"}], None, (4005, "Invalid signal")),
    ([job("input()"), {"type": "data", "stream": "stdin", "data": 5}],
     "data is required as a string", (4002, "Notified Error")),
    ([], None, (4001, "Initialization Timeout")),
    ([{"type": "begins nothing"}], None, (4001, "Initialization Timeout")),
])
def test_connect_refusals(server, frames, message, close):
    found = talk(server, *frames)
    assert found[2] == close, found
    errors = [frame for frame in found[0] if frame["type"] == "error"]
    assert bool(errors) == (close[0] == 4002)
    if message is not None:
        assert errors == [{"type": "error", "message": message}]


def test_an_interactive_session_of_piston_api(server):
    script = """
const { PistonClient } = require('piston-api');
(async () => {
  const client = new PistonClient({ baseUrl: process.argv[1] });
  const codes = []; // of each stage
  const ended = new Promise(resolve => client.on('sessionCompleted', (id, code) => {
    if (codes.push(code) === 2) resolve(codes);
  }));
  client.on('sessionError', (id, message) => { console.log(message); process.exit(1); });
  const id = await client.runInteractive('#include <stdio.h>\\nint main(void) { int a, b;' +
    ' scanf("%d%d", &a, &b); printf("Sum: %d", a + b); return a; }', 'c', { runTimeout: 60000 });
  await client.sendInput(id, '3\\n');
  await client.sendInput(id, '5\\n');
  console.log(JSON.stringify([await ended, client.getSession(id).output]));
  client.destroyAllSessions();
})();
"""
    modules = npm_modules("piston-api@1.0.1")
    found = run_node(modules, script, f"http://127.0.0.1:{server.port}")
    assert json.loads(found) == [[0, 3], "Sum: 8"]
