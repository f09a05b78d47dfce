"""Idempotency-Key: a request that comes again is answered with the run that it began the first time."""
import json
import signal
import socket
import sqlite3
import time

import pytest

from server import Server, UnixConnection, events_of, wait_until

# Says in its output how often it was run: of each run the words are others.
PROGRAM = {"language": "python", "code": "import uuid; print(uuid.uuid4())"}
SLOW = {"language": "bash", "code": "sleep 2; echo done"}


@pytest.fixture(scope="module", name="server")
def server_():
    with Server() as server:
        yield server


def post(server, key, request=None, connection=None, **headers):
    return server.ask("POST", "/v1/runs", PROGRAM if request is None else request,
                      {"Idempotency-Key": key, **headers}, connection=connection)


def begin(server, key, request=SLOW, **headers):
    """A connection on which the answer will come."""
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps(request),
                       {"Content-Type": "application/json", "Idempotency-Key": key, **headers})
    wait_until(lambda: post(server, key, request)[0] == 409)
    return connection


def count(server):
    return server.ask("GET", "/v1/stats")[2]["runs"]


def test_the_same_answer_again(server):
    first = post(server, '"one"')
    assert first[0] == 200
    for key in '"one"', "one", '"o\\ne"'.replace("\\n", "n"):
        again = post(server, key)
        assert (again[0], again[2]) == (200, first[2])
    other = post(server, '"two"')
    assert other[2]["stdout"] != first[2]["stdout"]
    assert server.run(**PROGRAM)[2]["stdout"] != first[2]["stdout"]


def test_how_a_program_failed_is_its_answer_too(server):
    request = {"language": "bash", "code": "exit 3"}
    assert post(server, "failed", request)[2]["exit_code"] == 3
    before = count(server)
    assert post(server, "failed", request)[2]["exit_code"] == 3
    assert count(server) == before


def test_another_request_with_the_key_of_one(server):
    assert post(server, "taken")[0] == 200
    status, text, hint = server.problem("POST", "/v1/runs", SLOW,
                                        headers={"Idempotency-Key": "taken"})
    assert (status, text) == (422, "this Idempotency-Key was used with another request")
    assert hint == "send a new key with each request"


def test_while_the_first_is_on_its_way(server):
    connection = begin(server, "slow")
    status, text, hint = server.problem("POST", "/v1/runs", SLOW,
                                        headers={"Idempotency-Key": "slow"})
    assert (status, text) == (409,
                              "the first request with this Idempotency-Key is still on its way")
    assert hint.startswith("it is /v1/runs/")
    first = json.loads(connection.getresponse().read())
    assert first["stdout"] == "done\n"
    assert post(server, "slow", SLOW)[2] == first


def test_accepted_for_later(server):
    later = {"Prefer": "respond-async"}
    status, headers, data = post(server, "later", SLOW, **later)
    assert status == 202
    again = post(server, "later", SLOW, **later)
    assert (again[0], again[1]["Location"], again[2]) == (202, headers["Location"], data)
    assert post(server, "later", SLOW)[0] == 409
    wait_until(lambda: server.ask("GET", headers["Location"])[0] == 200)
    assert post(server, "later", SLOW)[2]["id"] == data["id"]
    assert post(server, "later", SLOW, **later)[0] == 202


def test_as_events(server):
    first = post(server, "events")[2]
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps(PROGRAM),
                       {"Content-Type": "application/json", "Accept": "text/event-stream",
                        "Idempotency-Key": "events"})
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "text/event-stream"
    assert list(events_of(response)) == [("started", {"id": first["id"]}), ("result", first)]


def test_a_run_with_a_key_outlives_its_client(server):
    connection = begin(server, "left")
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    wait_until(lambda: post(server, "left", SLOW)[0] == 200)
    assert post(server, "left", SLOW)[2]["stdout"] == "done\n"


def test_a_refused_request_has_used_nothing(server):
    assert post(server, "refused", {"language": "pyhton", "code": ""})[0] == 400
    assert post(server, "refused")[0] == 200


@pytest.mark.parametrize("key", ['"' + "k" * 255 + '"', "k" * 255, '"a \\"b\\" \\\\ c"', "a:b/c=d+e"])
def test_keys_that_are_good(server, key):
    first = post(server, key)
    assert first[0] == 200
    assert post(server, key)[2] == first[2]


@pytest.mark.parametrize("key", ['"' + "k" * 256 + '"', "k" * 256, "", '""', '"', '"a', 'a"', '"a" ;b',
                                 '"a";b', '"a\\n"', '"\xe9"', "\xe9", "a b", "a,b", '"a", "b"', "a;b"])
