"""The rows about the service: requests that are made to break it, to be read as another one, or to
reach what is not theirs.  What is refused one by one, with its text, stands in
tests/integration/test_serve.py and test_http2.py; here it is the effect that must not be there."""
import itertools
import json
import re
import socket
from urllib.parse import quote

import pytest

from server import Server, wait_until

CONTRACTS = ["/api/v2/execute", "/api/v2/packages", "/execute"]  # in no document of ours


@pytest.fixture(scope="module", name="server")
def server_():
    with Server() as server:
        yield server


@pytest.fixture(scope="module", name="paths")
def paths_(server):
    return server.ask("GET", "/openapi.json")[2]["paths"]


def answers_to(server, data, seconds=10, says_so=True):
    """All that comes back, up to the end; what is sent is all that will be, and it says so."""
    with server.raw() as connection:
        connection.settimeout(seconds)
        connection.sendall(data)
        try:
            if says_so:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""


# ---- JSON ----

def nested(opened, closed, depth):
    return opened * depth + closed * depth


HOSTILE_JSON = {
    "nothing": b"",
    "half": b'{"language": "python", "code": "print(1)"',
    "deep array": nested(b"[", b"]", 200000),
    "deep object": nested(b'{"a":', b"}", 200000),
    "never closed": b'{"code": ' + b"[" * 1000000,
    "many values": b'{"args": [' + b"0," * 1000000 + b"0]}",
    "many keys": b"{" + b",".join(b'"k%d": 0' % number for number in range(100000)) + b"}",
    "one long key": b'{"' + b"k" * 4000000 + b'": 1}',
    "one long number": b'{"stdin": ' + b"9" * 1000000 + b"}",
    "exponent": b'{"limits": {"wall_ms": 1e999999}}',
    "not a number": b'{"limits": {"wall_ms": NaN}}',
    "the same key": b'{"language": "python", "code": "1", "code": "import os"}',
    "the same key, escaped": b'{"language": "python", "code": "1", "c\\u006fde": "import os"}',
    "not UTF-8": b'{"language": "python", "code": "\xff\xfe"}',
    "overlong": b'{"language": "python", "code": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"language": "python", "code": "\xed\xa0\x80"}',
    "UTF-16": '{"language": "python", "code": "1"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"language": "python", "code": "1"}',
    "control characters": b'{"language": "python", "code": "\x00\x01"}',
    "a comment": b'{"language": "python", /* */ "code": "1"}',
    "two values": b'{"language": "python", "code": "1"}{"language": "bash", "code": "2"}',
}
# These a contract may take, as the servers do that it stands for.
MENDED = {"a lone surrogate": b'{"language": "python", "code": "\\ud800"}',
          "halves in the wrong order": b'{"language": "python", "code": "\\udc00\\ud800"}'}


def post_all(server, path, bodies):
    """The statuses, with the server alive behind each."""
    connection = server.connect()
    for body in bodies:
        status, _, data = server.ask("POST", path, body, {"Content-Type": "application/json"},
                                     connection)
        assert isinstance(data, (dict, list)), (path, data)  # an answer in words, also then
        yield status
    assert server.ask("GET", "/healthz")[0] == 200


def test_hostile_json_is_refused_everywhere(server, paths):
    runs = server.ask("GET", "/v1/stats")[2]["runs"]
    ours = [path for path, methods in paths.items() if "post" in methods and path.startswith("/v1/")]
    assert "/v1/runs" in ours
    for path in ours:
        statuses = list(post_all(server, path, [*HOSTILE_JSON.values(), *MENDED.values()]))
        assert set(statuses) == {400}, dict(zip([*HOSTILE_JSON, *MENDED], statuses))
    for path in CONTRACTS:
        assert all(400 <= status < 500 for status in post_all(server, path, HOSTILE_JSON.values()))
        assert all(status < 500 for status in post_all(server, path, MENDED.values()))
    wait_until(server.is_idle)
    assert server.ask("GET", "/v1/stats")[2]["runs"] <= runs + len(CONTRACTS) * len(MENDED)


