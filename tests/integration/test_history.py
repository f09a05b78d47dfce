"""What the server remembers of its runs: lists, results fetched later, and what becomes of them."""
import hashlib
import http.client
import json
import os
import re
import select
import signal
import sqlite3
import subprocess

import pytest
from program import CELLA, IS_ROOT, valid
from server import Server, UnixConnection, wait_until
from test_http2 import Client

LATER = {"Prefer": "respond-async"}
RECORD = {"tenant", "request_id", "trace_id", "request_digest"}  # what is known besides the result
SLEEP = {"language": "bash", "code": "echo begun; sleep 60"}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def listed(server, query="", connection=None):
    status, _, body = server.ask("GET", "/v1/runs" + query, connection=connection)
    assert status == 200, body
    return body["runs"], body["next"]


def ids(server, query="", connection=None):
    return [run["id"] for run in listed(server, query, connection)[0]]


def later(server, connection=None, **request):
    """The path of a run that was accepted."""
    status, headers, body = server.ask("POST", "/v1/runs", request, LATER, connection)
    assert (status, headers["Preference-Applied"]) == (202, "respond-async"), body
    assert headers["Location"] == f"/v1/runs/{body['id']}"
    return headers["Location"]


def result_at(server, path, connection=None):
    """Once it is there."""
    answers = []

    def is_there():
        answers.append(server.ask("GET", path, connection=connection)[::2])
        return answers[-1][0] != 202

    wait_until(is_there, 30)
    status, result = answers[-1]
    assert status == 200, result
    return result


# ---- fetched later ----


def test_a_run_is_fetched_later(server):
    path = later(server, language="python", code="import time; time.sleep(0.5); print(6 * 7)", tag="mine")
    assert server.ask("GET", path)[::2] == (202, {"id": path.rpartition("/")[2]})
    result = result_at(server, path)
    valid(result)
    assert (result["status"], result["stdout"], result["tag"]) == ("ok", "42\n", "mine")
    assert result["id"] == path.rpartition("/")[2]
    assert result_at(server, path) == result  # again and again


def test_its_client_may_go_away(server):
    connection = server.connect()
    path = later(server, connection, language="bash", code="sleep 0.3; echo there")
    connection.close()
    assert result_at(server, path)["stdout"] == "there\n"


def test_a_large_result_is_fetched_whole(server):
    path = later(server, language="python", code="print('x' * 20_000_000)",
                 limits={"stdout_bytes": 32 << 20, "wall_ms": 60000})
    assert len(result_at(server, path)["stdout"]) == 20_000_001


def test_it_is_cancelled(server):
    path = later(server, **SLEEP)
    assert server.ask("DELETE", path)[::2] == (202, {"id": path.rpartition("/")[2]})
    assert result_at(server, path)["status"] == "cancelled"
    assert server.problem("DELETE", path)[0] == 404
    assert server.is_idle()


def test_what_is_refused_is_refused_at_once(server):
    before = len(ids(server))
    status, _, body = server.ask("POST", "/v1/runs", {"language": "nonesuch", "code": ""}, LATER)
    assert (status, body["field"]) == (400, "language")
    assert len(ids(server)) == before


def test_a_run_that_somebody_waited_for_is_there_too(server):
    for connection in (server.connect(), UnixConnection(server.socket)):
        result = server.run(connection, language="python", code="print('waited for')")[2]
        assert server.ask("GET", f"/v1/runs/{result['id']}", connection=connection)[2] == result


def test_events_are_remembered(server):
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps({"language": "bash", "code": "echo streamed"}),
                       {"Content-Type": "application/json", "Accept": "text/event-stream"})
    assert b"event: result" in connection.getresponse().read()
    assert listed(server, "?q=streamed&limit=1")[0][0]["status"] == "ok"


def test_a_result_too_large_to_keep(server):
    result = server.run(language="python", code="print('x' * 5_000_000)", tag="large",
                        limits={"stdout_bytes": 8 << 20})[2]
    status, text, hint = server.problem("GET", f"/v1/runs/{result['id']}")
    assert (status, text) == (410, f"the result of {result['id']} was too large to be kept")
    assert "respond-async" in hint
    assert ids(server, "?tag=large") == [result["id"]]


