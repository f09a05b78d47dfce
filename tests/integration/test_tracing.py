"""What a request is known by: its id and its trace, in the answer and in the log."""
import json
import re

import pytest
from server import Server, UnixConnection, wait_until

ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{ID}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def asked(server, path="/healthz", **headers):
    return server.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})[1]


# ---- ids of requests ----


@pytest.mark.parametrize("path", ["/healthz", "/nonesuch", "/v1/runs?limit=0"])
def test_every_answer_has_an_id(server, path):
    first, second = (asked(server, path)["X-Request-Id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first) and first != second
    assert asked(server, path, X_Request_Id="mine:1")["X-Request-Id"] == "mine:1"


@pytest.mark.parametrize("given", ["", "a b", 'a"b', "x" * 129, "a,b", "caf\u00e9"])
def test_an_id_that_is_none_is_not_taken(server, given):
    assert re.fullmatch("[0-9a-f]{32}", asked(server, X_Request_Id=given)["X-Request-Id"])


def test_a_request_that_cannot_be_read_has_one_too(server):
    with server.raw() as bare:
        bare.sendall(b"GET /healthz HTTP/1.1\r\nX-Request-Id : spaced\r\n\r\n")
        answer = bare.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 400 ") and re.search("\r\nX-Request-Id: [0-9a-f]{32}\r\n", answer)


def test_the_next_request_of_a_connection_has_its_own(server):
    connection = server.connect()
    ids = [server.ask("GET", "/healthz", connection=connection, headers=headers)[1]["X-Request-Id"]
           for headers in ({"X-Request-Id": "first"}, {}, {"X-Request-Id": "third"})]
    assert ids[0] == "first" and ids[2] == "third" and re.fullmatch("[0-9a-f]{32}", ids[1])


# ---- traces ----


def test_a_trace_goes_on(server):
    given = asked(server, traceparent=PARENT)["traceparent"]
    assert re.fullmatch(f"00-{ID}-[0-9a-f]{{16}}-01", given)
    assert given != PARENT
    assert asked(server, traceparent=PARENT[:-2] + "00")["traceparent"].endswith("-00")


@pytest.mark.parametrize("given", ["", "00", PARENT.upper(), PARENT + "-01", "ff" + PARENT[2:],
                                   f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_a_trace_that_is_none_is_begun_anew(server, given):
    begun = asked(server, traceparent=given)["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", begun) and ID not in begun


# ---- the log ----


def test_the_log_says_which_run_was_whose(server):
    status, _, result = server.ask("POST", "/v1/runs", {"language": "bash", "code": "exit 3"},
                                   {"X-Request-Id": "logged"})
    assert status == 200
    about = f" run={result['id']} request=logged\n"
    assert server.logged(f"{result['id']} exit{about}") == 1
    assert re.search(rf"Z POST /v1/runs 200 \d+ ms{about}", server.text())
    own = UnixConnection(server.socket)
    headers = {"X-Request-Id": "later", "Prefer": "respond-async"}
    id_ = server.ask("POST", "/v1/runs", {"language": "bash", "code": ":"}, headers, own)[2]["id"]
    wait_until(lambda: server.logged(f"{id_} ok run={id_} tenant=local request=later\n") == 1)


def test_a_log_of_objects():
    """Each line is one; what others say is escaped in it."""
    with Server("--log-format", "json") as server:
        headers = {"X-Request-Id": "in-json", "traceparent": PARENT}
        result = server.ask("POST", "/v1/runs", {"language": "bash", "code": "exit 3"}, headers)[2]
        with server.raw() as bare:
            bare.sendall(b"GET /\"quoted\\ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            bare.recv(4096)
        lines = [json.loads(line) for line in server.text().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}
    about = {"request_id": "in-json", "trace_id": ID, "run": result["id"]}
    of_run = [line for line in lines if line.get("run") == result["id"]]
    assert [line["message"].partition(" 200 ")[0] for line in of_run] == [f"{result['id']} exit", "POST /v1/runs"]
    assert all(line.items() >= about.items() for line in of_run)
    assert of_run[1]["status"] == 200 and of_run[1]["duration_ms"] >= 0 and "status" not in of_run[0]
    assert lines[-1]["message"].startswith('GET /"quoted\\ 404 ')
