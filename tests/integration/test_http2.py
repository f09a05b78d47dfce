"""HTTP/2 without TLS, by prior knowledge: asked by curl, and by h2 for what curl does not do."""
import collections
import json
import socket
import struct
import subprocess

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from program import valid
from server import Server, UnixConnection, wait_until


@pytest.fixture(scope="module")
def server():
    with Server() as one:
        yield one


class Client:
    """A connection on which streams are asked, and answered together."""

    def __init__(self, server, **config):
        self.sock = socket.create_connection(("127.0.0.1", server.port))
        self.sock.settimeout(30)
        self.http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8", **config))
        self.http.initiate_connection()
        self.answers = {}
        self.over = set()
        self.reset = {}
        self.closed = None
        self.told = []
        self.flush()

    def flush(self):
        self.sock.sendall(self.http.data_to_send())

    def ask(self, method, path, body=None, **headers):
        stream = self.http.get_next_available_stream_id()
        given = [(":method", method), (":path", path), (":scheme", "http"),
                 (":authority", "localhost")]
        if body is not None:
            given.append(("content-type", "application/json"))
        self.http.send_headers(stream, given + list(headers.items()), end_stream=body is None)
        if body is not None:
            self.http.send_data(stream, json.dumps(body).encode(), end_stream=True)
        self.flush()
        return stream

    def run(self, **request):
        return self.ask("POST", "/v1/runs", request)

    def hear(self):
        """What comes next.  False: nothing more will."""
        data = self.sock.recv(65536)
        if not data:
            return False
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id] = (dict(event.headers), b"")
            elif isinstance(event, h2.events.DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                headers, before = self.answers[event.stream_id]
                self.answers[event.stream_id] = (headers, before + event.data)
            elif isinstance(event, h2.events.StreamEnded):
                self.over.add(event.stream_id)
            elif isinstance(event, h2.events.InformationalResponseReceived):
                self.told.append(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.StreamReset):
                self.reset[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.closed = event.error_code
        if self.closed is None:
            self.flush()
        return True

    def wait(self, stream):
        while stream not in self.over:
            assert stream not in self.reset, self.reset
            assert self.hear()
        headers, data = self.answers[stream]
        return int(headers[":status"]), headers, data

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.sock.close()


def curl(server, *words):
    return subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", *words[:-1],
         f"http://127.0.0.1:{server.port}{words[-1]}"], capture_output=True, timeout=60, check=True)


def test_curl_runs_a_program(server):
    done = curl(server, "-w", "%{http_version} %{http_code}", "-H", "Content-Type: application/json",
                "-d", '{"language": "python", "code": "print(6 * 7)"}', "/v1/runs")
    body, _, told = done.stdout.decode().rpartition("}")
    assert valid(json.loads(body + "}"))["stdout"] == "42\n"
    assert told.split() == ["2", "200"]


def test_many_at_one_time_on_one_connection(server):
    """The quick ones are not held up by the slow one that came before them."""
    with Client(server) as client:
        slow = client.run(language="bash", code="read line; echo $line; sleep 1")
        quick = [client.run(language="bash", code=f"echo {i}") for i in range(20)]
        for i, stream in enumerate(quick):
            status, _, data = client.wait(stream)
            assert (status, json.loads(data)["stdout"]) == (200, f"{i}\n")
        assert slow not in client.over
        assert client.wait(slow)[0] == 200


def test_a_problem_and_what_is_not_there(server):
    with Client(server) as client:
        status, headers, data = client.wait(client.run(language="pyhton", code="1"))
        assert (status, headers["content-type"]) == (400, "application/problem+json")
        assert json.loads(data)["field"] == "language"
        assert client.wait(client.ask("GET", "/nothing"))[0] == 404
        status, headers, data = client.wait(client.ask("HEAD", "/healthz"))
        assert (status, data) == (200, b"")
        assert int(headers["content-length"]) == len(client.wait(client.ask("GET", "/healthz"))[2])
        assert client.wait(client.ask("POST", "/healthz", {}))[1]["allow"] == "GET, HEAD"


def test_events_come_as_they_happen(server):
    with Client(server) as client:
        stream = client.ask("POST", "/v1/runs", {"language": "bash", "code": "echo one; sleep 60"},
                            accept="text/event-stream")
        while b"one" not in client.answers.get(stream, ({}, b""))[1]:
            client.hear()
        assert stream not in client.over
        run = json.loads(client.answers[stream][1].split(b"data: ")[1].split(b"\n")[0])["id"]
        other = client.ask("DELETE", f"/v1/runs/{run}")
        assert client.wait(other)[0] == 202
        assert b"event: result" in client.wait(stream)[2]