def test_a_result_too_large_for_the_history_is_cut():
    """One that is fetched later keeps its outcome, and says what is missing; nothing else goes for it."""
    program = ("import sys; open('made', 'w').write('m' * 300_000); print('o' * 300_000);"
               "print('e' * 100, file=sys.stderr); sys.exit(3)")
    with Server("--history", "128k") as server:
        first = server.run(language="bash", code="echo first")[2]["id"]
        path = later(server, language="python", code=program, collect=["made"], interleave=True)
        result = valid(result_at(server, path))
        assert (result["status"], result["exit_code"], result["stderr"]) == ("exit", 3, "e" * 100 + "\n")
        assert (result["stdout"], result["stdout_truncated"], result["stdout_bytes"]) == ("o" * 16384, True, 300_001)
        assert "".join(chunk["data"] for chunk in result["output"] if chunk["stream"] == "stdout") == "o" * 16384
        assert result["files"] == [{"path": "made", "size": 300_000, "mode": result["files"][0]["mode"], "content": None,
                                    "encoding": None, "skipped": "the short form of the result has no contents of files"}]
        assert any("short form of a result that was too large" in note for note in result["notes"])
        assert ids(server) == [path.rpartition("/")[2], first]
        large = result_at(server, later(server, language="bash", code="echo kept #" + "x" * 200_000))
        assert large["stdout"] == "kept\n" and not large["stdout_truncated"]
        assert [run["request"] for run in exported(server) if run["id"] == large["id"]] == [None]


def test_a_result_that_sqlite_does_not_take(tmp_path):
    """Control characters are six bytes each in JSON: more than is kept of any result."""
    with Server("--history", "2g", directory=tmp_path) as server:
        path = later(server, language="python", code="import sys; sys.stdout.write('\x01' * 95_000_000)",
                     limits={"stdout_bytes": 96 << 20, "wall_ms": 60000})
        result = result_at(server, path)
        assert (result["status"], result["stdout_bytes"]) == ("ok", 95_000_000)
        assert (result["stdout"], result["stdout_truncated"]) == ("\x01" * 16384, True)


def test_nothing_goes_for_what_is_on_its_way():
    with Server("--history", "64k") as server:
        slow = [later(server, language="bash", code="sleep 60 #" + "x" * 60_000) for _ in range(2)]
        path = later(server, language="bash", code="echo small")
        assert result_at(server, path)["stdout"] == "small\n"
        assert path.rpartition("/")[2] in ids(server)
        for path in slow:
            assert server.ask("DELETE", path)[0] == 202


@pytest.mark.parametrize("id_", ["x", "01K0000000000000000000000A", "%27", "a" * 300])
def test_no_such_run(server, id_):
    assert server.problem("GET", f"/v1/runs/{id_}")[0] == 404


# ---- lists ----


@pytest.fixture(scope="module")
def some(server):
    """Three that differ, the first first."""
    done = [server.run(**request)[2] for request in (
        {"language": "python", "code": "print('alpha beta')  # gamma", "tag": "one"},
        {"language": "bash", "code": "echo delta >&2; exit 3", "tag": "two"},
        {"language": "python", "code": "print('beta alpha')", "policy": "strict", "tag": "one"},
    )]
    return [result["id"] for result in done]


@pytest.mark.parametrize("query, found", [
    ("tag=one", [2, 0]),
    ("tag=two", [1]),
    ("tag=one&policy=strict", [2]),
    ("status=exit", [1]),
    ("language=bash&status=exit", [1]),
    ("language=python&status=exit", []),
    ("q=alpha+beta", [0]),
    ("q=Beta%20ALPHA", [2]),
    ("q=gamma", [0]),
    ("q=delta", [1]),
    ("q=alp", []),
    ('q=%22alpha%22+OR+%22delta%22', []),
    ("since=2999-01-01", []),
    ("until=2020-01-01T00:00:00Z", []),
    ("since=2020&until=2999&tag=two", [1]),
])
def test_a_list_is_filtered(server, some, query, found):
    assert [id_ for id_ in ids(server, "?limit=1000&" + query) if id_ in some] == [some[i] for i in found]


def test_a_summary_is_what_the_result_says(server, some):
    summary = listed(server, "?tag=two")[0][0]
    result = server.ask("GET", f"/v1/runs/{some[1]}")[2]
    usage = result["usage"]
    assert summary.pop("cpu_ms") == pytest.approx(usage["user_ms"] + usage["system_ms"])
    assert summary == {name: result[name] for name in summary.keys() - RECORD} | {
        name: summary[name] for name in RECORD}
    assert {"id", "status", "usage", "limit", "language", "policy", "queued_at", "tag"} <= summary.keys()
    assert not {"stdout", "stderr", "files"} & summary.keys()


def test_a_list_goes_on_where_it_stopped(server, some):
    everything = ids(server, "?limit=1000")
    assert everything == sorted(everything, reverse=True) and len(everything) > 3
    pages, after = [], ""
    while after is not None:
        runs, after = listed(server, f"?limit=2&after={after}")
        pages += [run["id"] for run in runs]
    assert pages == everything


