"""The server: answers and refusals, events, limits, and how it begins and ends."""
import base64
import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest
from program import BUILD, CELLA, IS_ROOT, ROOT, USERS, valid
from server import Server, UnixConnection, events_of, wait_until

SLEEP = {"language": "python", "code": "import time; print('up', flush=True); time.sleep(60)"}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running
        assert running.is_idle()


def stream(server, request, connection=None):
    """The response whose events are yet to come."""
    connection = connection or server.connect()
    connection.request("POST", "/v1/runs", json.dumps(request),
                       {"Content-Type": "application/json", "Accept": "text/event-stream"})
    return connection.getresponse()


def start_sleeping(server, connection=None):
    """A response, after the program has written its first line."""
    response = stream(server, SLEEP, connection)
    events = events_of(response)
    assert next(events)[0] == "started"
    assert next(events) == ("stdout", {"data": "up\n", "encoding": "utf-8"})
    return response, events


def answer_to(server, data, more=b""):
    """All that a bare connection gets for these bytes."""
    with server.raw() as connection:
        connection.sendall(data)
        if more:
            connection.sendall(more)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received.decode()


# ---- answers ----


def test_a_program_runs(server):
    status, headers, result = server.run(language="python", code="print(6 * 7)")
    assert (status, result["status"], result["stdout"]) == (200, "ok", "42\n")
    assert headers["Content-Type"] == "application/json"
    valid(result)


@pytest.mark.parametrize("code, status, exit_code", [
    ("import sys; sys.exit(3)", "exit", 3),
    ("import os; os.abort()", "signal", None),
    ("while True: pass", "cpu_time", None),
])
def test_how_a_program_ends_is_no_matter_of_http(server, code, status, exit_code):
    http_status, _, result = server.run(language="python", code=code, limits={"cpu_ms": 500})
    assert (http_status, result["status"], result["exit_code"]) == (200, status, exit_code)


def test_what_is_always_there(server):
    assert server.ask("GET", "/healthz")[::2] == (200, {"status": "ok"})
    assert server.ask("GET", "/readyz")[::2] == (200, {"status": "ready"})
    version = subprocess.run([CELLA, "version"], capture_output=True, text=True).stdout.split()[1]
    told = server.ask("GET", "/version")[2]
    assert told["version"] == version and "seccomp" in told["confinement"]


@pytest.mark.parametrize("path, words", [
    ("/v1/languages", ["languages", "--json"]),
    ("/v1/policies", ["policy", "list", "--json"]),
])
def test_what_the_command_line_tells_too(server, path, words):
    told = json.loads(subprocess.run([CELLA, *words], capture_output=True, check=True).stdout)
    assert server.ask("GET", path)[::2] == (200, told)
    assert server.problem("POST", path)[0] == 405


def test_a_connection_serves_again_and_again(server):
    connection = server.connect()
    for number in range(5):
        assert server.run(connection, language="bash", code=f"echo {number}")[2]["stdout"] == f"{number}\n"
        assert server.problem("GET", "/nothing", connection=connection)[0] == 404
        assert server.ask("GET", "/healthz", connection=connection)[0] == 200
        assert connection.sock is not None  # the same one


def test_requests_may_come_before_answers(server):
    body = json.dumps({"language": "bash", "code": "echo $((6 * 7))"}).encode()
    request = (b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body)) + body
    last = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    text = answer_to(server, request + request + last)
    assert text.count("HTTP/1.1 200 OK") == 3
    assert text.count('"stdout":"42\\n"') == 2
    assert text.endswith('}\n')