# ---- requests within requests ----

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
JSON = b'{"language": "bash", "code": ":"}'
LENGTH = b"Content-Length: %d\r\n"
ALL = LENGTH % len(SMUGGLED)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# How the length of a body is said so that one reader finds it here and another one there.  Behind it
# comes what the one takes for the end of the body, and the other for the request smuggled.
LENGTHS = {
    "both, length first": ALL + CHUNKED,
    "both, chunks first": CHUNKED + ALL,
    "two lengths": b"Content-Length: 0\r\n" + ALL,
    "the same length twice": ALL + ALL,
    "a list of lengths": b"Content-Length: 0, %d\r\n" % len(SMUGGLED),
    "a length with a sign": b"Content-Length: +0\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a hexadecimal length": b"Content-Length: 0x0\r\n",
    "a length with letters": b"Content-Length: 0a\r\n",
    "a length with a space": b"Content-Length: 0 0\r\n",
    "a length and a comma": b"Content-Length: 0,\r\n",
    "a length that overflows": b"Content-Length: 18446744073709551616\r\n",
    "a length that is none": b"Content-Length: \r\n",
    "a quoted length": b'Content-Length: "0"\r\n',
    "a length before a space": b"Content-Length : 0\r\n" + ALL,
    "a folded length": b"Content-Length:\r\n 0\r\n" + ALL,
    "a length behind a bare LF": b"X: y\nContent-Length: 0\r\n" + ALL,
    "a length behind a bare CR": b"X: y\rContent-Length: 0\r\n" + ALL,
    "a length behind NUL": b"X: y\0Content-Length: 0\r\n" + ALL,
    "a name with an underscore": b"Content_Length: 0\r\n" + CHUNKED + ALL,
    "chunks before a space": b"Transfer-Encoding : chunked\r\n" + ALL,
    "chunks before a tab": b"Transfer-Encoding\t: chunked\r\n" + ALL,
    "folded chunks": b"Transfer-Encoding:\r\n chunked\r\n" + ALL,
    "folded chunks, by a tab": b"X: y\r\n\tTransfer-Encoding: chunked\r\n" + ALL,
    "chunks behind a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n" + ALL,
    "chunks with a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n" + ALL,
    "chunks with NUL": b"Transfer-Encoding: chunked\0\r\n" + ALL,
    "chunks in quotes": b'Transfer-Encoding: "chunked"\r\n' + ALL,
    "other chunks": b"Transfer-Encoding: xchunked\r\n" + ALL,
    "chunks twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "two codings": CHUNKED + b"Transfer-Encoding: identity\r\n",
    "two codings in the other order": b"Transfer-Encoding: identity\r\n" + CHUNKED,
    "chunks that are not last": b"Transfer-Encoding: chunked, identity\r\n",
    "identity": b"Transfer-Encoding: identity\r\n" + ALL,
    "nothing": b"Transfer-Encoding: \r\n" + ALL,
    "a semicolon": b"Transfer-Encoding: chunked;q=1\r\n" + ALL,
    "no colon": b"Transfer-Encoding chunked\r\n" + ALL,
    "no name": b": chunked\r\n" + ALL,
}

# Chunks of which one reader finds the end here and another one there.
CHUNKS = {
    "a size with 0x": b"0x0\r\n\r\n",
    "a size with a sign": b"+0\r\n\r\n",
    "a negative size": b"-1\r\n\r\n",
    "a size with a space before it": b" 0\r\n\r\n",
    "a size with a space behind it": b"0 \r\n\r\n",
    "a size with an underscore": b"0_0\r\n\r\n",
    "a size of many digits": b"0" * 17 + b"\r\n\r\n",
    "a size that overflows": b"10000000000000000\r\n\r\n",
    "a size that is too large": b"ffffffffffffffff\r\n\r\n",
    "no size": b"\r\n\r\n",
    "a bare LF behind the size": b"0\n\r\n",
    "a bare CR behind the size": b"0\r\r\n",
    "a bare LF in an extension": b"0;a\n\r\n",
    "a NUL in an extension": b"0;a\0\r\n\r\n",
    "data that is longer than said": b"1\r\n{}\r\n" + LAST,
    "data without its end": b"1\r\n{" + LAST,
    "data with a bare LF at its end": b"1\r\n{\n" + LAST,
    "the last one with a bare LF": b"0\r\n\n",
    "a trailer with a bare LF": b"0\r\nA: b\n\r\n",
}


def is_one_refusal(server, answer, before):
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert re.match(rb"HTTP/1\.1 (400|411|431|501) ", answer), answer
    assert b"\r\nConnection: close\r\n" in answer
    assert server.logged("/smuggled") == before


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_can_be_read_in_two_ways(server, name):
    before = server.logged("/smuggled")
    for method in POST, POST.replace(b"POST /v1/runs", b"GET /healthz"):
        data = method + LENGTHS[name] + b"\r\n" + LAST + SMUGGLED
        is_one_refusal(server, answers_to(server, data), before)


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_can_be_read_in_two_ways(server, name):
    before = server.logged("/smuggled")
    answer = answers_to(server, POST + CHUNKED + b"\r\n" + CHUNKS[name] + SMUGGLED)
    is_one_refusal(server, answer, before)


@pytest.mark.parametrize("head, body, status", [
    # A body that nobody asked for is one all the same.
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + ALL, b"", b"200"),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + CHUNKED, None, b"200"),
    (b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n" + ALL, b"", b"200"),
    (b"DELETE /v1/runs/x HTTP/1.1\r\nHost: localhost\r\n" + ALL, b"", b"404"),
    # What is refused by its head: the rest is not looked at.
    (b"POST /nothing HTTP/1.1\r\nHost: localhost\r\n" + ALL, b"", b"404"),
    (b"POST /v1/runs HTTP/1.1\r\nHost: evil.example\r\n" + ALL, b"", b"403"),
    (b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" + ALL, b"", b"415"),
    (b"PUT /v1/runs HTTP/1.1\r\nHost: localhost\r\n" + CHUNKED, None, b"405"),
    # Another protocol that is asked for on the way, and not spoken.
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
     b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + ALL, b"", b"200"),
])
def test_a_body_is_never_a_request(server, head, body, status):
    before = server.logged("/smuggled")
    sent = chunk(SMUGGLED) + LAST if body is None else SMUGGLED
    answer = answers_to(server, head + b"\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 " + status + b" ") and answer.count(b"HTTP/1.1 ") == 1
    assert server.logged("/smuggled") == before