@pytest.mark.parametrize("query, text", [
    ("?nonesuch=1", "'nonesuch' is not known behind the '?'"),
    ("?tag", "'tag' has no value behind the '?'"),
    ("?status=okk", "status 'okk' is none of: ok exit signal compile_error wall_time cpu_time memory processes "
     "output file_size disk cancelled refused internal"),
    ("?tag=a&tag=b", "'tag' comes twice behind the '?'"),
    ("?tag=%zz", "the value of 'tag' is not percent-encoded text of at most 511 bytes"),
    ("?tag=%00", "the value of 'tag' is not percent-encoded text of at most 511 bytes"),
    ("?tag=" + "x" * 512, "the value of 'tag' is not percent-encoded text of at most 511 bytes"),
    ("?limit=0", "limit '0' is no number from 1 to 1000"),
    ("?limit=1001", "limit '1001' is no number from 1 to 1000"),
    ("?limit=1x", "limit '1x' is no number from 1 to 1000"),
    ("?since=yesterday", "since 'yesterday' is no time in UTC"),
    ("?until=2026-01-01T00:00:00+01:00", "until '2026-01-01T00:00:00 01:00' is no time in UTC"),
])
def test_queries_that_make_no_sense(server, query, text):
    assert server.problem("GET", "/v1/runs" + query)[:2] == (400, text)


@pytest.mark.parametrize("path, hint", [
    ("/v1/runs?status=okk", "did you mean 'ok'?"), ("/v1/runs/export?status=compile", "did you mean 'compile_error'?"),
    ("/v1/runs?status=nonesuch", None), ("/v1/runs?langauge=python", "did you mean 'language'?"),
    ("/v1/stats?sinze=2026", "did you mean 'since'?"), ("/v1/stats?nonesuch=1", "these are: since, until"),
    ("/v1/runs?tag", "give it as tag=VALUE"),
])
def test_what_was_meant(server, path, hint):
    assert server.problem("GET", path)[::2] == (400, hint)


def test_who_asked_for_it_and_what_for(server):
    trace = "0af7651916cd43dd8448eb211c80319c"
    body = b'{ "language": "bash",\n  "code": "echo asked" }'
    headers = {"X-Request-Id": "asked:1", "traceparent": f"00-{trace}-b7ad6b7169203331-00"}
    digest = hashlib.sha256(body).hexdigest()
    for way in ({}, LATER):
        connection = UnixConnection(server.socket)
        id_ = server.ask("POST", "/v1/runs", body, headers | way, connection)[2]["id"]
        result_at(server, f"/v1/runs/{id_}", connection)
        summary = listed(server, "?limit=1", connection)[0][0]
        assert {name: summary[name] for name in RECORD | {"id"}} == {
            "id": id_, "tenant": "local", "request_id": "asked:1", "trace_id": trace, "request_digest": digest}
    assert server.run(language="bash", code=":")[0] == 200
    assert listed(server, "?limit=1")[0][0]["tenant"] is None


def test_the_digest_of_its_plan_is_that_of_explain(server):
    plan = subprocess.run([CELLA, "explain", "-l", "bash", "-c", ":"], capture_output=True, text=True).stdout
    summary = server.run(language="bash", code=":")[2]
    assert f"  plan       {summary['plan_digest']}\n" in plan
    assert listed(server, "?limit=1")[0][0]["plan_digest"] == summary["plan_digest"]


def test_a_run_whose_client_went_away_is_remembered(server):
    connection = server.connect()
    connection.request("POST", "/v1/runs", json.dumps(SLEEP | {"tag": "left"}), {"Content-Type": "application/json"})
    wait_until(lambda: server.ask("GET", "/metrics")[2].count(b"cella_jobs 1\n"))
    connection.close()
    wait_until(lambda: [run["status"] for run in listed(server, "?tag=left")[0]] == ["cancelled"])


# ---- what a policy lets it keep ----


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """A server with policies that keep less."""
    config = tmp_path_factory.mktemp("config")
    (config / "cella" / "policies").mkdir(parents=True)
    for name, rule in {"nocode": "code: false", "nooutput": "output: false",
                       "nothing": "code: false, output: false"}.items():
        (config / "cella" / "policies" / f"{name}.yaml").write_text(f"extends: default\nhistory: {{{rule}}}\n")
    with Server(environment={"XDG_CONFIG_HOME": str(config)}) as running:
        yield running


@pytest.mark.parametrize("policy, found", [
    ("default", "code out err"), ("nocode", "out err"), ("nooutput", "code"), ("nothing", "")])