def test_head_has_no_body(server):
    status, headers, data = server.ask("HEAD", "/version")
    assert (status, data) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_http_1_0(server):
    text = answer_to(server, b"GET /version HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert text.startswith("HTTP/1.1 200 OK\r\n") and "Connection: close" in text


def test_chunked_body(server):
    parts = iter([b'{"language": "bash", ', b'"code": "echo 1', b'"}'])
    status, _, result = server.ask("POST", "/v1/runs", parts)
    assert (status, result["stdout"]) == (200, "1\n")


def test_a_body_that_is_waited_for(server):
    body = b'{"language": "bash", "code": ":"}'
    with server.raw() as connection:
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                           b"Content-Type: application/json\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(20).startswith(b"HTTP/1.1 200 OK")


def test_a_large_result_comes_whole_to_a_slow_reader(server):
    request = {"language": "python", "code": "print('x' * 20_000_000)",
               "limits": {"stdout_bytes": 32 << 20, "wall_ms": 60000}}
    slow = server.connect()
    slow.request("POST", "/v1/runs", json.dumps(request), {"Content-Type": "application/json"})
    response = slow.getresponse()
    data = response.read(1000)
    for _ in range(3):  # others are served meanwhile
        assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
    data += response.read()
    assert len(json.loads(data)["stdout"]) == 20_000_001


MUCH = {"language": "python", "code": "print('é\"\\t' * 12_000_000, end='')",
        "limits": {"stdout_bytes": 64 << 20, "wall_ms": 60000}}


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("rate", ["1G", "20M"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_large_result_holds_up_nobody(version, rate, accept, tmp_path):
    """Its JSON is made bit by bit: others are answered, and it is never held as a whole."""
    with Server() as server:
        assert server.run(language="python", code="1")[0] == 200
        before, most, slowest = server.memory(), 0, 0
        got = tmp_path / "got"
        with subprocess.Popen(["curl", "-s", version, "--limit-rate", rate, "-o", got, "-d", json.dumps(MUCH),
                               "-H", "Content-Type: application/json", "-H", f"Accept: {accept}",
                               f"http://127.0.0.1:{server.port}/v1/runs"]) as curl:
            while curl.poll() is None:
                begun = time.monotonic()
                assert server.ask("GET", "/healthz")[0] == 200
                slowest = max(slowest, time.monotonic() - begun)
                most = max(most, server.memory())
                time.sleep(0.005)
        assert curl.returncode == 0
        text = got.read_text()
        if accept == "text/event-stream":
            text = text.rpartition("event: result\ndata: ")[2]
            assert text.endswith("}\n\n")
        assert valid(json.loads(text))["stdout"] == 'é"\t' * 12_000_000
        assert most - before < 100_000_000
        assert slowest < 1


def test_a_large_result_by_http_1_0_ends_with_its_connection(server):
    body = json.dumps(MUCH)
    got = answer_to(server, f"POST /v1/runs HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    head, _, body = got.partition("\r\n\r\n")
    assert "Connection: close" in head and "Transfer-Encoding" not in head
    assert json.loads(body)["stdout"] == 'é"\t' * 12_000_000


def test_a_client_that_leaves_a_large_result(server):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            body = json.dumps(MUCH)
            connection.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert b"Transfer-Encoding: chunked" in connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
    wait_until(server.is_idle)


def test_over_the_unix_socket(server):
    status, _, result = server.run(UnixConnection(server.socket), language="bash", code="echo 1")
    assert (status, result["stdout"]) == (200, "1\n")
    curl = subprocess.run(["curl", "-s", "--unix-socket", server.socket, "http://x/healthz"],
                          capture_output=True)
    assert json.loads(curl.stdout) == {"status": "ok"}


# ---- languages ----

# Its interpreter says its version once a file is there.
HESITATING = """package: coreutils
extensions: [.hesitating]
path: [/usr/bin/env]
version: [/bin/sh, -c, "until test -e FILE; do sleep 0.01; done; echo 1.5"]
entry: main.hesitating
run: ["{path}", "{entry}"]
"""


@pytest.fixture(name="hesitating")
def hesitating_(tmp_path):
    """A server that knows that language, and the file."""
    runtimes = tmp_path / "config" / "cella" / "runtimes"
    runtimes.mkdir(parents=True)
    file = tmp_path / "go"
    (runtimes / "hesitating.yaml").write_text(HESITATING.replace("FILE", str(file)))
    with Server(environment={"XDG_CONFIG_HOME": str(tmp_path / "config"),
                             "XDG_CACHE_HOME": "/proc/none"}) as server:
        yield server, file


def ask_later(server, method, path, body=None):
    """A connection on which the answer will come, which has not come when others are answered."""
    connection = server.connect()
    connection.request(method, path, json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json"} if body is not None else {})
    assert server.ask("GET", "/healthz")[0] == 200
    assert not select.select([connection.sock], [], [], 0)[0]
    return connection


def test_others_are_answered_while_interpreters_are_asked(hesitating):
    server, file = hesitating
    waiting = [ask_later(server, "GET", "/v1/languages") for _ in range(2)]
    assert server.run(language="bash", code="echo meanwhile")[2]["stdout"] == "meanwhile\n"
    file.touch()
    for connection in waiting:
        listed = json.loads(connection.getresponse().read())["languages"]
        assert {language["name"]: language["version"] for language in listed}["hesitating"] == "1.5"
    wait_until(server.is_idle)


def test_pistons_clients_wait_for_what_there_is(hesitating):
    server, file = hesitating
    job = {"language": "bash", "version": "*", "files": [{"content": "echo $((6 * 7))"}]}
    runs = ask_later(server, "POST", "/api/v2/execute", job)
    lists = ask_later(server, "GET", "/api/v2/runtimes")
    ask_later(server, "GET", "/api/v2/packages").close()
    file.touch()
    assert json.loads(runs.getresponse().read())["run"]["stdout"] == "42\n"
    listed = json.loads(lists.getresponse().read())
    assert "1.5.0" in {runtime["version"] for runtime in listed}


def test_who_waits_for_languages_may_go_and_so_may_the_server(hesitating):
    server, _ = hesitating
    ask_later(server, "GET", "/v1/languages").close()
    left = ask_later(server, "GET", "/v1/languages")
    assert server.stop() == 0
    left.close()


# ---- events ----


def test_events(server):
    code = ("import sys, time\n"
            "print('one', flush=True); time.sleep(0.3)\n"
            "sys.stderr.buffer.write(b'\\xff\\n'); sys.stderr.flush(); time.sleep(0.3)\n"
            "sys.stdout.buffer.write('é'.encode()[:1]); sys.stdout.flush(); time.sleep(0.3)\n"
            "sys.stdout.buffer.write('é'.encode()[1:])\n"
            "sys.exit(3)")
    response = stream(server, {"language": "python", "code": code})
    assert response.getheader("Content-Type") == "text/event-stream"
    events = list(events_of(response))
    assert events[1:-1] == [
        ("stdout", {"data": "one\n", "encoding": "utf-8"}),
        ("stderr", {"data": base64.b64encode(b"\xff\n").decode(), "encoding": "base64"}),
        ("stdout", {"data": "é", "encoding": "utf-8"}),  # never half of a character
    ]
    (first, started), (last, result) = events[0], events[-1]
    assert (first, last) == ("started", "result")
    assert started == {"id": result["id"]}
    assert (result["status"], result["exit_code"]) == ("exit", 3)
    valid(result)


def test_events_end_with_half_a_character_as_it_is(server):
    code = "import sys; sys.stdout.buffer.write(b'a\\xc3')"
    events = list(events_of(stream(server, {"language": "python", "code": code})))
    assert [base64.b64decode(data["data"]) if data["encoding"] == "base64" else data["data"].encode()
            for name, data in events if name == "stdout"] in ([b"a", b"\xc3"], [b"a\xc3"])


def test_events_of_a_refusal_are_a_problem(server):
    response = stream(server, {"language": "nothing", "code": "1"})
    assert (response.status, response.getheader("Content-Type")) == (400, "application/problem+json")


def test_much_output_in_events_to_a_slow_reader(server):
    request = {"language": "python", "code": "print('x' * 20_000_000)",
               "limits": {"stdout_bytes": 32 << 20, "wall_ms": 60000}}
    response = stream(server, request)
    assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
    events = list(events_of(response))
    text = "".join(data["data"] for name, data in events if name == "stdout")
    assert text == "x" * 20_000_000 + "\n" == events[-1][1]["stdout"]


def test_a_run_is_cancelled_by_its_id(server):
    response = stream(server, SLEEP)
    events = events_of(response)
    run = next(events)[1]["id"]
    status, _, data = server.ask("DELETE", f"/v1/runs/{run}")
    assert (status, data) == (202, {"id": run})
    assert list(events)[-1][1]["status"] == "cancelled"
    assert server.problem("DELETE", f"/v1/runs/{run}") == (
        404, f"no run '{run}' is on its way", None)


# ---- refusals ----


@pytest.mark.parametrize("request_, status, type_, text, field", [
    ({}, 400, "caller", "the request says neither language nor command", "language"),
    ({"language": "pyhton", "code": "1"}, 400, "runtime", "unknown language 'pyhton'", "language"),
    ({"language": "python", "code": "1", "limits": {"wall_ms": 1e12}}, 403, "policy",
     "policy 'default' allows at most 5 min for wall_ms", "limits.wall_ms"),
    ({"language": "python", "code": "1", "policy": "none"}, 403, "policy",
     "unknown policy 'none'", "policy"),
])
def test_refused_requests_are_problems(server, request_, status, type_, text, field):
    got, headers, problem = server.ask("POST", "/v1/runs", request_)
    assert headers["Content-Type"] == "application/problem+json"
    assert (got, problem["status"], problem["type"]) == (status, status, f"urn:cella:error:{type_}")
    assert text in problem["detail"] and problem["field"] == field
    assert problem["title"] and set(problem) == {"type", "title", "status", "detail", "field", "hint"}


DEEP = b'{"language": ' + b"[" * 100000
HUGE = b'{"language": "python", "args": [' + b'"",' * 70000 + b'""]}'


@pytest.mark.parametrize("body, text", [
    (b"", "the request has no body"),
    (b" ", "not valid JSON"),
    (b"{", "not valid JSON"),
    (b'{"language": "python", "code": "1",}', "not valid JSON"),
    (b'{"language": "python"} {}', "not valid JSON"),
    (DEEP, "the JSON is nested more than 16 levels deep"),
    (HUGE, "the JSON has more than 65536 values"),
    (b'{"language": "python", "language": "bash"}', "duplicate"),
    (b'{"language": "\xff"}', "not valid JSON"),
    (b'{"language": "\\ud800"}', "not valid JSON"),
    (b'[1, 2]', "must be an object"),
    (b'{"languag": "python"}', "languag"),
])
def test_json_that_is_none(server, body, text):
    status, detail, _ = server.problem("POST", "/v1/runs", body)
    assert status == 400 and text in detail


def test_body_at_and_over_its_size(server):
    at = b'{"language": "bash", "code": ":"}'.ljust(64 << 20)
    assert server.ask("POST", "/v1/runs", at)[0] == 200
    over = server.raw()
    over.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % ((64 << 20) + 1))
    answer = over.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 413 Content Too Large\r\n")
    assert "the request's body has more than 64 MiB" in answer
    over.close()


def test_chunks_over_the_size_of_a_body(server):
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with server.raw() as connection:
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(64):
            connection.sendall(chunk)
        connection.sendall(chunk)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("method, path, status, text, allow", [
    ("GET", "/v1", 404, "there is nothing at /v1", None),
    ("GET", "/v1/runs/", 404, "there is nothing at /v1/runs/", None),
    ("GET", "/v1/../v1/runs", 404, "there is nothing at /v1/../v1/runs", None),
    ("GET", "//version", 404, "there is nothing at //version", None),
    ("POST", "/v1/runs/a/b", 404, "there is nothing at /v1/runs/a/b", None),
    ("PUT", "/v1/runs", 405, "/v1/runs has no method PUT", "POST, GET, HEAD"),
    ("BREW", "/v1/runs", 405, "/v1/runs has no method BREW", "POST, GET, HEAD"),
    ("POST", "/version", 405, "/version has no method POST", "GET, HEAD"),
    ("POST", "/v1/runs/x", 405, "/v1/runs/x has no method POST", "GET, HEAD, DELETE"),
])
def test_other_ways(server, method, path, status, text, allow):
    got, headers, problem = server.ask(method, path)
    assert (got, problem["detail"], headers["Allow"]) == (status, text, allow)


@pytest.mark.parametrize("headers, text", [
    ({"Host": "evil.example"}, "the Host 'evil.example' is not this host"),
    ({"Host": "evil.example:8420"}, "the Host 'evil.example:8420' is not this host"),
    ({"Host": "127.0.0.1.evil.example"}, "the Host '127.0.0.1.evil.example' is not this host"),
    ({"Host": "localhost:80a"}, "the Host 'localhost:80a' is not this host"),
    ({"Host": "[::2]"}, "the Host '[::2]' is not this host"),
    ({"Host": ""}, "the Host '' is not this host"),
    ({"Origin": "http://evil.example"}, "pages of 'http://evil.example' may not use this server"),
    ({"Origin": "null"}, "pages of 'null' may not use this server"),
    ({"Origin": "http://localhost:1"}, "pages of 'http://localhost:1' may not use this server"),
])
def test_pages_from_elsewhere(server, headers, text):
    for method, path in ("POST", "/v1/runs"), ("GET", "/version"), ("GET", "/nothing"):
        assert server.problem(method, path, headers=headers)[:2] == (403, text)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.1.2.3:5", "[::1]:8420"])
def test_this_host_by_its_names(server, host):
    for headers in {"Host": host}, {"Host": host, "Origin": f"http://{host}"}:
        assert server.ask("GET", "/version", headers=headers)[0] == 200


@pytest.mark.parametrize("type_", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_what_is_not_said_to_be_json(server, type_):
    connection = server.connect()
    connection.request("POST", "/v1/runs", b"{}", {"Content-Type": type_} if type_ else {})
    response = connection.getresponse()
    problem = json.loads(response.read())
    assert response.status == 415
    assert problem["detail"] == "the request's body is not said to be JSON"
    assert problem["hint"] == "send it with Content-Type: application/json"


HEAD = "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("request_, status, text", [
    ("x\r\n\r\n", 400, "the request line is not 'METHOD PATH HTTP/1.1'"),
    ("GET  / HTTP/1.1\r\n\r\n", 400, "the request line is not 'METHOD PATH HTTP/1.1'"),
    ("GET / HTTP/1.1 \r\n\r\n", 400, "the request line is not 'METHOD PATH HTTP/1.1'"),
    ("GET / FTP/1.1\r\n\r\n", 400, "the request line is not 'METHOD PATH HTTP/1.1'"),
    ("G(T / HTTP/1.1\r\n\r\n", 400, "the method is no word"),
    ("GET / HTTP/2.0\r\n\r\n", 505, "this server speaks HTTP/1.1 and HTTP/1.0"),
    ("GET http://localhost/ HTTP/1.1\r\n\r\n", 400, "the path does not begin with a slash"),
    ("CONNECT localhost:1 HTTP/1.1\r\n\r\n", 400, "the path does not begin with a slash"),
    ("GET /\xe9 HTTP/1.1\r\n\r\n", 400, "the path is not ASCII"),
    ("GET / HTTP/1.1\r\n\r\n", 400, "the request must have one Host header"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "the request must have one Host header"),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "a header is not 'Name: value'"),
    ("GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "a header is not 'Name: value'"),
    ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "a header is not 'Name: value'"),
    ("GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400, "a header has a control character in it"),
    ("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", 400, "a header has a control character in it"),
    ("GET /\0 HTTP/1.1\r\n\r\n", 400, "the request line has a control character in it"),
    ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 65 + "\r\n", 431, "the request has more than 64 headers"),
    ("GET / HTTP/1.1\r\nA: " + "b" * 16384, 431, "the request's head has more than 16384 bytes"),
    (HEAD + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     "the request has both Content-Length and Transfer-Encoding"),
    (HEAD + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400,
     "the length of the body is said more than once"),
    (HEAD + "Content-Length: 2, 2\r\n\r\n{}", 400, "Content-Length is no number"),
    (HEAD + "Content-Length: -1\r\n\r\n", 400, "Content-Length is no number"),
    (HEAD + "Content-Length: +2\r\n\r\n{}", 400, "Content-Length is no number"),
    (HEAD + "Content-Length: 0x2\r\n\r\n{}", 400, "Content-Length is no number"),
    (HEAD + "Content-Length: 99999999999999999999\r\n\r\n", 400, "Content-Length is no number"),
    (HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
     "of transfer codings this server knows 'chunked' alone"),
    (HEAD.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n", 400,
     "HTTP/1.0 has no Transfer-Encoding"),
    (HEAD + "Expect: tea\r\n\r\n", 417, "of expectations this server knows '100-continue' alone"),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "the chunks of the body are malformed"),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\n2\n{}", 400, "the chunks of the body are malformed"),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n", 400, "the chunks of the body are malformed"),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\n" + "1" * 17 + "\r\n", 400,
     "the chunks of the body are malformed"),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\n\r\n", 400, "the chunks of the body are malformed"),
])
def test_requests_that_cannot_be_read(server, request_, status, text):
    answer = answer_to(server, request_.encode("latin-1"))
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ") and "Connection: close" in head
    assert json.loads(body)["detail"] == text  # and nothing behind it


