"""`cella run` by a server says, writes and returns what it does by itself."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from program import CELLA, IS_ROOT, USERS
from server import Server, wait_until

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def cella(server, *args, stdin=subprocess.DEVNULL, **more):
    given = {"stdin": stdin} if not isinstance(stdin, bytes) else {"input": stdin}
    environment = {**ENVIRONMENT, "CELLA_SOCKET": server.socket}
    return subprocess.run([CELLA, "run", *args], capture_output=True, timeout=60, **given,
                          **{"env": environment, **more})


def start(server, *args, **more):
    return subprocess.Popen([CELLA, "run", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **{"env": {**ENVIRONMENT,
                                                               "CELLA_SOCKET": server.socket}, **more})


def runs_of(server):
    return server.logged("POST /v1/runs")


def without_figures(text):
    """Times differ from run to run."""
    return re.sub(rb"after [0-9.]+ m?s", b"after ...", text)


def without_circumstances(result):
    """A result as JSON, but for what differs from run to run."""
    for name in "id", "queued_at", "started_at", "finished_at", "usage":
        result.pop(name)
    if result["compile"]:
        result["compile"].pop("usage")
        result["compile"]["message"] = re.sub("after .*", "", result["compile"]["message"])
    for chunk in result["output"] or ():
        chunk.pop("at_ms")
    result["message"] = re.sub("after [0-9.]+ m?s", "", result["message"])
    return result


PROGRAMS = {
    "text": ["-l", "python", "-c", "print('é' * 100)"],
    "bytes": ["-l", "python", "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 400)"],
    "both streams": ["-l", "bash", "-c", "echo out; echo err >&2"],
    "no output": ["-l", "bash", "-c", ":"],
    "half a character": ["-l", "python", "-c", "import sys; sys.stdout.buffer.write(b'a\\xc3')"],
    "exit code": ["-l", "bash", "-c", "exit 7"],
    "exit code 125": ["-l", "bash", "-c", "exit 125"],
    "failure with a hint": ["-l", "python", "-c", "import numpyy"],
    "traceback": ["-l", "python", "-c", "def f(): return 1 / 0\nf()"],
    "signal": ["-l", "python", "-c", "import os; os.kill(os.getpid(), 11)"],
    "compiled": ["-l", "c", "-c", "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 3; }"],
    "compile error": ["-l", "c", "-c", "int main(void) { return x; }"],
    "time": ["-l", "bash", "-c", "sleep 20", "--time", "300ms"],
    "processor time": ["-l", "python", "-c", "while True: pass", "--cpu-time", "300ms"],
    "memory": ["-l", "python", "-c", "x = bytearray(10 ** 9)", "--memory", "64m"],
    "output cut": ["-l", "python", "-c", "print('é' * 3000)", "--stdout-limit", "1001"],
    "a file too large": ["-l", "python", "-c", "open('x', 'wb').write(bytes(10 ** 7))",
                         "--file-size", "1m"],
    "arguments": ["-l", "python", "-c", "import sys; print(sys.argv[1:])", "--", "", "--x", "é"],
    "environment": ["-l", "bash", "-c", "echo $A", "--env", "A=b c"],
    "command": ["-l", "command", "--", "/bin/echo", "a", "b"],
    "quiet": ["-l", "bash", "-c", "sleep 20", "--time", "300ms", "--quiet"],
    "nothing collected": ["-l", "bash", "-c", ":", "--collect", "*.png"],
    "collected to nowhere": ["-l", "bash", "-c", "echo 1 > a.txt", "--collect", "*.txt"],
    "unknown language": ["-l", "pyhton", "-c", "1"],
    "not found": ["-l", "command", "--", "/no/such/program"],
    "over the policy": ["-l", "bash", "-c", ":", "--memory", "100g"],
    "another policy": ["-l", "bash", "-c", "echo 1", "--policy", "strict"],
    "no such policy": ["-l", "bash", "-c", ":", "--policy", "none"],
    "network": ["-l", "bash", "-c", ":", "--network", "host"],
    "bad field": ["-l", "bash", "-c", ":", "--collect", "../x"],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_is_said(server, name):
    before = runs_of(server)
    there = cella(server, *PROGRAMS[name])
    asked = runs_of(server) - before
    here = cella(server, *PROGRAMS[name], "--no-server") if "--" not in PROGRAMS[name] else \
        cella(server, "--no-server", *PROGRAMS[name])
    assert runs_of(server) - before == asked
    assert asked == (0 if name == "bad field" else 1)  # that one is found out before
    assert there.returncode == here.returncode
    assert there.stdout == here.stdout
    assert without_figures(there.stderr) == without_figures(here.stderr)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_result(server, name):
    there = cella(server, "--json", *PROGRAMS[name])
    here = cella(server, "--json", "--no-server", *PROGRAMS[name])
    assert there.returncode == here.returncode
    assert there.stderr == here.stderr == b""
    assert without_circumstances(json.loads(there.stdout)) == \
        without_circumstances(json.loads(here.stdout))


def test_a_request_of_every_kind(server, tmp_path):
    request = {"language": "python", "code": "import sys; print(open('d/x', 'rb').read(), sys.stdin.read())",
               "files": [{"path": "d/x", "content": "AAH/", "encoding": "base64"}],
               "stdin": "in", "interleave": True, "tag": "t", "text_errors": "replace",
               "on_output_limit": "stop", "collect": ["d/*"], "limits": {"wall_ms": 5000.5}}
    (tmp_path / "r.json").write_text(json.dumps(request))
    results = [json.loads(cella(server, "--json", "--request", str(tmp_path / "r.json"), *more).stdout)
               for more in ([], ["--no-server"])]
    assert results[0]["stdout"] == "b'\\x00\\x01\\xff' in\n"
    assert without_circumstances(results[0]) == without_circumstances(results[1])


def test_collected_files(server, tmp_path):
    code = "import os; open('a', 'wb').write(bytes(range(256))); open('b', 'w').write('#!'); os.chmod('b', 0o755); os.symlink('a', 'c')"
    said = []
    for more in [], ["--no-server"]:
        out = tmp_path / f"out{len(more)}"
        done = cella(server, "-l", "python", "-c", code, "--collect", "*", "-o", str(out), *more)
        said.append(done.stderr)
        assert (out / "a").read_bytes() == bytes(range(256))
        assert os.access(out / "b", os.X_OK) and not os.access(out / "a", os.X_OK) or not IS_ROOT
        assert sorted(os.listdir(out)) == ["a", "b", "main.py"]
        refused = cella(server, "-l", "python", "-c", code, "--collect", "a", "-o", str(out), *more)
        assert refused.returncode == 125 and b"--force replaces files that exist" in refused.stderr
    assert said[0] == said[1]


# ---- standard input ----

ECHO = ["-l", "python", "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"]


def test_input_that_is_at_hand_is_sent_along(server, tmp_path):
    (tmp_path / "in").write_bytes(b"xxab\xff")
    before = runs_of(server)
    with open(tmp_path / "in", "rb") as file:
        file.seek(2)
        assert cella(server, *ECHO, stdin=file).stdout == b"\xffba"
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 5  # it was read
    assert cella(server, *ECHO, "--stdin", str(tmp_path / "in")).stdout == b"\xffbaxx"
    assert cella(server, *ECHO).stdout == b""
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", CELLA, "run", *ECHO],
                            capture_output=True, env={**ENVIRONMENT, "CELLA_SOCKET": server.socket})
    assert (closed.returncode, closed.stdout) == (0, b"")
    assert cella(server, "-l", "python", "-", stdin=b"print(1)").stdout == b"1\n"  # it is the code
    assert runs_of(server) - before == 5


def test_input_that_is_yet_to_come_is_passed_on_by_ourselves(server, tmp_path):
    before = runs_of(server)
    assert cella(server, *ECHO, stdin=b"abc").stdout == b"cba"
    os.mkfifo(tmp_path / "fifo")
    with start(server, *ECHO, "--stdin", str(tmp_path / "fifo")) as process:
        (tmp_path / "fifo").write_bytes(b"ab")
        assert process.communicate()[0] == b"ba"
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate((32 << 20) + 1)
    count = ["-l", "python", "-c", "import sys; print(len(sys.stdin.buffer.read()))"]
    assert cella(server, *count, "--stdin", str(large)).stdout == b"33554433\n"
    assert runs_of(server) == before
    assert cella(server, *ECHO, "--stdin", "/dev/null").stdout == b""
    assert runs_of(server) == before + 1


def test_code_that_json_cannot_say_is_run_by_ourselves(server, tmp_path):
    (tmp_path / "x.py").write_bytes(b"# -*- coding: latin-1 -*-\nprint('\xe9')\n")
    before = runs_of(server)
    assert cella(server, str(tmp_path / "x.py")).stdout == "é\n".encode()
    assert runs_of(server) == before


# ---- live ----


def test_output_comes_as_it_is_written(server):
    code = "import time; print('one', flush=True); time.sleep(60)"
    with start(server, "-l", "python", "-c", code) as process:
        assert process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, b"")
    assert without_figures(err) == b"cella: cancelled: cancelled after ...\n"
    wait_until(server.is_idle)


def test_a_second_signal_ends_at_once(server):
    code = "print('x' * 10 ** 6, flush=True); import time; time.sleep(60)"
    with start(server, "-l", "python", "-c", code) as process:
        process.stdout.read(10)  # and no more: our own output is stuck
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 130
        process.communicate()
    wait_until(server.is_idle)


def test_a_reader_that_goes_away_ends_the_run(server):
    code = "import time\nwhile True: print('x' * 1000, flush=True); time.sleep(0.01)"
    with start(server, "-l", "python", "-c", code, "--time", "60s") as process:
        process.stdout.read(100)
        process.stdout.close()
        process.stderr.close()
        process.wait(timeout=20)
    wait_until(server.is_idle)


def test_killed(server):
    with start(server, "-l", "python", "-c", "import time; print(1, flush=True); time.sleep(60)") as process:
        process.stdout.readline()
        process.kill()
    wait_until(server.is_idle)


# ---- servers that are not there for us ----


def test_no_server(server, tmp_path):
    before = runs_of(server)
    for socket_path in str(tmp_path / "none"), "/etc/passwd", "x" * 200, "":
        done = cella(server, *PROGRAMS["command"], env={**ENVIRONMENT, "CELLA_SOCKET": socket_path})
        assert (done.returncode, done.stdout, done.stderr) == (0, b"a b\n", b"")
    assert runs_of(server) == before


def fake(answer, tmp_path):
    """A script that listens and says something else than a server of ours."""
    script = ("import socket, sys\n"
              "listening = socket.socket(socket.AF_UNIX); listening.bind(sys.argv[1]); listening.listen()\n"
              "print('up', flush=True)\n"
              "connection, _ = listening.accept()\n"
              "connection.recv(1 << 20)\n"
              f"connection.sendall({answer!r})\n")
    path = str(tmp_path / "s")
    process = subprocess.Popen(["/usr/bin/python3", "-c", script, path], stdout=subprocess.PIPE)
    process.stdout.readline()
    return path, process


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
STARTED = EVENTS + b'event: started\ndata: {"id":"x"}\n\n'


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}", b"nonsense\r\n\r\n", EVENTS,
    EVENTS + b"nonsense\n\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
])
def test_lost_before_the_start_is_done_without(server, answer, tmp_path):
    path, process = fake(answer, tmp_path)
    done = cella(server, *PROGRAMS["command"], env={**ENVIRONMENT, "CELLA_SOCKET": path})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a b\n", b"")
    process.communicate()


def test_a_server_that_hangs_is_done_without(server, tmp_path):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    started = time.monotonic()
    done = cella(server, *PROGRAMS["command"],
                 env={**ENVIRONMENT, "CELLA_SOCKET": str(tmp_path / "s")})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a b\n", b"")
    assert 5 <= time.monotonic() - started < 10
    listening.close()


@pytest.mark.parametrize("answer, text", [
    (STARTED, "the server at {} has gone, and the program with it"),
    (STARTED + b'event: stdout\ndata: {"data":"half","encoding":"utf-8"}\n\n',
     "the server at {} has gone, and the program with it"),
    (STARTED + b'event: stdout\ndata: nonsense\n\n', "the server at {} is none of this version"),
    (STARTED + b'event: result\ndata: {}\n\n', "the server at {} is none of this version"),
])
def test_lost_after_the_start_is_said(server, answer, text, tmp_path):
    path, process = fake(answer, tmp_path)
    done = cella(server, *PROGRAMS["command"], env={**ENVIRONMENT, "CELLA_SOCKET": path})
    process.communicate()
    assert done.returncode == 125
    assert done.stdout == (b"half" if b"half" in answer else b"")
    assert done.stderr.decode().splitlines()[0] == "cella: " + text.format(path)


def test_a_killed_server_is_said():
    with Server() as server:
        with start(server, "-l", "python", "-c", "import time; print(1, flush=True); time.sleep(60)") as process:
            process.stdout.readline()
            server.process.kill()
            _, err = process.communicate(timeout=20)
        assert process.returncode == 125
        assert err.decode().splitlines() == [
            f"cella: the server at {server.socket} has gone, and the program with it",
            "  hint: what the server says is in its log"]
        server.process.wait()
    # Of a killed server nothing stays that the next start does not clean up.
    subprocess.run([CELLA, "run", "--no-server", "-l", "command", "--", "/bin/true"], check=True)


def test_a_server_that_ends_finishes_what_it_has():
    with Server() as server:
        code = "import time; print(1, flush=True); time.sleep(1); print(2)"
        with start(server, "-l", "python", "-c", code) as process:
            process.stdout.readline()
            server.process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, b"2\n", b"")
        done = cella(server, *PROGRAMS["command"])  # and who comes now works alone
        assert (done.returncode, done.stdout) == (0, b"a b\n")


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_somebody_elses_server_is_not_trusted(tmp_path):
    with Server(user="user") as server:
        os.chmod(server.directory, 0o755)
        done = cella(server, *PROGRAMS["command"])  # root could connect
        assert (done.returncode, done.stdout) == (0, b"a b\n")
        assert runs_of(server) == 0
        own = subprocess.run([*USERS["user"], CELLA, "run", *PROGRAMS["command"]],
                             stdin=subprocess.DEVNULL, capture_output=True,
                             env={**ENVIRONMENT, "CELLA_SOCKET": server.socket})
        assert own.stdout == b"a b\n"
        assert runs_of(server) == 1


@pytest.mark.skipif(not IS_ROOT, reason="takes a directory of another user's")
def test_the_default_place_of_a_user(tmp_path_factory):
    """By $XDG_RUNTIME_DIR, for the server and for who asks it.  (Root's is one for the whole host.)"""
    with Server(user="user") as server:  # for a directory of that user's
        environment = {**ENVIRONMENT, "XDG_RUNTIME_DIR": f"{server.directory}/run",
                       "XDG_STATE_HOME": f"{server.directory}/states", "CELLA_LISTEN": "none",
                       "CELLA_LOG": f"{server.directory}/log2"}
        second = subprocess.Popen([*USERS["user"], CELLA, "serve"], env=environment)
        log = server.directory / "log2"
        wait_until(lambda: log.exists() and " ready" in log.read_text())
        socket_path = server.directory / "run" / "cella" / "serve.sock"
        assert oct(os.stat(socket_path.parent).st_mode & 0o777) == "0o700"
        assert oct(os.stat(server.directory / "states" / "cella").st_mode & 0o777) == "0o700"
        done = subprocess.run([*USERS["user"], CELLA, "run", *PROGRAMS["command"]], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True)
        assert done.stdout == b"a b\n"
        assert log.read_text().count("POST /v1/runs") == 1
        second.terminate()
        assert second.wait(timeout=20) == 0
    nowhere = subprocess.run([*USERS["user"], CELLA, "serve"], env=ENVIRONMENT, capture_output=True,
                             text=True)
    assert (nowhere.returncode, nowhere.stderr) == (126, (
        "cella: the environment does not say where the server's socket is to be: give --socket\n"))