def test_what_is_kept(keeping, policy, found):
    words = {"code": f"c{policy}", "out": f"o{policy}", "err": f"e{policy}"}
    code = f"#{words['code']}\nx() {{ echo o$1; echo e$1 >&2; }}; x {policy}; exit 4"
    body = json.dumps({"language": "bash", "code": code, "policy": policy, "stdin": "s" + policy})
    result = keeping.ask("POST", "/v1/runs", body)[2]
    assert (result["exit_code"], result["stdout"]) == (4, words["out"] + "\n")
    status, _, kept = keeping.ask("GET", f"/v1/runs/{result['id']}")
    if "out" in found:
        assert (status, kept) == (200, result)
    else:
        assert (status, kept["detail"]) == (
            410, f"the result of {result['id']} was not kept: its policy wants no output in the history")
    for kind, word in words.items():
        assert ids(keeping, "?q=" + word) == ([result["id"]] if kind in found.split() else [])
    summary = listed(keeping, f"?policy={policy}")[0][0]
    assert (summary["status"], summary["exit_code"]) == ("exit", 4)
    assert summary["request_digest"] == hashlib.sha256(body.encode()).hexdigest()
    state = b"".join(path.read_bytes() for path in (keeping.directory / "state").glob("history.db*"))
    for kind, word in (words | {"stdin": "s" + policy}).items():
        is_kept = ("code" if kind in ("code", "stdin") else "out") in found.split()
        assert (word.encode() in state) == is_kept, kind


def test_what_is_not_kept_cannot_be_fetched_later(keeping):
    for policy in ("nooutput", "nothing"):
        status, text, hint = keeping.problem(
            "POST", "/v1/runs", {"language": "bash", "code": ":", "policy": policy}, LATER)
        assert (status, text) == (
            403, "the policy wants no output in the history, so no result can be fetched later")
        assert "respond-async" in hint
    path = later(keeping, language="bash", code="echo later", policy="nocode")
    assert result_at(keeping, path)["stdout"] == "later\n"
    wait_until(keeping.is_idle)


# ---- exported ----


def exported(server, query="", connection=None):
    status, headers, body = server.ask("GET", "/v1/runs/export" + query, connection=connection)
    assert (status, headers["Content-Type"]) == (200, "application/x-ndjson"), body
    assert body == b"" or body.endswith(b"\n")
    return [json.loads(line) for line in body.splitlines()]


def test_all_are_exported(server, some):
    """What a list says of each, and what was asked for and came of it."""
    body = '{"language":\r\n"bash",\n\t"code": "echo lines; echo \\"two\\""}'
    server.ask("POST", "/v1/runs", body)
    own = UnixConnection(server.socket)
    server.run(own, language="bash", code="echo own")
    everything = exported(server, connection=own)
    assert [run["id"] for run in everything] == ids(server, "?limit=1000", own)
    for run in everything:
        request, result = run.pop("request"), run.pop("result")
        assert run == listed(server, f"?limit=1&after={run['id']}0", own)[0][0]
        assert request is None or {"language", "code"} <= request.keys()
        if result is not None:
            valid(result)
            assert (result["id"], result["status"]) == (run["id"], run["status"])
    assert exported(server)[0]["request"] == json.loads(body)
    assert "own" not in {(run["result"] or {"stdout": ""})["stdout"].strip() for run in exported(server)}


@pytest.mark.parametrize("query", ["tag=one", "language=bash&status=exit", "q=alpha+beta", "since=2999-01-01"])
def test_an_export_is_filtered(server, some, query):
    assert [run["id"] for run in exported(server, "?" + query)] == ids(server, "?limit=1000&" + query)


def test_an_export_has_no_pages(server):
    assert server.problem("GET", "/v1/runs/export?limit=3")[:2] == (400, "'limit' is not known behind the '?'")
    assert server.problem("POST", "/v1/runs/export", {})[0] == 405
    status, headers, body = server.ask("HEAD", "/v1/runs/export")
    assert (status, body) == (200, b"")