def test_an_upgrade_is_not_taken(server):
    text = answer_to(server, b"GET /version HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                             b"Connection: Upgrade, close\r\n\r\n")
    assert text.startswith("HTTP/1.1 200 OK\r\n")


# ---- clients that behave badly ----


@pytest.mark.parametrize("how", ["closed", "half-closed"])
@pytest.mark.parametrize("local", [True, False])
def test_a_client_that_goes_away_behind_its_next_request(server, how, local):
    """That is not read before the first one is answered."""
    before = server.logged("its client has gone")
    with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as raw:
        raw.connect(server.socket if local else ("127.0.0.1", server.port))
        body = json.dumps(SLEEP)
        raw.sendall((f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}" * 2).encode())
        wait_until(lambda: not server.is_idle())
        if how == "half-closed":
            raw.shutdown(socket.SHUT_WR)
        else:
            raw.close()
        wait_until(lambda: server.logged("its client has gone") == before + 1)
        wait_until(server.is_idle)


@pytest.mark.parametrize("how", ["closed", "reset", "half-closed"])
@pytest.mark.parametrize("events", [True, False])
def test_a_client_that_goes_away_ends_its_run(server, how, events):
    before = server.logged("its client has gone")
    connection = server.connect()
    if events:
        response, _ = start_sleeping(server, connection)
    else:
        connection.request("POST", "/v1/runs", json.dumps(SLEEP),
                           {"Content-Type": "application/json"})
        wait_until(lambda: not server.is_idle())
        response = None
    raw = connection.sock or response.fp.raw._sock
    if how == "half-closed":
        raw.shutdown(socket.SHUT_WR)
    elif how == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    if how != "half-closed":
        if response is not None:
            response.close()
        connection.close()
    wait_until(lambda: server.logged("its client has gone") == before + 1)
    wait_until(server.is_idle)  # the sandbox is gone
    connection.close()


def test_half_a_request_and_gone(server):
    for data in b"", b"POST", HEAD.encode() + b"Content-Length: 10\r\n\r\n{":
        with server.raw() as connection:
            connection.sendall(data)
    assert server.ask("GET", "/healthz")[0] == 200


def dribble(connection):
    """What is answered to a client that sends a byte now and then."""
    while not select.select([connection], [], [], 0.5)[0]:
        connection.sendall(b"a")
    return connection.recv(4096).decode()


def test_slow_heads_and_bodies_are_cut_off(server):
    """Together, since each takes its time, also when it goes on: ten seconds, and thirty."""
    started = time.monotonic()
    with server.raw() as head, server.raw() as body:
        head.sendall(b"GET /version HTTP/1.1\r\nA: ")
        body.sendall(HEAD.encode() + b"Content-Length: 1000\r\n\r\n{")
        data = dribble(head)
        assert 9 < time.monotonic() - started < 20
        assert data.startswith("HTTP/1.1 408 Request Timeout\r\n")
        assert "the request's head was not there after 10 s" in data
        data = dribble(body)
        assert 29 < time.monotonic() - started < 45
        assert data.startswith("HTTP/1.1 408 Request Timeout\r\n")
        assert "the request's body was not there after 30 s" in data


def test_ten_thousand_idle_connections_keep_nobody_out(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = hard - min(hard // 2, 4096)  # which server and tests have alike
    held = min(room - room // 10, 10000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = []
    try:
        for _ in range(held):
            idle.append(server.raw())
        assert server.run(UnixConnection(server.socket), language="bash",
                          code="echo 1")[2]["stdout"] == "1\n"
        for connection in idle[0], idle[-1]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        idle.append(server.raw())  # more than the server holds
        idle[1].settimeout(5)
        assert idle[1].recv(1) == b""  # the one that was idle for longest had to go
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle[-1].recv(15) == b"HTTP/1.1 200 OK"
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_tcp_makes_way_for_itself_alone():
    """Its share is full: then not those go who are idle on the Unix socket."""
    with Server(prefix=["prlimit", "--nofile=200"]) as server:  # 90 of 100 connections are TCP's
        local = UnixConnection(server.socket)
        assert server.ask("GET", "/healthz", connection=local)[0] == 200
        idle = [server.raw() for _ in range(91)]
        try:
            idle[0].settimeout(5)
            assert idle[0].recv(1) == b""
            local.request("GET", "/healthz")
            assert local.getresponse().read()  # by the same connection, which is not made anew
        finally:
            for connection in idle:
                connection.close()


def test_without_descriptors_tcp_makes_way_for_itself_alone():
    """Also where it is not the number of connections, but the process that has no room."""
    with Server() as server:
        local, remote = UnixConnection(server.socket), server.connect()
        for connection in local, remote:  # the first is idle for longer
            assert server.ask("GET", "/healthz", connection=connection)[0] == 200
        before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        with server.raw() as newcomer:
            remote.sock.settimeout(5)
            assert remote.sock.recv(1) == b""
            local.request("GET", "/healthz")
            assert local.getresponse().read()  # by the same connection, which is not made anew
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
            newcomer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert newcomer.recv(15) == b"HTTP/1.1 200 OK"


def test_too_many_runs_are_asked_to_come_again():
    request = json.dumps({"language": "bash", "code": "sleep 60"})
    headers = {"Content-Type": "application/json"}
    with Server() as server:
        own = UnixConnection(server.socket)
        connections = []
        for count, connect, ask in ((960, server.connect, server.connect()),
                                    (64, lambda: UnixConnection(server.socket), own)):
            assert server.ask("POST", "/v1/runs", {"language": "nothing", "code": "1"}, connection=own)[0] == 400
            for _ in range(count):
                connections.append(connect())
                connections[-1].request("POST", "/v1/runs", request, headers)
            wait_until(lambda: server.ask("POST", "/v1/runs", {"language": "nothing", "code": "1"},
                                          connection=ask)[0] == 429)
            status, got, problem = server.run(ask, language="bash", code=":")
            assert (status, got["Retry-After"]) == (429, "1")
            assert problem["type"] == "urn:cella:error:busy"
            assert problem["detail"] == f"the server has {len(connections)} runs, and takes no more now"
        assert server.ask("GET", "/readyz")[0] == 200
        for connection in connections:
            connection.close()
        wait_until(lambda: server.run(language="bash", code=":")[0] == 200)
        wait_until(server.is_idle)


# ---- who may connect ----


def test_the_socket_is_for_its_user_alone(server):
    mode = os.stat(server.socket).st_mode
    assert oct(mode & 0o777) == "0o600"


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_a_stranger_at_the_unix_socket():
    with Server() as server:
        os.chmod(server.directory, 0o755)
        os.chmod(server.socket, 0o666)
        asked = subprocess.run(
            [*USERS["user"], "curl", "-s", "--unix-socket", server.socket, "http://x/version"],
            capture_output=True)
        problem = json.loads(asked.stdout)
        assert (problem["status"], problem["detail"]) == (
            403, "this server is for the user that it runs as, and root")


# ---- beginning and end ----


def serve(*options, **more):
    """One that is to fail: exit code and what it says."""
    with tempfile.TemporaryDirectory(prefix="srv") as directory:
        done = subprocess.run([CELLA, "serve", "--state", f"{directory}/state", "--socket",
                               f"{directory}/s", "--listen", "none", *options],
                              capture_output=True, text=True, timeout=30, **more)
    return done.returncode, [line for line in done.stderr.splitlines()
                             if not re.search("Z (listens|ended|there are no keys)", line)]


@pytest.mark.parametrize("address", ["0.0.0.0:8420", "[::]:8420", "192.0.2.1:80", "[2001:db8::1]:80"])
def test_addresses_that_others_could_reach_are_refused(address):
    for words in ((), ("--check",)):
        assert serve("--listen", address, *words) == (126, [
            f"cella: {address} is for others than this host too, and there are no keys",
            "  hint: make one with 'cella key create NAME', or listen on 127.0.0.1 or [::1]"])


@pytest.mark.parametrize("address", ["", "8420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                                     "127.0.0.1:-1", "[::1:80", "example.org:80", ":80"])
def test_addresses_that_are_none(address):
    assert serve("--listen", address) == (126, [
        f"cella: --listen {address} is not an address and a port",
        "  hint: give it as 127.0.0.1:8420 or [::1]:8420, or 'none'"])


def test_several_addresses_and_the_environment():
    with tempfile.TemporaryDirectory(prefix="srv") as directory:
        environment = {"CELLA_LISTEN": "127.0.0.1:0,127.0.0.2:0"}
        with Server(directory=directory, environment=environment) as server:
            assert server.logged("listens on 127.0.0.1:") == 1  # options come before it
        env = {"PATH": "/usr/bin:/bin", "CELLA_SOCKET": f"{directory}/s", "CELLA_STATE": f"{directory}/t",
               "CELLA_LOG": f"{directory}/l", **environment}
        with subprocess.Popen([CELLA, "serve"], env=env) as process:
            try:
                wait_until(lambda: os.path.exists(f"{directory}/l")
                           and " ready" in open(f"{directory}/l").read())
                text = open(f"{directory}/l").read()
                assert f"listens on {directory}/s" in text
                assert "listens on 127.0.0.1:" in text and "listens on 127.0.0.2:" in text
            finally:
                process.terminate()
        assert process.returncode == 0
        assert not os.path.exists(f"{directory}/s")


@pytest.mark.parametrize("options, text", [
    (("--socket", "x" * 120), "the path of a socket has 1 to 107 bytes"),
    (("--socket", "/proc/none/s"), "cannot make the directory /proc/none"),
    (("--state", "/proc/none"), "cannot make the directory /proc/none"),
    (("--log", "/proc/none"), "cannot open the log /proc/none"),
    (("--listen", ",".join(["127.0.0.1:0"])), None),
])
def test_places_that_cannot_be(options, text):
    if text is None:
        return
    code, lines = serve(*options)
    assert code == 126 and lines[0].startswith(f"cella: {text}")


def test_a_second_server_is_refused(server):
    code, lines = serve("--socket", server.socket)
    assert (code, lines) == (126, [f"cella: another server answers at {server.socket}",
                                   "  hint: stop it, or give this one a place of its own with --socket"])
    code, lines = serve("--listen", f"127.0.0.1:{server.port}")
    assert code == 126
    assert lines[0] == f"cella: cannot listen on 127.0.0.1:{server.port}: Address already in use"
    code, lines = serve("--state", str(server.directory / "state"))
    assert (code, lines[0]) == (126, "cella: another server has the state directory "
                                     f"{server.directory}/state")
    assert server.ask("GET", "/readyz")[0] == 200  # it has lost nothing


def test_a_file_at_the_place_of_the_socket_stays(tmp_path):
    (tmp_path / "file").write_text("mine")
    code, lines = serve("--socket", str(tmp_path / "file"))
    assert (code, lines[0]) == (126, f"cella: {tmp_path}/file is there and is no socket")
    assert (tmp_path / "file").read_text() == "mine"


def test_killed_and_started_again():
    with tempfile.TemporaryDirectory(prefix="srv") as directory:
        first = Server(directory=directory)
        response, events = start_sleeping(first)
        below = first.keeper_and_runs
        assert len(below) > 1
        first.process.kill()
        first.process.communicate()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in below))
        assert [event for event in events] == []
        assert sorted(os.listdir(directory)) == ["log", "serve.sock", "state"]
        with Server(directory=directory) as second:
            assert second.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
        assert sorted(os.listdir(directory)) == ["log", "state"]


def test_a_signal_lets_runs_end():
    with Server() as server:
        waiting = server.connect()
        assert server.ask("GET", "/readyz", connection=waiting)[0] == 200
        code = "import time; print('up', flush=True); time.sleep(1.5); print('end')"
        response = stream(server, {"language": "python", "code": code})
        events = events_of(response)
        assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        status, headers, problem = server.ask("GET", "/readyz", connection=waiting)
        assert (status, problem["detail"]) == (503, "the server is about to end")
        assert headers["Connection"] == "close"
        with pytest.raises(ConnectionRefusedError):
            server.raw()
        assert not os.path.exists(server.socket)
        result = list(events)[-1][1]
        assert (result["status"], result["stdout"]) == ("ok", "up\nend\n")
        assert server.process.wait(timeout=10) == 0


def test_a_second_signal_ends_at_once():
    with Server() as server:
        response, events = start_sleeping(server)
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        server.process.send_signal(signal.SIGTERM)
        [(name, result)] = list(events)
        assert (name, result["status"], result["stdout"]) == ("result", "cancelled", "up\n")
        assert server.process.wait(timeout=10) == 128 + signal.SIGTERM


def test_who_waits_for_a_result_gets_it_at_a_second_signal():
    with Server() as server:
        connection = server.connect()
        connection.request("POST", "/v1/runs", json.dumps(SLEEP), {"Content-Type": "application/json"})
        wait_until(lambda: not server.is_idle())
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        server.process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, json.load(response)["status"]) == (200, "cancelled")
        assert server.process.wait(timeout=10) == 128 + signal.SIGTERM


def test_the_log_goes_on_in_a_new_file():
    with Server() as server:
        old = server.log.rename(server.directory / "log.1")
        assert server.run(language="bash", code=":")[0] == 200
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.logged("goes on in a new file"))
        assert server.run(language="bash", code=":")[0] == 200
        assert old.read_text().count("POST /v1/runs 200") == 1 == server.logged("POST /v1/runs 200")


@pytest.mark.parametrize("variable", ["CELLA_POOL_MEMORY", "CELLA_COMPILE_CACHE", "CELLA_HISTORY",
                                      "CELLA_HISTORY_DAYS"])
def test_every_option_has_its_variable(variable):
    code, lines = serve(env={"PATH": "/usr/bin:/bin", variable: "bogus"})
    assert code == 126 and lines[0].startswith(f"cella: {variable}=bogus is no")


def test_a_policy_that_is_changed_holds_at_once(tmp_path):
    """Within a second: no server needs to be started again."""
    policy = tmp_path / "cella" / "policies" / "lab.yaml"
    policy.parent.mkdir(parents=True)

    def write(text):
        policy.write_text(text)
        time.sleep(1.1)

    write("limits: {wall_ms: {cap: 30s}}\n")
    with Server(environment={"XDG_CONFIG_HOME": str(tmp_path)}) as server:
        request = {"policy": "lab", "language": "bash", "code": ":", "limits": {"wall_ms": 25000}}
        assert server.run(**request)[0] == 200
        write("limits: {wall_ms: {cap: 20s}}\n")
        status, _, problem = server.run(**request)
        assert (status, problem["field"]) == (403, "limits.wall_ms")
        write("languages: [ruby]\n")
        assert server.run(**request)[0] == 403
        write("nonsense: [\n")
        assert server.run(**request)[0] in (400, 500)
        policy.unlink()
        time.sleep(1.1)
        assert server.run(**request)[2]["detail"].startswith("unknown policy 'lab'")
        write("limits: {wall_ms: {cap: 30s}}\n")
        assert server.run(**request)[0] == 200


@pytest.mark.parametrize("cpus, status", [(0.001, 400), (0.009, 400), (0.01, 200), (0, 400)])
def test_the_smallest_share_of_a_processor(server, cpus, status):
    got, _, body = server.run(language="bash", code=":", limits={"cpus": cpus, "wall_ms": 20000})
    assert (got, body.get("field")) == (status, "limits.cpus" if status == 400 else None)


def test_an_idle_server_ends_at_once():
    with Server() as server:
        with server.raw():
            assert server.stop(signal.SIGINT, seconds=5) == 0


def test_a_killed_keeper_is_replaced():
    with Server() as server:
        response, events = start_sleeping(server)
        waiting = server.connect()
        twice = {"language": "bash", "code": "sleep 2; echo done"}
        waiting.request("POST", "/v1/runs", json.dumps(twice), {"Content-Type": "application/json"})
        wait_until(lambda: server.has_processes(4))  # two of each
        [keeper] = [pid for pid in server.keeper_and_runs
                    if open(f"/proc/{pid}/comm").read() == "cella-keeper\n"
                    and int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
                    == server.process.pid]
        os.kill(keeper, signal.SIGKILL)
        assert list(events)[-1][1]["status"] == "internal"  # something was told of it
        result = json.load(waiting.getresponse())
        valid(result)
        assert (result["status"], result["stdout"], result["attempts"]) == ("ok", "done\n", 2)
        wait_until(lambda: server.logged(" ready") == 2)
        assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"
    # The new keeper came while the old one's sandbox was still ending: the next one cleans up.
    subprocess.run([CELLA, "run", "--no-server", "-l", "command", "--", "/bin/true"], check=True)


def test_not_ready_before_a_program_has_run(tmp_path):
    """A keeper that lets itself be waited for."""
    os.chmod(tmp_path, 0o755)
    os.mkfifo(tmp_path / "begin")
    os.symlink(BUILD / "share", tmp_path / "share")
    keeper = tmp_path / "keeper"
    keeper.write_text(f"#!/bin/sh\nread x <{tmp_path}/begin\nexec {BUILD}/cella-keeper\n")
    keeper.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="srv") as directory:
        process = subprocess.Popen(
            [CELLA, "serve", "--listen", "none", "--socket", f"{directory}/s", "--state", directory],
            env={"PATH": "/usr/bin:/bin", "CELLA_KEEPER": str(keeper)}, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(f"{directory}/s"))

        def ask(method, path, body=None):
            connection = UnixConnection(f"{directory}/s")
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.getheader("Retry-After")

        for asked in ("GET", "/readyz"), ("POST", "/v1/runs", b"{}"):
            status, problem, retry = ask(*asked)
            assert (status, problem["detail"], retry) == (503, "the server is starting", "1")
        assert ask("GET", "/healthz")[0] == 200
        done = subprocess.run([CELLA, "run", "-l", "bash", "-c", "echo 1"], capture_output=True,
                              stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/bin:/bin", "CELLA_SOCKET": f"{directory}/s"})
        assert (done.stdout, done.stderr) == (b"1\n", b"")  # by itself
        (tmp_path / "begin").write_text("go\n")
        wait_until(lambda: ask("GET", "/readyz")[0] == 200)
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_answers_that_nobody_takes_are_not_piled_up():
    request = json.dumps({"language": "python", "code": "print('x' * 125_000_000)",
                          "limits": {"stdout_bytes": 128 << 20, "wall_ms": 60000}})
    with Server() as server:
        waiting = []
        for _ in range(4):
            connection = server.connect()
            connection.request("POST", "/v1/runs", request, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status == 200
            waiting.append((connection, response))
        assert server.problem("POST", "/v1/runs", {"language": "bash", "code": ":"}) == (
            429, "too many large results wait for their readers", None)
        assert server.run(UnixConnection(server.socket), language="bash", code=":")[0] == 200  # which has a share
        for connection, response in waiting:
            response.close()
            connection.close()
        wait_until(lambda: server.run(language="bash", code=":")[0] == 200)


def test_large_requests_leave_room_to_the_socket():
    with Server() as server, contextlib.ExitStack() as stack:
        head = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for _ in range(3):  # each holds 64 MiB, of 192
            slow = stack.enter_context(server.raw())
            slow.sendall(head + b"Content-Length: 67000000\r\n\r\n" + b" " * (33 << 20))
        large = json.dumps({"language": "bash", "code": "wc -c", "stdin": "x" * 2_000_000})
        wait_until(lambda: b"\ncella_body_bytes 201326592\n" in server.ask("GET", "/metrics")[2])
        assert server.problem("POST", "/v1/runs", large) == (429, "too many large requests at one time", None)
        own = UnixConnection(server.socket)
        assert server.ask("POST", "/v1/runs", large, connection=own)[2]["stdout"] == "2000000\n"


def test_answers_that_were_taken_or_left_are_not_counted():
    """Of each nothing is counted any more at the end, which the server itself looks at."""
    with Server() as server:
        assert server.run(language="bash", code="echo 1")[0] == 200
        for _ in range(3):
            connection = server.connect()
            connection.connect()
            raw = connection.sock
            response = stream(server, {"language": "python", "code": "print('x' * 16_000_000)",
                                       "limits": {"stdout_bytes": 16 << 20}}, connection)
            assert response.read(100_000)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            response.close()
            connection.close()
        assert server.run(language="bash", code="echo 1")[0] == 200
        wait_until(server.is_idle)


def test_a_server_that_cannot_work_says_why():
    environment = {"CELLA_KEEPER": "/bin/true", "PATH": "/usr/bin:/bin"}
    code, lines = serve(env=environment)
    assert code == 125
    assert "cella: the keeper has ended unexpectedly, with exit code 0" in lines


@pytest.mark.parametrize("user", USERS)
def test_for_every_user(user):
    with Server(user=user) as server:
        status, _, result = server.run(language="python", code="print(6 * 7)")
        assert (status, result["stdout"]) == (200, "42\n")


@pytest.mark.parametrize("page", ["serve", "batches"])
def test_the_page_about_it_is_true(page, tmp_path):
    """Its examples, in order, in a shell: each prints what stands below it."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    with Server("--listen", "127.0.0.1:0") as server:
        for block in text.split("```console\n")[1:]:
            lines = block.split("```")[0].replace("127.0.0.1:8420", f"127.0.0.1:{server.port}")
            lines = lines.replace("/run/cella/serve.sock", server.socket).splitlines()
            command, expected = lines[0], lines[1:]
            while command.endswith("\\") or command.count("'") % 2 == 1:  # the shell goes on, too
                command += "\n" + expected.pop(0)
            done = subprocess.run(["bash", "-c", command.removeprefix("$ ")], capture_output=True,
                                  text=True, cwd=tmp_path, timeout=60)
            assert done.stdout.splitlines() == expected, (command, done.stderr)
