"""The audit log: who did what, a line each, and what becomes of it when it cannot be written."""
import hashlib
import json
import os
import re
import signal
import subprocess

import pytest
from program import IS_ROOT
from server import Server, UnixConnection, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Audited(Server):
    def __init__(self, directory, *options, audit=None, **more):
        self.audit = audit or directory / "audit.jsonl"
        super().__init__("--audit", str(self.audit), *options, directory=directory, **more)

    def lines(self, event=None, **wanted):
        """Each as JSON; in them is nothing but printable ASCII."""
        text = self.audit.read_bytes()
        assert re.fullmatch(rb"([ -~]*\n)*", text), text
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            assert TIME.fullmatch(line["time"])
        return [line for line in lines if event in (None, line["event"])
                and all(line.get(name) == value for name, value in wanted.items())]


@pytest.fixture(scope="module", name="server")
def server_(tmp_path_factory):
    with Audited(tmp_path_factory.mktemp("audit")) as running:
        yield running


def test_it_is_for_its_owner_alone(server):
    assert server.audit.stat().st_mode & 0o777 == 0o600


def test_a_run_from_its_creation_to_its_end(server):
    body = json.dumps({"language": "bash", "code": "exit 3"})
    result = server.ask("POST", "/v1/runs", body, {"X-Request-Id": "audited"})[2]
    created, ended = server.lines(run=result["id"], request_id="audited")[-2:]
    assert created.items() >= {
        "event": "run.created", "language": "bash", "policy": "default", "request": "POST /v1/runs",
        "policy_digest": result["policy"]["digest"], "plan_digest": result["plan_digest"],
        "request_digest": hashlib.sha256(body.encode()).hexdigest()}.items()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", created["client"]) and "tenant" not in created
    assert ended.items() >= {"event": "run.ended", "status": "exit", "detail": result["message"]}.items()
    assert created["trace_id"] == ended["trace_id"] and created["sequence"] < ended["sequence"]


def test_who_asked_by_the_unix_socket(server):
    connection = UnixConnection(server.socket)
    id_ = server.run(connection, language="bash", code=":")[2]["id"]
    assert server.lines("run.created", run=id_, tenant="local", client=f"user {os.getuid()}")


def test_who_asked_for_the_runs_of_a_batch(server):
    batch = {"program": {"language": "bash", "code": "cat"}, "tests": [{"stdin": "a"}, {"stdin": "b"}]}
    client = f"user {os.getuid()}"
    result = server.ask("POST", "/v1/batches", batch, connection=UnixConnection(server.socket))[2]
    for test in result["tests"]:
        assert server.lines("run.created", run=test["run"]["id"], tenant="local", client=client)


def test_limits_and_refused_calls(server):
    code = ("import ctypes; libc = ctypes.CDLL(None); print(libc.mount(0, 0, 0, 0, 0));"
            "print('x' * 5000)")
    result = server.run(language="python", code=code, limits={"stdout_bytes": 100})[2]
    assert result["limits_hit"] == ["output"] and result["refused_calls"]
    told = ", ".join(f"{call['name']} {call['count']}" for call in result["refused_calls"])
    assert server.lines("run.limit_hit", run=result["id"], detail="output", status="ok")
    assert server.lines("run.calls_refused", run=result["id"], detail=told)
    result = server.run(language="bash", code="sleep 9", limits={"wall_ms": 100})[2]
    assert server.lines("run.limit_hit", run=result["id"], detail="wall_time", status="wall_time")


def test_what_is_cancelled_and_exported(server):
    id_ = server.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 60"},
                     {"Prefer": "respond-async"})[2]["id"]
    assert server.ask("DELETE", f"/v1/runs/{id_}", headers={"X-Request-Id": "ender"})[0] == 202
    assert server.lines("run.cancelled", run=id_, request_id="ender")
    batch = {"program": {"language": "bash", "code": "sleep 60"}, "tests": [{}]}
    path = server.ask("POST", "/v1/batches", batch, {"Prefer": "respond-async"})[1]["Location"]
    assert server.ask("DELETE", path)[0] == 202
    assert server.lines("run.cancelled", run=path.rpartition("/")[2], request=f"DELETE {path}")
    wait_until(lambda: server.lines("run.ended", run=id_, status="cancelled"))
    server.ask("GET", "/v1/runs/export?status=exit")
    assert server.lines("history.exported", detail="status=exit")


def test_what_is_denied(server):
    server.ask("GET", "/v1/runs", headers={"Host": "elsewhere"})
    assert server.lines("request.denied", code=403, request="GET /v1/runs",
                        detail="the Host 'elsewhere' is not this host")
    server.run(language="bash", code=":", limits={"memory_bytes": 1 << 35})
    assert server.lines("request.denied", code=403, request="POST /v1/runs")
    before = len(server.lines())
    server.run(language="cobol", code="")
    assert len(server.lines()) == before  # is wrong, and asks for nothing that is withheld


