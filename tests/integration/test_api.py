"""The documents that the server gives of itself, held against linters and against the server.

Prism, a proxy, stands between the client here and the server, and answers with a violation whenever
the one or the other does what the document does not say.
"""
import http.client
import json
import re
import socket
import subprocess

import jsonschema
import pytest

import websocket

from npm import npm_modules
from program import BUILD, ROOT
from server import Server, events_of, wait_until

TOOLS = ["@stoplight/spectral-cli@6.16.3", "@stoplight/prism-cli@5.14.2"]
VIOLATIONS = "https://stoplight.io/prism/errors"

PYTHON = {"language": "python", "code": "print(1)"}
BATCH = {"program": PYTHON, "tests": [{"expected_output": "1", "stdin": "x", "name": "one"}],
         "comparison": {"mode": "numeric", "absolute": 0.1}, "parallel": 2, "stop_on_failure": True}
# What is asked for, and the status of the answer, by the name of what handles it.
GOOD = [
    ("runs_post", 200, PYTHON, {}),
    ("runs_post", 200, {**PYTHON, "files": [{"path": "a", "content": "b"}], "collect": ["*"],
                        "limits": {"wall_ms": 2000}, "interleave": True, "tag": "mine"}, {}),
    ("runs_post", 200, {"language": "c", "code": "int main(void) { return x; }"}, {}),
    ("runs_post", 200, {"language": "python", "code": "1/0"}, {}),
    ("runs_post", 200, {"command": ["/bin/sh", "-c", "kill -9 $$"]}, {}),
    ("runs_post", 200, {"language": "bash", "code": "sleep 9", "limits": {"wall_ms": 100}}, {}),
    ("runs_post", 200, PYTHON, {"Accept": "text/event-stream"}),
    ("runs_post", 202, PYTHON, {"Prefer": "respond-async"}),
    ("runs_post", 400, {"language": "pyhton", "code": ""}, {}),
    ("runs_post", 403, {**PYTHON, "limits": {"memory_bytes": 2 ** 40}}, {}),
    ("batches_post", 200, BATCH, {}),
    ("batches_post", 200, {"program": PYTHON, "tests": [{"expected_output": "2"}]}, {}),
    ("batches_post", 200, {**BATCH, "program": {"language": "c", "code": "x"}}, {}),
    ("batches_post", 200, BATCH, {"Accept": "text/event-stream"}),
    ("batches_post", 400, {"program": {"language": "pyhton", "code": ""}, "tests": [{}]}, {}),
    ("batches_get", 404, None, {}),
    ("batches_delete", 404, None, {}),
    ("runs_get", 404, None, {}),
    ("runs_delete", 404, None, {}),
    ("interactive_get", 426, None, {}),
    ("runs_list", 200, None, {}),
    ("runs_export", 200, None, {}),
    ("runs_count", 200, None, {}),
    ("information_languages", 200, None, {}),
    ("information_policies", 200, None, {}),
    ("information_pools", 200, None, {}),
    ("information_health", 200, None, {}),
    ("information_readiness", 200, None, {}),
    ("information_version", 200, None, {}),
    ("information_metrics", 200, None, {}),
    ("information_openapi", 200, None, {}),
    ("information_asyncapi", 200, None, {}),
    ("execute_root", 200, None, {}),
    ("execute_health", 200, None, {}),
    ("execute_post", 200, {"generated_code": "print(1)", "timeout": 10, "language": "python"}, {}),
    ("execute_post", 200, {"generated_code": "1/0", "std_input": "x", "max_output_characters": 9}, {}),
    ("execute_post", 200, {"generated_code": "while True: pass", "timeout": 0.5}, {}),
    ("execute_post", 400, {"generated_code": "", "language": "cobol"}, {}),
    ("execute_post", 200, {"language": "py", "version": "*", "files": [{"content": "print(1)"}]}, {}),
    ("execute_post", 400, {"language": "cobol", "version": "*", "files": []}, {}),
    ("execute_sessions", 200, None, {}),
    ("execute_delete_session", 404, None, {}),
] + [entry for below in ("piston", "piston_below") for entry in (
    (f"{below}_runtimes", 200, None, {}),
    (f"{below}_execute", 200, {"language": "py", "version": "*", "files": [{"content": "print(1)"}],
                               "stdin": "x", "args": ["a"], "run_timeout": 2000}, {}),
    (f"{below}_execute", 200, {"language": "c", "version": "*", "files": [{"content": "x"}]}, {}),
    (f"{below}_execute", 200, {"language": "bash", "version": "*", "run_timeout": 200,
                               "files": [{"name": "a.sh", "content": "sleep 9"}]}, {}),
    (f"{below}_execute", 400, {"language": "cobol", "version": "*", "files": []}, {}),
    (f"{below}_connect", 426, None, {}),
    (f"{below}_packages", 200, None, {}),
    (f"{below}_install", 500, {"language": "python", "version": "*"}, {}),
    (f"{below}_install", 404, {"language": "cobol", "version": "*"}, {}),
    (f"{below}_remove", 500, {"language": "python", "version": "*"}, {}),
    (f"{below}_remove", 404, {"language": "cobol", "version": "*"}, {}),
)]