def test_keys_that_are_none(server, key):
    status, text, hint = server.problem("POST", "/v1/runs", PROGRAM,
                                        headers={"Idempotency-Key": key.encode("latin-1")})
    assert (status, text) == (400, "the Idempotency-Key is not 1 to 255 letters of ASCII in quotes")
    assert hint.startswith("send a new UUID")


def test_two_keys_are_none(server):
    with server.raw() as connection:
        body = json.dumps(PROGRAM).encode()
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                           b"Idempotency-Key: a\r\nidempotency-key: a\r\n\r\n" % len(body) + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"400 Bad Request" in answer and b"more than one Idempotency-Key" in answer


def test_keys_are_each_tenants_own(server):
    first = post(server, "mine")
    other = post(server, "mine", connection=UnixConnection(server.socket))
    assert (first[0], other[0]) == (200, 200)
    assert other[2]["id"] != first[2]["id"]
    assert post(server, "mine", SLOW, connection=UnixConnection(server.socket))[0] == 422


def test_a_result_that_is_gone_is_not_made_again(server):
    first = post(server, "gone")[2]
    database = sqlite3.connect(server.directory / "state" / "history.db", timeout=10)
    with database:
        database.execute("DELETE FROM runs WHERE id = ?", [first["id"]])
    database.close()
    status, text, _ = server.problem("POST", "/v1/runs", PROGRAM,
                                     headers={"Idempotency-Key": "gone"})
    assert status == 410 and first["id"] in text


def test_what_was_acknowledged_is_not_run_twice_by_the_next_server(tmp_path):
    server = Server(directory=tmp_path)
    later = {"Prefer": "respond-async"}
    slow = {"language": "bash", "code": "sleep 60"}
    try:
        done = post(server, "done")[2]
        status, headers, data = post(server, "pending", slow, **later)
        assert status == 202
        server.stop(signal.SIGKILL)
    finally:
        server.end()
    with Server(directory=tmp_path) as server:
        assert post(server, "done")[2] == done
        again = post(server, "pending", slow, **later)
        assert (again[0], again[1]["Location"], again[2]) == (202, headers["Location"], data)
        lost = post(server, "pending", slow)[2]
        assert (lost["id"], lost["status"]) == (data["id"], "internal")
        assert count(server) == 2


def test_keys_go_when_they_are_old_or_many(tmp_path):
    with Server(directory=tmp_path) as server:
        first = post(server, "first")[2]
    now = int(time.time())
    database = sqlite3.connect(tmp_path / "state" / "history.db")
    with database:
        database.execute("UPDATE keys SET added_at = ?", [now - 86400 + 60])
    with Server(directory=tmp_path) as server:
        assert post(server, "first")[2] == first
    with database:
        database.execute("UPDATE keys SET added_at = ?", [now - 86400 - 1])
        database.executemany("INSERT INTO keys(tenant, name, digest, run, added_at) "
                             "VALUES('', ?, '', '', ?)",
                             [(f"filler {number}", now) for number in range(10000)])
        database.execute("INSERT INTO keys(tenant, name, digest, run, added_at) "
                         "VALUES('local', 'other', '', '', ?)", [now])
    with Server(directory=tmp_path) as server:
        assert post(server, "first")[2]["id"] != first["id"]
    names = {name for name, in database.execute("SELECT name FROM keys")}
    assert len(names) == 10001 and names >= {"first", "filler 9999", "other"}
    assert "filler 0" not in names
    database.close()


BATCH = {"program": {"language": "bash", "code": "cat"}, "tests": [{"stdin": "a", "expected_output": "a"}]}


def test_batches(server):
    headers = {"Idempotency-Key": '"a batch"', "Prefer": "respond-async"}
    first = server.ask("POST", "/v1/batches", BATCH, headers)
    assert first[0] == 202
    for _ in range(2):
        again = server.ask("POST", "/v1/batches", BATCH, headers)
        assert (again[0], again[1]["Location"], again[2]) == (202, first[1]["Location"], first[2])
        wait_until(lambda: server.ask("GET", first[1]["Location"])[0] == 200)
    other = {**BATCH, "tests": [{"stdin": "b", "expected_output": "b"}]}
    assert server.ask("POST", "/v1/batches", other, headers)[0] == 422
    assert post(server, '"a batch"')[0] == 422
    assert post_batch(server, '"a batch"')[2] == server.ask("GET", first[1]["Location"])[2]


