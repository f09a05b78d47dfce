"""TLS by TCP: asked by curl, by Python's ssl and by websocket-client."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest
import websocket
from program import CELLA
from server import Server, wait_until


def make_certificate(directory, name):
    """A certificate that signs itself, for 127.0.0.1; the paths of it and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "one")


@pytest.fixture(scope="module")
def server(pair):
    with Server("--tls-certificate", pair[0], "--tls-key", pair[1]) as one:
        yield one


def context_of(certificate):
    return ssl.create_default_context(cafile=certificate)


def curl(server, pair, *words):
    done = subprocess.run(
        ["curl", "-s", "--cacert", pair[0], "-H", "Content-Type: application/json", *words[:-1],
         f"https://127.0.0.1:{server.port}{words[-1]}"], capture_output=True, timeout=60, check=True)
    return done.stdout.decode()


LARGE = {"language": "python", "code": "print('x' * (5 << 20))", "limits": {"stdout_bytes": 8 << 20}}


@pytest.mark.parametrize("way, version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl_by_either_protocol(server, pair, way, version):
    told = curl(server, pair, way, "-w", "%{http_version}", "-d", json.dumps(LARGE), "/v1/runs")
    body, _, used = told.rpartition("}")
    assert used.strip() == version
    assert json.loads(body + "}")["stdout"] == "x" * (5 << 20) + "\n"


def test_many_requests_on_one_connection(server, pair):
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context_of(pair[0]))
    for i in range(5):
        status, _, result = server.run(connection, language="bash", code=f"echo {i}")
        assert (status, result["stdout"]) == (200, f"{i}\n")
    status, _, result = server.ask("POST", "/v1/runs", {
        "language": "bash", "code": "wc -c", "stdin": "x" * (2 << 20)}, connection=connection)
    assert (status, result["stdout"].strip()) == (200, str(2 << 20))


def test_events_and_a_client_that_goes(server, pair):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain, \
            context_of(pair[0]).wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        body = json.dumps({"language": "bash", "code": "echo one; sleep 60"}).encode()
        sock.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                     b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(body), body))
        data = b""
        while b"one" not in data:
            data += sock.recv(65536)
        wait_until(lambda: not server.is_idle())
    wait_until(server.is_idle)


def test_websocket(server, pair):
    client = websocket.create_connection(
        f"wss://127.0.0.1:{server.port}/v1/runs/interactive", timeout=30, suppress_origin=True,
        sslopt={"ca_certs": str(pair[0])})
    client.send(json.dumps({"language": "bash", "code": "cat"}))
    assert json.loads(client.recv())["type"] == "started"
    client.send(json.dumps({"type": "stdin", "data": "there\n"}))
    assert json.loads(client.recv())["data"] == "there\n"
    client.send(json.dumps({"type": "eof"}))
    assert json.loads(client.recv())["result"]["status"] == "ok"


def test_pages_of_its_own_are_those_by_tls(server, pair):
    for scheme, status in ("https", 200), ("http", 403):
        told = curl(server, pair, "-w", "%{http_code}", "-o", "/dev/null", "-H",
                    f"Origin: {scheme}://127.0.0.1:{server.port}", "/version")
        assert told == str(status)


def test_old_versions_are_refused(server, pair):
    context = context_of(pair[0])
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", server.port)) as plain, \
            pytest.raises(ssl.SSLError, match="version|internal"):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.parametrize("said", [b"EHLO example.org\r\n" * 10, bytes(600), os.urandom(3000),
                                  b"\x16\x03\x01\x40\x00" + bytes(20000)])
def test_what_is_no_tls_ends(server, said):
    with server.raw() as raw:
        try:
            raw.sendall(said)
            while data := raw.recv(65536):
                assert b"HTTP/" not in data
        except ConnectionResetError:
            pass


def test_one_that_says_nothing_is_closed_for_others(server):
    """A handshake that does not go on counts as idle."""
    with server.raw() as raw:
        raw.sendall(b"\x16\x03\x01")
        assert server.ask("GET", "/healthz", connection=secure(server))[0] == 200


def secure(server):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", server.port, context=context)


def test_a_slow_reader_gets_all_of_it(server, pair):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        with context_of(pair[0]).wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            body = json.dumps(LARGE).encode()
            sock.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                         b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                         % (len(body), body))
            size, tail = 0, b""
            wait_until(lambda: server.logged("POST /v1/runs 200"))
            while data := sock.recv(4096):
                size += len(data)
                tail = (tail + data)[-100:]
            assert size > 5 << 20
            assert tail.endswith(b"}\r\n0\r\n\r\n")


def test_another_certificate_without_another_start(tmp_path):
    certificate, key = make_certificate(tmp_path, "first")
    with Server("--tls-certificate", certificate, "--tls-key", key) as server:
        kept = http.client.HTTPSConnection(
            "127.0.0.1", server.port, context=context_of(certificate))
        assert server.ask("GET", "/healthz", connection=kept)[0] == 200
        second, second_key = make_certificate(tmp_path, "second")
        key.write_text("no key")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.logged(f"cannot use the key {key}"))
        assert server.ask("GET", "/healthz", connection=kept)[0] == 200
        os.replace(second, certificate)
        os.replace(second_key, key)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.logged("has read its configuration again"))
        fresh = http.client.HTTPSConnection(
            "127.0.0.1", server.port, context=context_of(certificate))
        assert server.ask("GET", "/healthz", connection=fresh)[0] == 200
        assert server.ask("GET", "/healthz", connection=kept)[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_speaks_in_clear_is_told(tmp_path, pair, method):
    with Server("--tls-certificate", pair[0], "--tls-key", pair[1]) as server:
        status, headers, problem = server.ask(method, "/healthz", connection=http.client.HTTPConnection(
            "127.0.0.1", server.port, timeout=10))
        assert (status, headers["Connection"], problem["status"]) == (400, "close", 400)
        assert (problem["detail"], problem["hint"]) == (
            "at this address the server speaks TLS", "ask it by https")


@pytest.mark.parametrize("options, problem, hint", [
    (["--tls-certificate", "{0}"], "TLS needs a certificate and its key",
     "give --tls-certificate and --tls-key, or neither"),
    (["--tls-certificate", "/nothing", "--tls-key", "{1}"],
     "cannot use the certificate /nothing: No such file",
     "each must be a file in PEM that the server's user can read"),
    (["--tls-certificate", "{0}", "--tls-key", "{0}"], "cannot use the key {0}: unsupported",
     "and the key that of the certificate"),
])
def test_what_it_cannot_use(tmp_path, pair, options, problem, hint):
    words = [word.format(*pair) for word in options]
    for more in ([], ["--check"]):
        done = subprocess.run(
            [CELLA, "serve", "--listen", "127.0.0.1:0", "--socket", tmp_path / "s", "--state",
             tmp_path / "state", *words, *more], capture_output=True, text=True, timeout=60)
        assert done.returncode in (125, 126)
        assert problem.format(*pair) in done.stderr
        assert hint in done.stderr