@pytest.fixture(scope="module", name="tools")
def tools_():
    return npm_modules(*TOOLS)


@pytest.fixture(scope="module", name="server")
def server_():
    with Server("--pool-memory", "64m") as server:
        yield server


@pytest.fixture(scope="module", name="document")
def document_(server):
    return server.ask("GET", "/openapi.json")[2]


@pytest.fixture(scope="module", name="asyncapi")
def asyncapi_(server):
    return server.ask("GET", "/asyncapi.json")[2]


def operations(document):
    """Method, path and operation by name."""
    return {operation["operationId"]: (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Prism:
    """Two of them: one refuses wrong requests, and one lets them through to see their answers."""

    def __init__(self, tools, document, server, directory):
        file = directory / "openapi.json"
        file.write_text(json.dumps(document))
        self.strict, self.lenient = free_port(), free_port()
        program = tools / ".bin" / "prism"
        self.processes = [
            subprocess.Popen([program, "proxy", file, f"http://127.0.0.1:{server.port}", "--errors",
                              "--port", str(port), *more], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for port, more in ((self.strict, []), (self.lenient, ["--validate-request", "false"]))]

    def wait(self):
        for port in (self.strict, self.lenient):
            wait_until(lambda port=port: not socket.socket().connect_ex(("127.0.0.1", port)), 60)

    def ask(self, port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        given = {"Content-Type": "application/json"} if body is not None else {}
        text = body if body is None else json.dumps(body)
        connection.request(method, path, text, {**given, **(headers or {})})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module", name="prism")
def prism_(tools, document, server, tmp_path_factory):
    prism = Prism(tools, document, server, tmp_path_factory.mktemp("prism"))
    try:
        prism.wait()
        yield prism
    finally:
        prism.end()


def lint(tools, document, directory):
    """What Spectral has to say of it, by tests/spectral.yaml."""
    file = directory / "document.json"
    found = directory / "found.json"
    file.write_text(json.dumps(document, indent=1))
    done = subprocess.run([tools / ".bin" / "spectral", "lint", "--format", "json",
                           "--output", found, "--ruleset", ROOT / "tests" / "spectral.yaml", file],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [(problem["code"], problem["message"], problem["path"])
            for problem in json.loads(found.read_text())]


@pytest.mark.programs
def test_openapi_is_clean(tools, document, tmp_path):
    assert not lint(tools, document, tmp_path)


@pytest.mark.programs
def test_asyncapi_is_clean(tools, asyncapi, tmp_path):
    assert not lint(tools, asyncapi, tmp_path)


@pytest.mark.programs
def test_the_linter_finds_something(tools, document, tmp_path):
    broken = json.loads(json.dumps(document))
    broken["paths"]["/healthz"]["get"]["summary"] = 5
    assert "oas3-schema" in {code for code, _, _ in lint(tools, broken, tmp_path)}


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_the_document_is_what_the_program_prints(server, name):
    printed = subprocess.run([BUILD / "cella-serve", name], stdout=subprocess.PIPE, timeout=30,
                             check=True).stdout
    assert json.loads(printed) == server.ask("GET", f"/{name}.json")[2]


def test_names_are_unique_and_methods_there(server, document):
    """The server refuses a method that the document does not have, and takes no other path."""
    names = [operation["operationId"] for methods in document["paths"].values()
             for operation in methods.values()]
    assert len(names) == len(set(names))
    for path, methods in document["paths"].items():
        wanted = {method.upper() for method in methods}
        status, headers, _ = server.ask("BREW", re.sub(r"\{.*?\}", "x", path))
        if path.startswith("/api/v2/"):
            assert status == 404  # as Piston has it
            continue
        assert status == 405
        allowed = headers["Allow"].split(", ")
        assert set(allowed) >= wanted, path  # "{id}" stands for others too
        assert len(allowed) == len(set(allowed)), path


def test_every_parameter_behind_the_question_mark_is_known(server, document):
    values = {"status": "ok", "since": "2026-01-01", "until": "2026-01-02", "limit": "5"}
    for method, path, operation in operations(document).values():
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and method == "GET" and "{" not in path:
                name = parameter["name"]
                status, _, data = server.ask(method, f"{path}?{name}={values.get(name, 'x')}")
                assert status == 200, data


def test_the_server_does_what_the_document_says(prism, document):
    known = operations(document)
    for name, wanted, body, headers in GOOD:
        method, path, operation = known[name]
        path = re.sub(r"\{.*?\}", "none", path)
        status, data = prism.ask(prism.strict, method, path, body, headers)
        assert VIOLATIONS.encode() not in data, (method, path, data)
        assert status == wanted, (method, path, data)
        assert str(status) in operation["responses"]


def test_every_route_was_driven(document):
    driven = {name for name, status, _, _ in GOOD if status < 300 or status == 426}
    driven |= {"runs_get", "runs_delete", "batches_get", "batches_delete"}  # below
    driven |= {"execute_delete_session"}  # nothing lives on that could be ended
    driven |= {f"piston{below}_{what}" for below in ("", "_below") for what in ("install", "remove")}
    assert driven == set(operations(document))


@pytest.mark.parametrize("path, request_, verdict", [
    ("/v1/runs", {"language": "bash", "code": "sleep 30"}, ("status", "cancelled")),
    ("/v1/batches", {"program": {"language": "bash", "code": "sleep 30"},
                     "tests": [{"stdin": "a", "expected_output": "b"}]}, ("verdict", "cancelled")),
])
def test_one_from_its_acceptance_to_its_end(prism, path, request_, verdict):
    status, data = prism.ask(prism.strict, "POST", path, request_, {"Prefer": "respond-async"})
    assert status == 202, data
    path = f"{path}/{json.loads(data)['id']}"
    assert prism.ask(prism.strict, "GET", path)[0] == 202
    assert prism.ask(prism.strict, "DELETE", path)[0] == 202
    wait_until(lambda: prism.ask(prism.strict, "GET", path)[0] != 202)
    status, data = prism.ask(prism.strict, "GET", path)
    assert (status, json.loads(data)[verdict[0]]) == (200, verdict[1]), data
    status, data = prism.ask(prism.strict, "GET", "/v1/runs?limit=1000")
    assert status == 200, data


@pytest.mark.parametrize("method, path, body, headers, wanted", [
    ("POST", "/v1/runs", {"language": "python", "code": 1}, {}, 400),
    ("POST", "/v1/runs", {"language": "cobol", "code": ""}, {}, 400),
    ("POST", "/v1/runs", {}, {"Content-Type": "text/plain"}, 415),
    ("GET", "/v1/runs?limit=0", None, {}, 400),
    ("GET", "/v1/runs?since=yesterday", None, {}, 400),
    ("GET", "/v1/runs?what=x", None, {}, 400),
    ("GET", "/v1/stats?until=x", None, {}, 400),
    ("GET", "/healthz", None, {"Origin": "http://elsewhere.example"}, 403),
])
def test_refusals_are_as_the_document_says(prism, method, path, body, headers, wanted):
    status, data = prism.ask(prism.lenient, method, path, body, headers)
    assert VIOLATIONS.encode() not in data, data
    assert (status, json.loads(data)["status"]) == (wanted, wanted), data


@pytest.mark.parametrize("path, body, headers, wanted, told", [
    ("/execute", {"generated_code": 1}, {}, 400, {"process_status", "stdout", "stderr"}),
    ("/execute", {}, {"Content-Type": "text/plain"}, 400, {"process_status", "stdout", "stderr"}),
    ("/execute", {}, {"Origin": "http://elsewhere.example"}, 403,
     {"process_status", "stdout", "stderr"}),
    ("/api/v2/execute", {"language": 1}, {}, 400, {"message"}),
    ("/api/v2/execute", {}, {"Content-Type": "text/plain"}, 415, {"message"}),
    ("/api/v2/execute", {}, {"Origin": "http://elsewhere.example"}, 403, {"message"}),
])
def test_contracts_refuse_as_the_document_says(prism, path, body, headers, wanted, told):
    status, data = prism.ask(prism.lenient, "POST", path, body, headers)
    assert VIOLATIONS.encode() not in data, data
    assert (status, set(json.loads(data))) == (wanted, told), data


def test_what_is_forbidden_has_the_status_that_the_document_says(document):
    """By contracts it is the request's fault, and 403 is only for who may not ask at all."""
    for _, path, operation in operations(document).values():
        is_contract = operation["tags"][0] in ("execute", "piston")
        told = {status: answer["description"] for status, answer in operation["responses"].items()}
        assert ("the policy forbids it" in told["400"]) == is_contract, path
        assert ("the policy forbids it" in told["403"]) != is_contract, path
        assert "this client may not ask" in told["403"]
        assert path != "/execute" or "415" not in told  # but 400


@pytest.mark.parametrize("body", [{"language": "python", "code": 1}, {"code": "print(1)"},
                                  {**PYTHON, "what": 1}, {**PYTHON, "limits": {"wall_ms": -1}}])
def test_the_document_refuses_what_the_server_refuses(prism, server, body):
    status, data = prism.ask(prism.strict, "POST", "/v1/runs", body)
    assert status == 422 and VIOLATIONS.encode() in data
    assert server.ask("POST", "/v1/runs", body)[0] == 400


# ---- events and messages ----

def payload_of(asyncapi, operation, name):
    """Checks what a message of an operation carries, which must be among those that it has."""
    channel = asyncapi["operations"][operation]["channel"]["$ref"].rpartition("/")[2]
    names = [message["$ref"].rpartition("/")[2]
             for message in asyncapi["operations"][operation]["messages"]]
    assert name in names
    payload = asyncapi["channels"][channel]["messages"][name]["payload"]
    return jsonschema.Draft202012Validator({**payload, "components": asyncapi["components"]})


WRITES = "import sys; print('out'); sys.stdout.flush(); sys.stderr.buffer.write(b'\\xff')"


def test_events_are_as_the_document_says(server, asyncapi):
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps({"language": "python", "code": WRITES}),
                       {"Content-Type": "application/json", "Accept": "text/event-stream"})
    seen = set()
    for name, data in events_of(connection.getresponse()):
        payload_of(asyncapi, "events", name).validate(data)
        seen.add(name)
    assert seen == {"started", "stdout", "stderr", "result"}


def test_events_of_a_batch_are_as_the_document_says(server, asyncapi):
    connection = server.connect()
    batch = {"program": {"language": "python", "code": "print(input())"}, "stop_on_failure": True,
             "parallel": 1, "tests": [{"stdin": "a", "expected_output": "a"}, {"stdin": "b"},
                                      {"stdin": "c", "expected_output": "d"}, {"stdin": "e"}]}
    connection.request("POST", "/v1/batches", json.dumps(batch),
                       {"Content-Type": "application/json", "Accept": "text/event-stream"})
    seen = []
    for name, data in events_of(connection.getresponse()):
        payload_of(asyncapi, "batch_events", name).validate(data)
        seen.append(name)
    assert seen == ["started", "test", "test", "test", "result"]
    wrong = {**data["tests"][0], "verdict": "fine"}
    assert not payload_of(asyncapi, "batch_events", "test").is_valid(wrong)


def talk(server, asyncapi, *messages):
    """What comes back, by the types of it."""
    client = websocket.create_connection(f"ws://127.0.0.1:{server.port}/v1/runs/interactive",
                                         timeout=30)
    for message in messages:
        name = message.get("type", "request")
        if name != "unknown":
            payload_of(asyncapi, "take", name).validate(message)
        client.send(json.dumps(message))
    seen = set()
    while text := client.recv():
        frame = json.loads(text)
        payload_of(asyncapi, "tell", frame["type"]).validate(frame)
        seen.add(frame["type"])
    client.close()
    return seen


def test_messages_are_as_the_document_says(server, asyncapi):
    request = {"language": "python", "code": f"{WRITES}; sys.stdin.read()"}
    assert talk(server, asyncapi, request, {"type": "stdin", "data": "line"},
                {"type": "stdin", "data": "AAA=", "encoding": "base64"},
                {"type": "eof"}) == {"started", "stdout", "stderr", "result"}
    assert "problem" in talk(server, asyncapi, request, {"type": "unknown"})
    assert talk(server, asyncapi, {"language": "pyhton", "code": ""}) == {"problem"}


def test_the_document_has_every_message(asyncapi):
    names = {operation: {message["$ref"].rpartition("/")[2] for message in said["messages"]}
             for operation, said in asyncapi["operations"].items()}
    assert names["events"] == {"started", "stdout", "stderr", "result"}
    assert names["batch_events"] == {"started", "test", "result"}
    assert names["tell"] == names["events"] | {"problem"}
    assert names["take"] >= {"request", "stdin", "eof"}