def post_batch(server, key, batch=None, **headers):
    return server.ask("POST", "/v1/batches", BATCH if batch is None else batch,
                      {"Idempotency-Key": key, **headers})


def begin_batch(server, key, batch, **headers):
    """A connection on which the answer will come."""
    connection = server.connect()
    connection.request("POST", "/v1/batches", json.dumps(batch),
                       {"Content-Type": "application/json", "Idempotency-Key": key, **headers})
    wait_until(lambda: post_batch(server, key, batch)[0] == 409)
    return connection


def slow_batch(code="sleep 2; cat"):
    return {"program": {"language": "bash", "code": code},
            "tests": [{"stdin": "a", "expected_output": "a"}]}


def test_a_batch_that_somebody_waits_for(server):
    first = post_batch(server, "waits")
    assert (first[0], first[2]["verdict"]) == (200, "accepted")
    before = count(server)
    assert post_batch(server, "waits")[::2] == (200, first[2])
    again = post_batch(server, "waits", Prefer="respond-async")
    assert (again[0], again[1]["Location"]) == (202, f"/v1/batches/{first[2]['id']}")
    assert server.ask("GET", again[1]["Location"])[2] == first[2]
    assert count(server) == before
    status, text, _ = server.problem("POST", "/v1/batches", slow_batch(),
                                     headers={"Idempotency-Key": "waits"})
    assert (status, text) == (422, "this Idempotency-Key was used with another request")


def test_a_batch_while_the_first_is_on_its_way(server):
    connection = begin_batch(server, "slow-batch", slow_batch())
    status, text, hint = server.problem("POST", "/v1/batches", slow_batch(),
                                        headers={"Idempotency-Key": "slow-batch"})
    assert (status, text) == (409,
                              "the first request with this Idempotency-Key is still on its way")
    assert hint.startswith("it is /v1/batches/")
    first = json.loads(connection.getresponse().read())
    assert first["verdict"] == "accepted"
    assert post_batch(server, "slow-batch", slow_batch())[2] == first


def test_a_batch_as_events(server):
    connection = begin_batch(server, "told", slow_batch("sleep 1; cat"), Accept="text/event-stream")
    told = list(events_of(connection.getresponse()))
    assert [name for name, _ in told] == ["started", "test", "result"]
    again = server.connect()
    again.request("POST", "/v1/batches", json.dumps(slow_batch("sleep 1; cat")),
                  {"Content-Type": "application/json", "Accept": "text/event-stream",
                   "Idempotency-Key": "told"})
    assert list(events_of(again.getresponse())) == [told[0], told[2]]
    assert told[0][1]["tests"] == 1


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_batch_with_a_key_outlives_its_client(server, accept):
    batch = slow_batch(f"sleep 2; cat # {accept}")
    connection = begin_batch(server, accept, batch, Accept=accept)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    wait_until(lambda: post_batch(server, accept, batch)[0] == 200)
    assert post_batch(server, accept, batch)[2]["verdict"] == "accepted"


def test_a_refused_batch_has_used_nothing(server):
    wrong = {**BATCH, "program": {"language": "pyhton", "code": ""}}
    assert post_batch(server, "refused-batch", wrong)[0] == 400
    assert post_batch(server, "refused-batch")[0] == 200


def test_a_batch_is_not_run_twice_by_the_next_server(tmp_path):
    server = Server(directory=tmp_path)
    try:
        done = post_batch(server, "done-batch")[2]
        begin_batch(server, "lost-batch", slow_batch("sleep 60")).close()
        server.stop(signal.SIGKILL)
    finally:
        server.end()
    with Server(directory=tmp_path) as server:
        assert post_batch(server, "done-batch")[2] == done
        status, text, _ = server.problem("POST", "/v1/batches", slow_batch("sleep 60"),
                                         headers={"Idempotency-Key": "lost-batch"})
        assert status == 410 and "its result is no longer there" in text


def test_without_a_history_there_are_no_keys():
    with Server("--history", "0") as server:
        status, text, hint = server.problem("POST", "/v1/runs", PROGRAM,
                                            headers={"Idempotency-Key": "a"})
        assert (status, text) == (400,
                                  "this server keeps no history, so no run can be fetched later")
        assert hint == "ask without Idempotency-Key"
        status, text, hint = server.problem("POST", "/v1/batches", BATCH,
                                            headers={"Idempotency-Key": "a"})
        assert (status, text, hint) == (
            400, "this server keeps no history, so no batch can be fetched later",
            "ask without Idempotency-Key")