def test_a_large_body_and_a_large_answer(server):
    text = "x" * (3 << 20)
    with Client(server) as client:
        body = json.dumps({"language": "python", "code": "import sys\nprint(sys.stdin.read())",
                           "stdin": text, "limits": {"stdout_bytes": 4 << 20}}).encode()
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(stream, [
            (":method", "POST"), (":path", "/v1/runs"), (":scheme", "http"),
            (":authority", "localhost"), ("content-type", "application/json"),
            ("content-length", str(len(body)))])
        while body:
            room = min(client.http.local_flow_control_window(stream),
                       client.http.max_outbound_frame_size, len(body))
            if room == 0:
                client.flush()
                client.hear()
                continue
            client.http.send_data(stream, body[:room], end_stream=room == len(body))
            body = body[room:]
        client.flush()
        status, _, data = client.wait(stream)
        assert (status, json.loads(data)["stdout"]) == (200, text + "\n")


def test_a_body_that_is_too_large_is_answered_before_it_has_come(server):
    with Client(server) as client:
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(stream, [
            (":method", "POST"), (":path", "/v1/runs"), (":scheme", "http"),
            (":authority", "localhost"), ("content-type", "application/json"),
            ("content-length", str(65 << 20))])
        client.flush()
        assert client.wait(stream)[0] == 413
        while stream not in client.reset:
            client.hear()
        assert client.reset[stream] == h2.errors.ErrorCodes.NO_ERROR


def test_a_body_that_waits_to_be_wanted(server):
    """Who expects 100 (Continue) may hold it back until it comes."""
    with Client(server) as client:
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(stream, [
            (":method", "POST"), (":path", "/v1/runs"), (":scheme", "http"),
            (":authority", "localhost"), ("content-type", "application/json"),
            ("expect", "100-continue")])
        client.flush()
        client.sock.settimeout(10)
        while not client.told:
            assert client.hear()
        client.http.send_data(stream, b'{"language": "bash", "code": "echo 1"}', end_stream=True)
        client.flush()
        assert json.loads(client.wait(stream)[2])["stdout"] == "1\n"
        assert client.told == ["100"]
        refused = client.ask("GET", "/nothing", expect="100-continue")
        assert (client.wait(refused)[0], client.told) == (404, ["100"])


def test_a_stream_that_is_reset_ends_its_run(server):
    with Client(server) as client:
        stream = client.run(language="bash", code="sleep 60")
        wait_until(lambda: not server.is_idle())
        client.http.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        client.flush()
        wait_until(server.is_idle)
        assert client.wait(client.ask("GET", "/healthz"))[0] == 200


def test_a_connection_that_ends_ends_its_runs(server):
    with Client(server) as client:
        for _ in range(3):
            client.run(language="bash", code="sleep 60")
        wait_until(lambda: not server.is_idle())
    wait_until(server.is_idle)


def test_a_client_that_gives_no_room_is_given_nothing(server):
    """Its window is empty: the answer waits, and others are answered."""
    with Client(server) as client:
        client.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        client.flush()
        while client.http.remote_settings.initial_window_size == 65535:
            client.hear()
        stream = client.run(language="bash", code="echo waits")
        while stream not in client.answers:
            client.hear()
        assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
        assert client.answers[stream][1] == b""
        client.http.increment_flow_control_window(1 << 20, stream)
        client.flush()
        assert json.loads(client.wait(stream)[2])["stdout"] == "waits\n"


def test_more_streams_than_there_may_be(server):
    with Client(server) as client:
        while client.http.remote_settings.max_concurrent_streams > 1000:
            client.hear()
        assert client.http.remote_settings.max_concurrent_streams == 100
        setting = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
        client.http.remote_settings._settings[setting] = collections.deque([1000])  # it cheats
        first = [client.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 1"})
                 for _ in range(101)]
        while not client.reset and client.closed is None:
            client.hear()
        assert client.closed is not None or client.reset[first[100]] == \
            h2.errors.ErrorCodes.REFUSED_STREAM
    wait_until(server.is_idle)


def test_streams_without_end_keep_nobody_out():
    """Forty-five connections with a hundred requests each whose bodies do not come: more than there
    may be of all (SERVER_EXCHANGES_MAX)."""
    with Server() as server:
        clients = [Client(server) for _ in range(45)]
        for client in clients:
            for _ in range(100):
                stream = client.http.get_next_available_stream_id()
                client.http.send_headers(stream, [
                    (":method", "POST"), (":path", "/v1/runs"), (":scheme", "http"),
                    (":authority", "localhost"), ("content-type", "application/json")])
            client.flush()
        while not clients[-1].reset:
            assert clients[-1].hear()
        assert set(clients[-1].reset.values()) == {h2.errors.ErrorCodes.REFUSED_STREAM}
        assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
        with Client(server) as another:
            assert another.wait(another.ask("GET", "/healthz"))[0] == 200
        local = UnixConnection(server.socket)
        assert server.ask("GET", "/healthz", connection=local)[0] == 200
        for client in clients:
            client.sock.close()