def test_nobody_writes_lines_of_his_own(server):
    """What others say is escaped, and cut."""
    host = 'x"}\t{"event":"run.ended"}\u202e\U0001f600' + "y" * 700
    with server.raw() as bare:
        bare.sendall(b"GET /v1/runs HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
        bare.recv(4096)
    line = server.lines("request.denied")[-1]
    assert line["detail"].startswith("the Host 'x\"}?{\"event\":") and len(line["detail"]) <= 512
    query = 'tag="}{\\n' + "y" * 300
    with server.raw() as bare:
        bare.sendall(b"GET /v1/runs/export?" + query.encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert bare.recv(4096).startswith(b"HTTP/1.1 200"), query
    assert server.lines("history.exported")[-1]["detail"] == query
    with server.raw() as bare:
        bare.sendall(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
        bare.recv(4096)
    assert len(server.lines("request.denied")[-1]["request"]) < 256


def test_many_denials_are_counted(server):
    with server.raw() as bare:
        bare.settimeout(30)
        bare.sendall(b"GET /v1/runs HTTP/1.1\r\nHost: elsewhere\r\n\r\n" * 1000)
        answered = b""
        while answered.count(b"HTTP/1.1 403") < 1000:
            answered += bare.recv(65536)
    server_told = [line.get("unwritten", 0) + 1 for line in server.lines("request.denied")]
    assert len(server_told) < 1000
    wait_until(lambda: server.ask("GET", "/v1/runs", headers={"Host": "last"})[0] == 403
               and sum(line.get("unwritten", 0) for line in server.lines("request.denied")) >= 100)


def test_policies_as_they_change(tmp_path):
    policy = tmp_path / "cella" / "policies" / "lab.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text("extends: default\n")
    with Audited(tmp_path, environment={"XDG_CONFIG_HOME": str(tmp_path)}) as server:
        def digest():
            return server.run(language="bash", code=":", policy="lab")[2]["policy"]["digest"]

        first = digest()
        assert digest() == first
        policy.write_text("extends: default\nlimits: {processes: {cap: 8, default: 8}}\n")
        wait_until(lambda: digest() != first)
        assert len(server.lines("policy.used", policy="lab", policy_digest=first)) == 1
        changed = server.lines("policy.changed", policy="lab")
        assert [line["detail"] for line in changed] == [f"its digest was {first}"]
        assert changed[0]["policy_digest"] == digest() != first


def test_the_server_itself(tmp_path):
    with Audited(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.lines("settings.read"))
        assert server.stop() == 0
    assert [line["event"] for line in server.lines()] == ["server.started", "settings.read", "server.ended"]
    assert [line["sequence"] for line in server.lines()] == [1, 2, 3]


def test_a_file_that_was_moved_away(tmp_path):
    with Audited(tmp_path) as server:
        server.run(language="bash", code=":")
        old = tmp_path / "audit.1"
        server.audit.rename(old)
        server.run(language="bash", code=":")
        assert not server.audit.exists() and old.read_text().count("run.created") == 2
        server.process.send_signal(signal.SIGHUP)
        wait_until(server.audit.exists)
        server.run(language="bash", code=":")
        assert len(server.lines("run.created")) == 1
        server.audit.unlink()
        server.audit.mkdir()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.logged("cannot open the audit log"))
        assert server.run(language="bash", code=":")[0] == 200


@pytest.mark.parametrize("make, text", [
    (lambda path: path.mkdir(), "cannot open the audit log"),
    (lambda path: path.symlink_to("elsewhere"), "cannot open the audit log"),
    (lambda path: os.mkfifo(path), "cannot open the audit log"),
    (lambda path: None, "cannot open the audit log"),
])
def test_what_is_no_file(tmp_path, make, text):
    path = tmp_path / ("a" if text and make.__code__.co_names else "none/a")
    make(path)
    with pytest.raises(AssertionError) as failure:
        Server("--audit", str(path), directory=tmp_path)
    assert text in str(failure.value)


@pytest.fixture(name="small")
def small_(tmp_path):
    """A directory on a disk of its own, and how to fill it."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", small], check=True)

    def fill():
        with open(small / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
            while True:
                filler.write(b"x" * 4096)

    yield small, fill
    subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small disk")
@pytest.mark.parametrize("failure, status", [("continue", 200), ("refuse", 500)])
def test_a_full_disk(tmp_path, small, failure, status):
    directory, fill = small
    with Audited(tmp_path, "--audit-failure", failure, audit=directory / "audit.jsonl") as server:
        assert server.run(language="bash", code=":")[0] == 200
        fill()
        with open(server.audit, "ab", buffering=0) as file:  # up to the end of its page
            file.write(b" " * (-file.tell() % 4096 - 1) + b"\n")
        answers = [server.run(language="bash", code=":") for _ in range(3)]
        assert [answer[0] for answer in answers] == [status] * 3
        if status == 500:
            assert answers[0][2]["detail"].startswith("the audit log cannot be written")
            assert answers[0][2]["hint"] == "make room on its disk, or see to the file"
            wait_until(server.is_idle)
        assert server.logged("error: the audit log cannot be written") == 1
        metrics = server.ask("GET", "/metrics")[2].decode()
        assert int(re.search(r"^cella_audit_failures_total (\d+)$", metrics, re.M)[1]) >= 3
        (directory / "filler").unlink()
        assert server.run(language="bash", code=":")[0] == 200
        assert server.logged("warning: the audit log is written again") == 1
        text = server.audit.read_text()
        assert json.loads(text.splitlines()[-1])["event"] == "run.ended"