def test_what_comes_behind_a_good_request_is_the_next_one(server):
    """So that the tests above could fail: sent rightly, it arrives."""
    before = server.logged("/smuggled")
    for data in (POST + LENGTH % len(JSON) + b"\r\n" + JSON,
                 POST + CHUNKED + b"\r\n" + chunk(JSON[:5]) + chunk(JSON[5:]) + LAST,
                 POST + CHUNKED + b"\r\n5;a=b;c=\"d\"\r\n" + JSON[:5] + b"\r\n" + chunk(JSON[5:]) +
                 b"000\r\nTrailer: x\r\n\r\n"):
        last = SMUGGLED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answer = answers_to(server, data + last, says_so=False)  # who goes ends his run
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert answer.count(b"HTTP/1.1 404 Not Found") == 1
    assert server.logged("/smuggled") == before + 3


# ---- paths ----

CLIMBS = ["..", "../..", "../../../../../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd",
          "%2e%2e", "%2e%2e/%2e%2e/etc/passwd", "..%252f..%252fetc%252fpasswd", "....//....//etc/passwd",
          "..\\..\\etc\\passwd", "..%5c..%5cetc%5cpasswd", "..;/..;/etc/passwd", "/etc/passwd",
          "%2fetc%2fpasswd", "~root", "file:///etc/passwd", "%00", "x%00.json", "x%0d%0aSet-Cookie:a=b",
          "..%c0%af..%c0%afetc/passwd", "%u002e%u002e", "history.db", ".", "x/../../state/history.db",
          "x?/../..", "*", "$(id)", "`id`", "';DROP%20TABLE%20runs;--", "'%20OR%201=1%20--", "%", "%zz",
          "x" * 12000]


def test_no_url_climbs(server, paths):
    known = set(paths) | set(CONTRACTS)
    below = {path.rpartition("/")[0] for path in known} | {path.split("{")[0].rstrip("/")
                                                           for path in known} | known
    runs = server.ask("GET", "/v1/stats")[2]["runs"]
    connection = server.connect()
    for path, climb in itertools.product(sorted(below), CLIMBS):
        url = f"{path.replace('{id}', 'x')}/{climb}"
        for method in "GET", "DELETE":
            status, headers, data = server.ask(method, url, connection=connection)
            assert status in (400, 404, 405), (method, url, status)
            assert "Set-Cookie" not in headers and "root:" not in json.dumps(data)
    assert server.ask("GET", "/v1/stats")[2]["runs"] == runs


def test_no_query_climbs(server, paths):
    connection = server.connect()
    for path, methods in paths.items():
        for parameter in methods.get("get", {}).get("parameters", []):
            for climb in CLIMBS if parameter["in"] == "query" else []:
                url = f"{path.replace('{id}', 'x')}?{parameter['name']}={quote(climb)}"
                if len(url) < 16000:
                    status, _, data = server.ask("GET", url, connection=connection)
                    assert status in (200, 400, 404), (url, status, data)
                    assert status != 200 or not re.search("root:", json.dumps(data, default=str))


# ---- names that lead here from elsewhere ----

@pytest.mark.parametrize("host", [
    "localhost.evil.example", "localhost@evil.example", "evil.example@localhost", "localhost.",
    "localhost/", "localhost#", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0",
    "[::]", "[::ffff:127.0.0.1]", "::1", "[::1", "127.0.0.1.nip.io", "localhost:8420:80", "localhost:",
    "localhost, evil.example", "LOCALHOST\xad", "metadata.google.internal", "169.254.169.254"])
def test_a_name_that_can_be_made_to_lead_here(server, host):
    data = (b"GET /version HTTP/1.1\r\nConnection: close\r\nX-Forwarded-Host: localhost\r\n"
            b"Forwarded: host=localhost\r\nHost: " + host.encode("latin-1") + b"\r\n\r\n")
    answer = answers_to(server, data)
    if host == "localhost:":  # an empty port is the usual one
        assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 403 "))
    else:
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")), answer


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "file://", "http://localhost.evil.example",
                                    "https://localhost", "http://127.0.0.1:1", "chrome-extension://x",
                                    "http://[::1]", " ", "http://localhost http://evil.example"])
def test_a_page_from_elsewhere_reaches_nothing(server, paths, origin):
    """Nor is it allowed to by any header of an answer."""
    for path, methods in paths.items():
        for method in [*methods, "options"]:
            data = (f"{method.upper()} {path.replace('{id}', 'x')} HTTP/1.1\r\nHost: localhost\r\n"
                    f"Connection: close\r\nOrigin: {origin}\r\n"
                    "Access-Control-Request-Method: POST\r\n\r\n").encode()
            answer = answers_to(server, data)
            assert answer.startswith(b"HTTP/1.1 403 "), (method, path, answer)
            assert b"access-control-allow" not in answer.lower()