@pytest.mark.parametrize("headers, status", [
    ([(":path", "/healthz"), ("x-large", "x" * 17000)], 431),
    ([(":path", "/healthz"), *((f"x-{i}", "1") for i in range(64))], 431),
    ([(":path", "/\u00e4")], 400),
    ([(":path", "/healthz"), (":authority", "elsewhere.example")], 403),
    ([(":path", "/healthz"), ("host", "elsewhere.example")], 200),  # the authority holds
    ([(":path", "/healthz"), ("origin", "http://elsewhere.example")], 403),
])
def test_heads_that_are_refused(server, headers, status):
    with Client(server, validate_outbound_headers=False,
                normalize_outbound_headers=False) as client:
        given = {":method": "GET", ":scheme": "http", ":authority": "localhost"}
        pseudo = {**given, **{name: value for name, value in headers if name[0] == ":"}}
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(
            stream, [*pseudo.items(), *(field for field in headers if field[0][0] != ":")],
            end_stream=True)
        client.flush()
        assert client.wait(stream)[0] == status


@pytest.mark.parametrize("field", [
    ("transfer-encoding", "chunked"), ("connection", "close"), ("X-Upper", "1"),
    ("x-line", "a\r\nhost: b"), ("x-nul", "a\0b"), (":status", "200"), (":path", "/twice"),
    ("te", "gzip"), ("a b", "1"),
])
def test_fields_that_hide_another_request(server, field):
    """The library refuses such a stream before anybody reads it."""
    with Client(server, validate_outbound_headers=False,
                normalize_outbound_headers=False) as client:
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(stream, [
            (":method", "GET"), (":path", "/healthz"), (":scheme", "http"),
            (":authority", "localhost"), field], end_stream=True)
        client.flush()
        while stream not in client.reset and client.closed is None:
            assert stream not in client.answers
            client.hear()


def test_a_length_that_is_a_lie(server):
    with Client(server) as client:
        stream = client.http.get_next_available_stream_id()
        client.http.send_headers(stream, [
            (":method", "POST"), (":path", "/v1/runs"), (":scheme", "http"),
            (":authority", "localhost"), ("content-type", "application/json"),
            ("content-length", "2")])
        client.http.send_data(stream, b"{}{}", end_stream=True)
        client.flush()
        while stream not in client.reset:
            assert stream not in client.answers
            client.hear()


@pytest.mark.parametrize("bytes_sent", [
    b"PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack("!I", 0x100000)[1:] + bytes(6),
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])
def test_what_is_no_http2_ends_it(server, bytes_sent):
    with server.raw() as raw:
        raw.sendall(bytes_sent)
        while raw.recv(65536):
            pass


def test_the_preface_in_pieces(server):
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]):
            sock.sendall(bytes([byte]))
        assert sock.recv(65536)[3] == 4  # settings come first


@pytest.mark.parametrize("kind", ["reset", "ping", "settings"])
def test_floods(server, kind):
    """Each ends with the connection, or goes on; the server answers others, and grows little."""
    before = server.memory()
    with Client(server) as client:
        client.sock.settimeout(5)
        try:
            for _ in range(20000):
                if kind == "reset":
                    stream = client.http.get_next_available_stream_id()
                    client.http.send_headers(stream, [
                        (":method", "GET"), (":path", "/healthz"), (":scheme", "http"),
                        (":authority", "localhost")], end_stream=True)
                    client.http.reset_stream(stream)
                elif kind == "ping":
                    client.http.ping(bytes(8))
                else:
                    client.sock.sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                client.flush()
        except OSError:
            pass  # it was enough
        assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"
    assert server.memory() - before < 16 << 20


def test_a_flood_of_wrong_streams_by_one_that_does_not_read(server):
    """Each is reset; the resets pile up nowhere but with the client."""
    before = server.memory()
    head = bytes([0, 0, 2, 1, 5])  # a method and a scheme, and no path
    with server.raw() as raw:
        raw.settimeout(1)
        raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        with pytest.raises((TimeoutError, ConnectionError)):
            for first in range(1, 1 << 22, 2000):
                raw.sendall(b"".join(head + struct.pack("!I", stream) + b"\x82\x86"
                                     for stream in range(first, first + 2000, 2)))
        assert server.memory() - before < 16 << 20
        assert server.run(language="bash", code="echo on")[2]["stdout"] == "on\n"


def test_a_server_that_ends_tells_so_and_answers():
    with Server() as server, Client(server) as client:
        stream = client.run(language="bash", code="read line; sleep 1; echo bye")
        wait_until(lambda: not server.is_idle())
        server.process.terminate()
        wait_until(lambda: server.logged("ends: 1 run on the way"))
        assert json.loads(client.wait(stream)[2])["stdout"] == "bye\n"
        while client.hear():
            pass
        assert client.closed == h2.errors.ErrorCodes.NO_ERROR
        assert server.process.wait(30) == 0
