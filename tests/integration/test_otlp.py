"""Traces as a collector gets them: read by the protocol's own definition, and what becomes of them
when it is slow, refuses them, or is not there."""
import base64
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from program import CELLA
from pypi import pypi_modules
from server import Server, wait_until
from test_tls import make_certificate

ID = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
OURS = {"traceparent": f"00-{ID}-{SPAN}-01", "tracestate": "a=1,b=2"}


class Collector:
    """Takes what comes to /v1/traces; `answers` are the statuses that it gives, the last for ever."""

    def __init__(self, *answers, body=b"{}", port=0, pair=None):
        self.requests, self.answers, self.body = [], list(answers or [200]), body
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                status = collector.answers.pop(0) if len(collector.answers) > 1 else collector.answers[0]
                collector.requests.append((self.path, dict(self.headers), data, status))
                self.send_response(status)
                self.send_header("Content-Length", str(len(collector.body)))
                self.end_headers()
                self.wfile.write(collector.body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.scheme = "http"
        if pair is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def spans(self, status=200):
        return [span for _, _, data, given in self.requests if given == status
                for resource in json.loads(data)["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def of_run(self, id_):
        """Names and spans of a run, once its own is there."""
        def found():
            return {span["name"]: span for span in self.spans() if attribute(span, "cella.run_id") == id_}

        wait_until(lambda: {"run", "POST /v1/runs"} <= found().keys())
        return found()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def attribute(span, key):
    for item in span["attributes"]:
        if item["key"] == key:
            return next(iter(item["value"].values()))
    return None


def counted(server, name):
    text = server.ask("GET", "/metrics")[2].decode()
    return int(re.search(rf"^cella_otlp_spans_{name}_total (\d+)$", text, re.M)[1])


@pytest.fixture(scope="module", name="collector")
def collector_():
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module", name="server")
def server_(collector):
    with Server("--otlp-endpoint", collector.endpoint + "/") as running:
        yield running


def test_a_request_and_what_is_below_it(server, collector):
    before = time.time_ns()
    status, headers, result = server.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 0.2; exit 3"}, OURS)
    after = time.time_ns()
    assert status == 200
    spans = collector.of_run(result["id"])
    request = spans["POST /v1/runs"]
    assert (request["traceId"], request["parentSpanId"], request["kind"]) == (ID, SPAN, 2)
    assert headers["traceparent"] == f"00-{ID}-{request['spanId']}-01"
    assert request["traceState"] == OURS["tracestate"]
    assert {key: attribute(request, key) for key in ("http.response.status_code", "http.route", "cella.request_id")} \
        == {"http.response.status_code": "200", "http.route": "/v1/runs", "cella.request_id": headers["X-Request-Id"]}
    assert set(spans) == {"POST /v1/runs", "queue", "run"}
    for name in ("queue", "run"):
        assert (spans[name]["traceId"], spans[name]["parentSpanId"], spans[name]["kind"]) == (ID, request["spanId"], 1)
    assert len({span["spanId"] for span in spans.values()}) == 3
    assert [attribute(spans["run"], "cella." + name) for name in ("status", "language", "exit_code", "start")] == [
        "exit", "bash", "3", "cold"]
    times = {name: (int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])) for name, span in spans.items()}
    slack = 5_000_000  # clocks are read to the millisecond
    assert before - slack <= times["POST /v1/runs"][0] <= times["queue"][0] + slack
    assert times["queue"][1] == times["run"][0] <= times["run"][1] <= after + slack
    assert times["run"][1] - times["run"][0] >= 200_000_000


def test_a_compiled_program(server, collector):
    id_ = server.run(language="c", code=f"int main(void) {{ return 0; }} // {time.time_ns()}")[2]["id"]
    spans = collector.of_run(id_)
    assert {"queue", "compile", "run"} <= spans.keys()
    assert int(spans["compile"]["endTimeUnixNano"]) <= int(spans["run"]["startTimeUnixNano"])
    assert "parentSpanId" not in spans["POST /v1/runs"]  # the trace began there


def test_what_is_not_sampled_is_not_sent(server, collector):
    other = OURS["traceparent"].replace(ID, "1" * 32)
    id_ = server.ask("POST", "/v1/runs", {"language": "bash", "code": ":"},
                     {"traceparent": other[:-1] + "0"})[2]["id"]
    collector.of_run(server.run(language="bash", code=":")[2]["id"])
    assert not [span for span in collector.spans() if attribute(span, "cella.run_id") == id_]


def test_who_looks_after_the_server_is_not_traced(server, collector):
    for path in ("/healthz", "/metrics"):
        server.ask("GET", path)
    server.ask("GET", "/v1/runs/nonesuch")
    wait_until(lambda: [span for span in collector.spans() if span["name"] == "GET /v1/runs/{id}"])
    assert not [span for span in collector.spans() if "healthz" in span["name"] or "metrics" in span["name"]]


def test_it_is_what_the_protocol_defines(server, collector):
    """Read by its definition for protobuf, whose JSON has identifiers in base64 where OTLP has them
    in hexadecimal."""
    pypi_modules("opentelemetry-proto==1.27.0", "protobuf==4.25.9")
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    server.ask("POST", "/v1/runs", {"language": "c", "code": "int main(void) { return 3; }"}, OURS)
    wait_until(lambda: collector.requests)
    for path, headers, data, _ in collector.requests:
        assert (path, headers["Content-Type"]) == ("/v1/traces", "application/json")
        message = json.loads(data)
        for span in message["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8)):
                if name in span:
                    assert len(bytes.fromhex(span[name])) == size
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        read = json_format.ParseDict(message, trace_service_pb2.ExportTraceServiceRequest())
        resource = read.resource_spans[0]
        assert {item.key for item in resource.resource.attributes} == {"service.name", "service.version"}
        for span in resource.scope_spans[0].spans:
            assert span.name and span.end_time_unix_nano >= span.start_time_unix_nano > 0


def test_the_last_ones_are_not_lost():
    with Collector() as collector:
        with Server(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}) as server:
            id_ = server.run(language="bash", code=":")[2]["id"]
            assert server.stop() == 0
        assert "run" in collector.of_run(id_)


def test_headers_are_sent_along():
    given = " authorization = Bearer%20a%2Cb%3D ,x-tenant=7,, "
    with Collector() as collector:
        with Server("--otlp-endpoint", collector.endpoint,
                    environment={"OTEL_EXPORTER_OTLP_HEADERS": given}) as server:
            collector.of_run(server.run(language="bash", code=":")[2]["id"])
            assert not server.logged("a,b=")
        headers = collector.requests[0][1]
        assert (headers["authorization"], headers["x-tenant"]) == ("Bearer a,b=", "7")
        assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("headers, text", [
    ("x", "something without '='"), ("=x", "a name that no header of ours can have"),
    ("a b=x", "a name that no header of ours can have"), ("Host=x", "a name that no header of ours can have"),
    ("a=%0d%0ab: c", "a value that is not percent-encoded text"), ("a=%4", "a value that is not percent-encoded text"),
    ("a=" + "x" * 4096, "more than there is room for")])
def test_headers_that_make_no_sense(headers, text, tmp_path):
    done = subprocess.run([CELLA, "serve", "--listen", "none", "--socket", tmp_path / "s", "--state", tmp_path / "t",
                           "--otlp-endpoint", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_HEADERS": headers})
    assert done.returncode == 126
    assert done.stderr.splitlines()[:2] == [
        f"cella: OTEL_EXPORTER_OTLP_HEADERS has {text}",
        "  hint: give it as NAME=VALUE,NAME=VALUE with percent-encoded values"]


def test_a_collector_that_is_busy_is_asked_again():
    with Collector(503, 200) as collector, Server("--otlp-endpoint", collector.endpoint) as server:
        id_ = server.run(language="bash", code=":")[2]["id"]
        collector.of_run(id_)
        assert [status for _, _, _, status in collector.requests[:2]] == [503, 200]
        assert collector.requests[0][2] == collector.requests[1][2]
        wait_until(lambda: counted(server, "sent") >= 3)
        assert counted(server, "dropped") == 0


def test_a_collector_that_refuses():
    with Collector(400, 200) as collector, Server("--otlp-endpoint", collector.endpoint) as server:
        server.run(language="bash", code=":")
        wait_until(lambda: counted(server, "dropped") == 3)
        assert server.logged(f"warning: traces are dropped: 127.0.0.1:{collector.port} answers 400") == 1
        collector.of_run(server.run(language="bash", code=":")[2]["id"])
        wait_until(lambda: server.logged("traces are taken again") == 1)
        assert counted(server, "sent") == 3


def test_a_collector_that_rejects_some():
    body = b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}'
    with Collector(200, body=body) as collector, Server("--otlp-endpoint", collector.endpoint) as server:
        server.run(language="bash", code=":")
        wait_until(lambda: counted(server, "dropped") == 2)
        assert counted(server, "sent") == 1


def test_a_collector_that_says_nothing_holds_nobody_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with Server("--otlp-endpoint", f"http://127.0.0.1:{port}") as server:
            for _ in range(5):
                assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
            silent.settimeout(20)
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(20)
                assert connection.recv(65536).startswith(b"POST /v1/traces HTTP/1.1\r\n")
                assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
                connection.sendall(b"HTTP/1.1 200 OK\r\nConte")  # and goes
            assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"


def test_more_than_there_is_room_for_is_dropped():
    """While nobody takes them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Server("--otlp-endpoint", f"http://127.0.0.1:{silent.getsockname()[1]}") as server:
            with server.raw() as bare:
                bare.settimeout(60)
                for _ in range(12):
                    bare.sendall(b"GET /v1/runs/x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
                    answered = b""
                    while answered.count(b"HTTP/1.1 404") < 500:
                        answered += bare.recv(1 << 20)
            assert counted(server, "dropped") > 0
            assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"


# ---- by TLS ----

@pytest.fixture(scope="module", name="pair")
def pair_(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("otlp"), "collector")


def test_traces_by_tls(pair):
    """Many in one batch, and the last one at the end."""
    authority = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(pair[0])}
    with Collector(pair=pair) as collector:
        with Server("--otlp-endpoint", collector.endpoint, environment=authority) as server:
            collector.of_run(server.run(language="bash", code=":")[2]["id"])
            with server.raw() as bare:
                bare.settimeout(60)
                bare.sendall(b"GET /v1/runs/x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)
                answered = b""
                while answered.count(b"HTTP/1.1 404") < 400:
                    answered += bare.recv(1 << 20)
            wait_until(lambda: counted(server, "sent") >= 403)
            assert counted(server, "dropped") == 0
            last = server.run(language="bash", code=":")[2]["id"]
            assert server.stop() == 0
        assert "run" in collector.of_run(last)


@pytest.mark.parametrize("believed, endpoint, why", [
    (False, "127.0.0.1", "self-signed certificate"),  # the system's authorities do not know it
    (True, "127.1", "hostname mismatch")])  # it is for 127.0.0.1, not for such a name
def test_a_collector_that_is_not_believed(pair, believed, endpoint, why):
    authority = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(pair[0])} if believed else {}
    with Collector(pair=pair) as collector:
        with Server("--otlp-endpoint", f"https://{endpoint}:{collector.port}",
                    environment=authority) as server:
            server.run(language="bash", code=":")
            wait_until(lambda: counted(server, "dropped") == 3, 20)
            told = f"the certificate of {endpoint}:{collector.port} is not believed: {why}"
            assert server.logged(f"warning: traces are dropped: {told}") == 1
        assert not collector.requests


def test_authorities_that_are_none(tmp_path):
    nothing = tmp_path / "nothing.pem"
    with pytest.raises(AssertionError) as failure:
        Server("--otlp-endpoint", "https://127.0.0.1:1", directory=tmp_path,
               environment={"OTEL_EXPORTER_OTLP_CERTIFICATE": str(nothing)})
    assert f"cannot use the authorities {nothing}: No such file or directory" in str(failure.value)


@pytest.mark.parametrize("endpoint", [
    "127.0.0.1:4318", "ftp://127.0.0.1:4318", "https://", "http://", "http://[::1", "http://a b", "http://x@127.0.0.1",
    "http://127.0.0.1/?q", "http://127.0.0.1:4318/" + "x" * 600])
def test_what_is_no_endpoint(tmp_path, endpoint):
    with pytest.raises(AssertionError) as failure:
        Server("--otlp-endpoint", endpoint, directory=tmp_path)
    assert "is no address of a collector" in str(failure.value)
    assert "give it as http://127.0.0.1:4318, or https://NAME" in str(failure.value)