def test_an_export_says_where_it_ends(server):
    """And the connection goes on behind it."""
    connection = server.connect()
    assert exported(server, "?tag=nobody", connection) == []
    assert len(exported(server, "", connection)) > 3
    assert server.ask("GET", "/healthz", connection=connection)[0] == 200
    with server.raw() as bare:
        bare.sendall(b"GET /v1/runs/export?limit= HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: bare.recv(65536), b""))
    head, _, lines = answer.partition(b"\r\n\r\n")
    assert b"400" in head  # an empty limit is none that an export knows
    with server.raw() as bare:
        bare.sendall(b"GET /v1/runs/export HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: bare.recv(65536), b""))
    head, _, lines = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head and b"Content-Length" not in head
    assert [json.loads(line) for line in lines.splitlines()] == exported(server)


def test_an_export_is_consistent_while_runs_are_added(tmp_path):
    """It is read slowly, in pieces; what comes meanwhile is not in it, and the server holds little."""
    with Server("--history", "64m", directory=tmp_path) as server:
        code = "print('x' * 300_000)"
        before = [server.run(language="python", code=code)[2]["id"] for _ in range(40)]
        connection = server.connect()
        connection.request("GET", "/v1/runs/export")
        response = connection.getresponse()
        first = response.readline()
        later = [server.run(language="bash", code="echo new")[2]["id"] for _ in range(3)]
        held = re.search(r"^cella_answer_bytes (\d+)$", server.ask("GET", "/metrics")[2].decode(), re.M)
        assert 0 < int(held[1]) < 2 << 20
        lines = [first, *response.read().splitlines()]
        assert [json.loads(line)["id"] for line in lines] == before[::-1]
        assert set(later) <= set(ids(server))
        wait_until(lambda: b"\ncella_answer_bytes 0\n" in server.ask("GET", "/metrics")[2])


def test_exports_at_one_time(tmp_path):
    """There is an end to them, so that slow readers cannot hold all that the server may."""
    with Server(directory=tmp_path) as server:
        for _ in range(12):
            server.run(language="python", code="print('x' * 900_000)", limits={"stdout_bytes": 1 << 20})
        slow = [server.raw() for _ in range(17)]
        for connection in slow:
            connection.sendall(b"GET /v1/runs/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heads = sorted(connection.recv(16) for connection in slow)
        assert heads == [b"HTTP/1.1 200 OK\r"] * 16 + [b"HTTP/1.1 429 Too"]
        for connection in slow:
            connection.close()
        wait_until(lambda: b"\ncella_answer_bytes 0\n" in server.ask("GET", "/metrics")[2])
        wait_until(lambda: server.ask("GET", "/v1/runs/export")[0] == 200)
        assert len(exported(server)) == 12


def test_an_export_that_breaks_off_does_not_look_whole(tmp_path):
    with Server(directory=tmp_path) as server:
        for _ in range(30):
            server.run(language="python", code="print('x' * 900_000)", limits={"stdout_bytes": 1 << 20})
        connection = server.connect()
        connection.request("GET", "/v1/runs/export")
        response = connection.getresponse()
        response.readline()
        with sqlite3.connect(tmp_path / "state" / "history.db") as database:
            database.execute("ALTER TABLE runs RENAME TO gone")
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        assert server.logged("error: an export ends early: the history cannot be read") == 1
        assert server.ask("GET", "/healthz")[0] == 200
        with sqlite3.connect(tmp_path / "state" / "history.db") as database:
            database.execute("ALTER TABLE gone RENAME TO runs")


# ---- many ----

MANY = 200_000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A server that remembers many runs, of which the oldest is unlike the others."""
    directory = tmp_path_factory.mktemp("many")
    with Server(directory=directory) as server:
        server.run(language="bash", code=":")
    with sqlite3.connect(directory / "state" / "history.db") as database:
        database.executescript(f"""
            CREATE TEMP TABLE one AS SELECT * FROM runs;
            DELETE FROM runs; DELETE FROM texts;
            INSERT INTO runs(id, tenant, added_at, bytes, kept, record, summary, request, result)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
                SELECT printf('%026d', i), tenant, added_at, bytes, kept, record,
                    json_set(summary, '$.id', printf('%026d', i), '$.tag', iif(i = 1, 'rare', 'many'),
                             '$.status', iif(i = 1, 'exit', 'ok')), request, result FROM n, one;
            INSERT INTO texts(rowid, code, stdout, stderr)
                SELECT number, tag || ' word', '', '' FROM runs;""")
    database.close()
    with Server(directory=directory) as server:
        yield server


def search_in_turns(server, path):
    """What is found, and how many others were answered meanwhile, one after the other."""
    data, others = b"", 0
    with server.raw() as searching:
        searching.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection = server.connect()
        while not data.endswith(b"\r\n0\r\n\r\n"):
            while select.select([searching], [], [], 0)[0]:
                data += searching.recv(65536)
                assert data
                if data.endswith(b"\r\n0\r\n\r\n"):
                    break
            assert server.ask("GET", "/healthz", connection=connection)[0] == 200
            others += 1
    chunk = data.partition(b"\r\n\r\n")[2].partition(b"\r\n")[2]  # there is one
    return json.loads(chunk.partition(b"\n")[0]), others


@pytest.mark.parametrize("path", ["?tag=rare", "?status=exit&language=bash", "?q=rare+word",
                                  "/export?tag=rare", "/export?q=rare+word"])
def test_others_have_their_turn_while_a_rare_one_is_looked_for(many, path):
    found, others = search_in_turns(many, "/v1/runs" + path)
    (run,) = [found] if "export" in path else found["runs"]
    assert (run["id"], run["tag"]) == (f"{1:026}", "rare")
    assert others > 3  # of one whose search is a single turn, the next answer comes behind it


def test_others_have_their_turn_while_all_are_counted(many):
    found, others = search_in_turns(many, "/v1/stats")
    assert found["statuses"] == {"exit": 1, "ok": MANY - 1}
    assert found["wall_ms"]["p50"] == found["wall_ms"]["p99"]
    assert others > 3


def test_what_is_found_at_once_is_answered_at_once(many):
    status, headers, body = many.ask("GET", "/v1/runs?q=many&limit=2")
    assert (status, headers["Transfer-Encoding"]) == (200, None)
    assert [run["id"] for run in body["runs"]] == [f"{MANY:026}", f"{MANY - 1:026}"]
    assert body["next"] == f"{MANY - 1:026}"
    last = many.ask("GET", f"/v1/runs?limit=3&after={3:026}")[2]
    assert [run["id"] for run in last["runs"]] == [f"{2:026}", f"{1:026}"] and last["next"] is None


def test_a_search_by_http2(many):
    """Two streams of a connection, each in its turns, and others that are answered meanwhile."""
    with Client(many) as client:
        streams = [client.ask("GET", path) for path in ("/v1/runs?tag=rare", "/v1/runs/export?q=rare+word")]
        others = 0
        while not client.over.intersection(streams):
            assert client.wait(client.ask("GET", "/healthz"))[0] == 200
            others += 1
        for stream in streams:
            status, _, data = client.wait(stream)
            assert status == 200 and json.loads(data).get("runs", [{"tag": "rare"}])[0]["tag"] == "rare"
    assert others > 3


def test_who_goes_away_is_not_searched_for(many):
    for _ in range(80):  # more than there may be at one time
        with many.raw() as one:
            one.sendall(b"GET /v1/runs?tag=rare HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until(lambda: many.ask("GET", "/v1/runs?tag=rare")[0] == 200)


# ---- whose they are ----


def test_tcp_does_not_see_what_the_socket_ran(server):
    """Every user of the host may connect by TCP."""
    own = UnixConnection(server.socket)
    secret = server.run(own, language="bash", code="echo secret")[2]["id"]
    assert server.problem("GET", f"/v1/runs/{secret}")[0] == 404
    assert secret not in ids(server, "?limit=1000") and ids(server, "?q=secret") == []
    assert ids(server, "?q=secret", own) == [secret]
    path = later(server, own, **SLEEP)
    assert server.problem("DELETE", path)[0] == 404
    assert server.problem("GET", path)[0] == 404
    assert server.ask("DELETE", path, connection=own)[0] == 202
    public = server.run(language="bash", code="echo for all")[2]["id"]
    assert public in ids(server, "", own)


# ---- what becomes of them ----


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path):
    with Server(directory=tmp_path) as first:
        done = first.run(language="bash", code="echo done")[2]
        path = later(first, **SLEEP)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    with Server(directory=tmp_path) as second:
        assert second.ask("GET", f"/v1/runs/{done['id']}")[2] == done
        lost = result_at(second, path)
        valid(lost)
        assert (lost["id"], lost["status"]) == (path.rpartition("/")[2], "internal")
        assert lost["error"]["text"] == "the server ended while the run was on its way"
        assert ids(second, "?status=internal") == [lost["id"]]
        assert second.logged("the server before has lost 1 run") == 1


def test_a_server_that_ends_waits_for_them(tmp_path):
    with Server(directory=tmp_path) as first:
        path = later(first, language="bash", code="sleep 1; echo late")
        assert first.stop() == 0
    with Server(directory=tmp_path) as second:
        assert result_at(second, path)["stdout"] == "late\n"


def test_what_is_too_much_goes_the_oldest_first():
    with Server("--history", "64k") as server:
        code = "print('x' * 10_000)"
        done = [server.run(language="python", code=code)[2]["id"] for _ in range(20)]
        kept = ids(server)
        assert kept == done[::-1][:len(kept)] and 3 <= len(kept) <= 6
        assert server.problem("GET", f"/v1/runs/{done[0]}")[0] == 404
        assert ids(server, "?q=" + "x" * 500) == []


def test_what_is_not_kept_takes_no_room(tmp_path):
    """Requests that are to be fetched later, whose policy keeps no code: nothing has to go for them."""
    policies = tmp_path / "cella" / "policies"
    policies.mkdir(parents=True)
    (policies / "nocode.yaml").write_text("extends: default\nhistory: {code: false}\n")
    with Server("--history", "64k", environment={"XDG_CONFIG_HOME": str(tmp_path)}) as server:
        done = [server.run(language="bash", code="echo first")[2]["id"]]
        for _ in range(6):
            path = later(server, language="bash", code="#" + "x" * 20_000, policy="nocode")
            done.append(result_at(server, path)["id"])
        assert ids(server) == done[::-1]


def test_room_is_counted_in_bytes(tmp_path):
    with Server(directory=tmp_path) as server:
        code = "#" + "\N{SNOWMAN}" * 5_000
        runs = [server.run(language="bash", code=code)[2]["id"],
                result_at(server, later(server, language="bash", code=code))["id"],
                later(server, language="bash", code="sleep 60" + code).rpartition("/")[2]]
        server.process.kill()
        server.process.wait()
    with Server(directory=tmp_path) as server:
        assert result_at(server, f"/v1/runs/{runs[-1]}")["status"] == "internal"
    with sqlite3.connect(tmp_path / "state" / "history.db") as database:
        for id_ in runs:
            counted, there = database.execute(
                "SELECT bytes, length(CAST(request AS BLOB)) + length(CAST(result AS BLOB))"
                " FROM runs WHERE id = ?", (id_,)).fetchone()
            assert counted == there > 15_000
    database.close()


def test_what_is_too_old_goes(tmp_path):
    with Server("--history-days", "7", directory=tmp_path) as server:
        old, young = (server.run(language="bash", code=f"echo {name}")[2]["id"] for name in ("old", "young"))
    with sqlite3.connect(tmp_path / "state" / "history.db") as database:
        for id_, days in ((old, 8), (young, 6)):
            database.execute("UPDATE runs SET added_at = added_at - ? WHERE id = ?", (days * 86400, id_))
    database.close()
    with Server("--history-days", "7", directory=tmp_path) as server:
        new = server.run(language="bash", code="echo new")[2]["id"]
        assert ids(server) == [new, young]
        assert ids(server, "?q=old") == [] and ids(server, "?q=young") == [young]


def test_without_a_history():
    with Server("--history", "0") as server:
        id_ = server.run(language="bash", code="echo 1")[2]["id"]
        assert server.problem("GET", f"/v1/runs/{id_}")[0] == 404
        assert server.problem("GET", "/v1/runs")[:2] == (400, "this server keeps no history")
        status, text, hint = server.problem("POST", "/v1/runs", SLEEP, LATER)
        assert (status, text) == (400, "this server keeps no history, so no run can be fetched later")
        wait_until(server.is_idle)
        assert not (server.directory / "state" / "history.db").exists()


def test_it_is_nobody_elses(server):
    for name in ("history.db", "history.db-wal"):
        assert (server.directory / "state" / name).stat().st_mode & 0o077 == 0


def broken(tmp_path):
    """What a server says that cannot begin."""
    with pytest.raises(AssertionError) as failure:
        Server(directory=tmp_path)
    return str(failure.value)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "state").mkdir(0o700)
    file = tmp_path / "state" / "history.db"
    file.write_bytes(b"not a database, but longer than the head of one" * 100)
    assert "the history cannot be read: file is not a database" in broken(tmp_path)
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert "the history cannot be opened" in broken(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_of_another_version(tmp_path):
    (tmp_path / "state").mkdir(0o700)
    database = sqlite3.connect(tmp_path / "state" / "history.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    assert "history.db was written by another version of Cella" in broken(tmp_path)


def test_a_file_of_the_first_version(tmp_path):
    """Is brought to the newest; what it has, it keeps."""
    with Server(directory=tmp_path) as server:
        done = server.run(language="bash", code="echo old")[2]
        own = server.run(UnixConnection(server.socket), language="bash", code="echo own")[2]
    with sqlite3.connect(tmp_path / "state" / "history.db") as database:
        database.executescript("""
            CREATE TABLE old(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
                added_at INTEGER NOT NULL, bytes INTEGER NOT NULL, summary TEXT,
                status TEXT AS (summary ->> '$.status') STORED, request TEXT, result TEXT);
            INSERT INTO old(number, id, tenant, added_at, bytes, summary, request, result)
                SELECT number, id, tenant, added_at, bytes, summary, request, result FROM runs;
            INSERT INTO old(id, tenant, added_at, bytes, request) VALUES('lost', '', 0, 2, '{}');
            DROP TABLE runs; ALTER TABLE old RENAME TO runs; PRAGMA user_version = 1""")
    database.close()
    for _ in range(2):
        with Server(directory=tmp_path) as server:
            assert server.ask("GET", f"/v1/runs/{done['id']}")[2] == done
            assert result_at(server, "/v1/runs/lost")["status"] == "internal"
            runs = {run["id"]: run for run in listed(server, "", UnixConnection(server.socket))[0]}
            assert [runs[id_]["tenant"] for id_ in (done["id"], own["id"])] == [None, "local"]
            assert runs[own["id"]]["request_digest"] is None


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small disk")
def test_a_full_disk_stops_no_run(tmp_path):
    state = tmp_path / "state"
    state.mkdir(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "small", state], check=True)
    try:
        with Server(directory=tmp_path) as server:
            path = later(server, language="python", code="import time; time.sleep(2); print('y' * 300_000)")
            with open(state / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 4096)
            code = "print('y' * 30_000)"
            results = [server.run(language="python", code=code)[2]["status"] for _ in range(3)]
            assert results == ["ok"] * 3
            assert server.logged("is not remembered: the history cannot be written") >= 1
            status, text, hint = server.problem("POST", "/v1/runs",
                                                {"language": "bash", "code": ":" + "#" * 50_000}, LATER)
            assert (status, hint) == (500, "make room on its disk")
            assert text.startswith("the history cannot be written")
            wait_until(server.is_idle)
            wait_until(lambda: server.ask("GET", path)[0] != 202)  # which would be for ever
            assert server.problem("GET", path) == (
                410, f"{path.rpartition('/')[2]} has ended, and its result could not be written down",
                "the server's log says why; run it again")
            os.unlink(state / "filler")
            id_ = server.run(language="python", code=code)[2]["id"]
            assert id_ in ids(server)
    finally:
        subprocess.run(["umount", state], check=True)


# ---- statistics ----


def test_how_many_recovered(tmp_path):
    """Of those that were begun again: by what the file says of them."""
    with Server(directory=tmp_path) as server:
        done = [server.run(language="bash", code=":")[2]["id"] for _ in range(5)]
    with sqlite3.connect(tmp_path / "state" / "history.db") as database:
        database.execute("UPDATE runs SET summary = json_set(summary, '$.attempts', 2) WHERE id < ?", (done[3],))
        database.execute("UPDATE runs SET summary = json_set(summary, '$.status', 'internal') WHERE id = ?", (done[0],))
    database.close()
    with Server(directory=tmp_path) as server:
        assert server.ask("GET", "/v1/stats")[2]["rates"] == {
            "success": 0.8, "failure": 0.2, "timeout": 0, "internal": 0.2, "recovery": 0.6667}


def test_statistics():
    with Server() as server:
        nothing = server.ask("GET", "/v1/stats")[2]
        assert nothing == {"statuses": {}, "status_rates": {}, "runs": 0, "wall_ms": dict.fromkeys(["p50", "p90", "p99", "average"]),
                           "rates": dict.fromkeys(["success", "failure", "timeout", "internal", "recovery"])}
        took = []
        for code in ["exit 0"] * 5 + ["exit 1"] * 3 + ["sleep 9"] * 2:
            took.append(server.run(language="bash", code=code, limits={"wall_ms": 300})[2]["usage"]["wall_ms"])
        stats = server.ask("GET", "/v1/stats")[2]
        assert stats["runs"] == 10
        assert stats["statuses"] == {"ok": 5, "exit": 3, "wall_time": 2}
        assert stats["status_rates"] == {"ok": 0.5, "exit": 0.3, "wall_time": 0.2}
        assert stats["rates"] == {"success": 0.5, "failure": 0.5, "timeout": 0.2, "internal": 0, "recovery": None}
        took.sort()
        assert stats["wall_ms"] == {"p50": took[4], "p90": took[8], "p99": took[9],
                                    "average": pytest.approx(sum(took) / 10, abs=0.01)}
        assert server.ask("GET", "/v1/stats?until=2020")[2] == nothing
        assert server.ask("GET", "/v1/stats?since=2020")[2] == stats
        server.run(UnixConnection(server.socket), language="bash", code="exit 1")
        assert server.ask("GET", "/v1/stats")[2] == stats
        assert server.ask("GET", "/v1/stats", connection=UnixConnection(server.socket))[2]["runs"] == 11
        assert server.problem("GET", "/v1/stats?status=ok")[:2] == (400, "'status' is not known behind the '?'")
