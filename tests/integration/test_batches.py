"""POST /v1/batches: one program, many tests, a verdict for each (docs/batches.md)."""
import base64
import json
import os
import signal

import jsonschema
import pytest
from program import ROOT
from server import Server, events_of, wait_until
from test_keys import bearer, cella_key

SCHEMA = json.loads((ROOT / "schema" / "batch_result.schema.json").read_text())
REQUEST_SCHEMA = json.loads((ROOT / "schema" / "batch.schema.json").read_text())
CAT = {"language": "bash", "code": "cat"}
ADD = {"language": "python", "code": "print(sum(map(int, input().split())))"}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def batch(server, program, tests, **more):
    body = {"program": program, "tests": tests, **more}
    jsonschema.validate(body, REQUEST_SCHEMA)
    status, _, result = server.ask("POST", "/v1/batches", body)
    assert status == 200, result
    jsonschema.validate(result, SCHEMA)
    assert [test["name"] for test in result["tests"]] == [
        test.get("name") or str(i + 1) for i, test in enumerate(tests)]
    return result


def verdicts(result):
    return [test["verdict"] for test in result["tests"]]


def refused(server, body, raw=False):
    status, _, problem = server.ask("POST", "/v1/batches", body if raw else json.dumps(body))
    return status, problem["field"], problem["detail"]


# ---- verdicts ----


def test_each_test_has_its_verdict(server):
    result = batch(server, ADD, [
        {"stdin": "1 2", "expected_output": "3\n"},
        {"stdin": "1 2", "expected_output": "4\n", "name": "wrong"},
        {"stdin": "a", "expected_output": "4\n"},
        {"stdin": "20 22", "expected_output": "42"},
        {"stdin": "5 6"},
    ])
    assert verdicts(result) == ["accepted", "wrong_answer", "runtime_error", "accepted", "accepted"]
    assert result["verdict"] == "wrong_answer"
    assert result["message"] == "test wrong: line 1, column 1 is not what was expected"
    wrong, failed = result["tests"][1:3]
    assert wrong["difference"] == {"line": 1, "column": 1, "expected": "4", "got": "3"}
    assert wrong["stdout"] == "3\n" and wrong["run"]["status"] == "ok"
    assert "ValueError" in failed["stderr"] and failed["run"]["exit_code"] == 1
    assert failed["difference"] is None and failed["checker"] is None
    summary = result["summary"]
    assert (summary["tests"], summary["accepted"]) == (5, 3)
    assert summary["verdicts"] == {"accepted": 3, "wrong_answer": 1, "runtime_error": 1}
    assert summary["wall_ms"]["total"] >= summary["wall_ms"]["max"] > 0
    assert summary["memory_peak_bytes"] > 1 << 20


@pytest.mark.parametrize("code,limits,verdict", [
    ("sleep 60", {"wall_ms": 200}, "wall_time"),
    ("while :; do :; done", {"cpu_ms": 200}, "cpu_time"),
    ("x=$(head -c 100m /dev/zero | tr '\\0' x)", {"memory_bytes": 32 << 20}, "memory"),
    ("head -c 10000 /dev/zero; echo; exec echo ok", {"stdout_bytes": 1000}, "output"),
    ("kill -SEGV $$", {}, "runtime_error"),
    ("exit 7", {}, "runtime_error"),
])
def test_limits_are_named(server, code, limits, verdict):
    program = {"language": "bash", "code": code}
    result = batch(server, program, [{"limits": limits, "expected_output": "x"}])
    assert verdicts(result) == [verdict]
    assert result["verdict"] == verdict


def test_what_a_test_changes(server):
    program = {"language": "bash", "stdin": "theirs\n", "args": ["one"],
               "files": [{"path": "f", "content": "file"}],
               "code": "cat; echo \"$*\"; cat f; [ ! -e g ] || cat g; ulimit -n"}
    result = batch(server, program, [
        {"expected_output": "theirs\none\nfile256\n"},
        {"stdin": "mine\n", "args": ["two", "three"],
         "files": [{"path": "g", "content": "more"}], "limits": {"open_files": 100},
         "expected_output": "mine\ntwo three\nfilemore100\n"},
        {"stdin": {"content": "/wA=", "encoding": "base64"},
         "expected_output": {"content": "/wBvbmUKZmlsZTI1Ngo=", "encoding": "base64"}},
        {"args": [], "stdin": "", "expected_output": "\n\nfile256\n"},
    ], comparison={"mode": "exact"})
    assert verdicts(result)[:3] == ["accepted"] * 3, result["tests"]
    assert result["tests"][3]["difference"]["got"] == "file256\n"


# ---- comparison ----


@pytest.mark.parametrize("comparison,expected", [
    ({"mode": "exact"}, [1, 0, 0, 0, 0]),
    (None, [1, 1, 0, 0, 0]),
    ({"mode": "whitespace"}, [1, 1, 0, 0, 0]),
    ({"mode": "tokens"}, [1, 1, 1, 0, 0]),
    ({"mode": "numeric"}, [1, 1, 1, 1, 0]),
    ({"mode": "numeric", "absolute": 0.01}, [1, 1, 1, 1, 1]),
    ({"mode": "numeric", "relative": 0.01}, [1, 1, 1, 1, 1]),
    ({"mode": "numeric", "absolute": 0.0001}, [1, 1, 1, 1, 0]),
])
def test_comparisons(server, comparison, expected):
    outputs = ["1 2.5\n", "1 2.5  \r\n\n", " 1\n2.5\n", "1.0 25e-1\n", "1 2.509\n"]
    more = {} if comparison is None else {"comparison": comparison}
    result = batch(server, CAT, [{"stdin": output, "expected_output": "1 2.5\n"} for output in outputs],
                   **more)
    assert [verdict == "accepted" for verdict in verdicts(result)] == list(map(bool, expected))


def test_large_outputs_are_compared_whole(server):
    size = 8_000_000
    program = {"language": "python", "code": f"import sys; sys.stdout.write('x' * {size} + input())",
               "limits": {"stdout_bytes": 32 << 20}}
    result = batch(server, program, [{"stdin": "y", "expected_output": "x" * size + "y"},
                                     {"stdin": "z", "expected_output": "x" * size + "y"}])
    assert verdicts(result) == ["accepted", "wrong_answer"]
    assert result["tests"][1]["difference"]["column"] == size + 1
    assert len(result["tests"][1]["difference"]["got"]) <= 120
    assert len(result["tests"][1]["stdout"]) == 1024


# ---- compiled once ----

C_CAT = "#include <stdio.h>\nint main(void) { int c; while ((c = getchar()) != EOF) putchar(c); }"


@pytest.mark.parametrize("code", [C_CAT, C_CAT + " /* " + "__DATE" + "__ */"])
def test_a_program_is_compiled_once(server, code):
    """The second text is never kept by a cache."""
    before = compilations(server)
    result = batch(server, {"language": "c", "code": code, "tag": code[-9:]},
                   [{"stdin": str(i), "expected_output": str(i)} for i in range(10)], parallel=4)
    assert result["verdict"] == "accepted", result
    assert result["compile"]["status"] == "ok"
    assert compilations(server) - before == 1


def compilations(server):
    """Of the runs that are remembered, those that compiled by themselves."""
    ids = [run["id"] for run in server.ask("GET", "/v1/runs?language=c&limit=1000")[2]["runs"]]
    results = (server.ask("GET", f"/v1/runs/{id}")[2] for id in ids)
    return sum(not result["compile"]["cached"] for result in results)


def test_a_compile_error_is_told_once(server):
    result = batch(server, {"language": "c", "code": "int main(void) { return x; }"},
                   [{"stdin": "1"}, {"stdin": "2"}])
    assert result["verdict"] == "compile_error"
    assert "the compiler exited with code 1" in result["message"]
    assert "'x' undeclared" in result["compile"]["stderr"].replace("‘", "'").replace("’", "'")
    assert verdicts(result) == ["skipped"] * 2
    assert result["summary"]["verdicts"] == {"skipped": 2}


# ---- stopping, order, events ----


def test_it_stops_at_the_first_failure(server):
    result = batch(server, CAT, [{"stdin": "1", "expected_output": "1"},
                                 {"stdin": "1", "expected_output": "2"},
                                 *({"stdin": "1"} for _ in range(20))],
                   stop_on_failure=True, parallel=1)
    assert verdicts(result) == ["accepted", "wrong_answer"] + ["skipped"] * 20
    assert result["verdict"] == "wrong_answer"
    assert result["tests"][2]["run"] is None


def test_those_that_go_on_are_cancelled_with_it(server):
    program = {"language": "bash", "code": "read x; [ $x = 0 ] || sleep 60"}
    result = batch(server, program, [{"stdin": "1\n"}, {"stdin": "1\n"}, {"stdin": "0\n",
                   "expected_output": "x"}], stop_on_failure=True, parallel=3)
    assert verdicts(result) == ["skipped", "skipped", "wrong_answer"]
    wait_until(server.is_idle)


def test_the_order_is_that_of_the_tests(server):
    program = {"language": "bash", "code": "read x; sleep 0.$x; echo $x"}
    tests = [{"stdin": f"{i}\n", "expected_output": f"{i}"} for i in (5, 3, 1, 0)]
    result = batch(server, program, tests, parallel=4)
    assert [test["stdout"] for test in result["tests"]] == ["5\n", "3\n", "1\n", "0\n"]


def test_events_tell_of_each_as_it_ends(server):
    program = {"language": "bash", "code": "read x; sleep $x; echo $x"}
    connection = server.connect()
    connection.request("POST", "/v1/batches", json.dumps(
        {"program": program, "tests": [{"stdin": "1\n"}, {"stdin": "0\n"}], "parallel": 2}),
        {"Content-Type": "application/json", "Accept": "text/event-stream"})
    events = list(events_of(connection.getresponse()))
    assert [name for name, _ in events] == ["started", "test", "test", "result"]
    assert events[0][1]["tests"] == 2
    assert [event["name"] for _, event in events[1:3]] == ["2", "1"]
    result = events[3][1]
    jsonschema.validate(result, SCHEMA)
    assert result["id"] == events[0][1]["id"] and result["verdict"] == "accepted"
    assert result["tests"] == [events[2][1], events[1][1]]


def test_no_more_at_one_time_than_asked_for(server):
    program = {"language": "bash", "code": "sleep 0.3"}
    connection = server.connect()
    connection.request("POST", "/v1/batches", json.dumps(
        {"program": program, "tests": [{}] * 4, "parallel": 1}), {"Content-Type": "application/json"})
    most = []

    def has_ended():
        text = server.ask("GET", "/metrics")[2].decode()
        most.append(int(next(line.split()[1] for line in text.splitlines()
                             if line.startswith("cella_jobs "))))
        return most[-1] == 0 and max(most) > 0

    wait_until(has_ended, 30)
    assert max(most) == 1
    assert json.load(connection.getresponse())["verdict"] == "accepted"


def test_its_runs_end_with_its_client(server):
    connection = server.connect()
    connection.request("POST", "/v1/batches", json.dumps(
        {"program": {"language": "bash", "code": "sleep 60"}, "tests": [{}] * 10}),
        {"Content-Type": "application/json"})
    wait_until(lambda: not server.is_idle())
    connection.sock.close()
    wait_until(server.is_idle)
    assert server.ask("GET", "/healthz")[0] == 200


# ---- checkers ----

CHECKER = {"language": "python", "code": """
import sys
input, output, answer = (open(name).read().split() for name in sys.argv[1:4])
if output[:1] == ["boom"]: raise SystemExit(3)
if output[:1] == ["loop"]:
    while True: pass
if output[:1] == ["layout"]: raise SystemExit(2)
print("expected", answer, "got", output, file=sys.stderr)
raise SystemExit(sorted(output) != sorted(answer) or len(sys.argv) != 5 or sys.argv[4] != "extra")
""", "args": ["extra"], "limits": {"wall_ms": 1000}}


def test_a_checker_judges(server):
    outputs = ["1 2 3", "3 1 2", "1 2", "boom", "layout", "loop"]
    result = batch(server, CAT, [{"stdin": output, "expected_output": "1 2 3"} for output in outputs],
                   checker=CHECKER, parallel=3)
    assert verdicts(result) == ["accepted", "accepted", "wrong_answer", "checker_error",
                                "presentation_error", "checker_error"]
    tests = result["tests"]
    assert tests[2]["checker"] == {"exit_code": 1,
                                   "message": "expected ['1', '2', '3'] got ['1', '2']\n"}
    assert tests[3]["message"].startswith("the checker: exited with code 3")
    assert tests[5]["checker"]["exit_code"] is None and "limit" in tests[5]["message"]
    assert result["verdict"] == "wrong_answer"
    assert all(test["difference"] is None for test in tests)


def test_a_checker_is_compiled_once_too(server):
    code = "#include <stdio.h>\n/* testlib's order: input, output, answer; __TIME__ */\n" \
           "int main(int c, char **v) { FILE *f = fopen(v[2], \"r\"); return c != 4 || fgetc(f) != 'x'; }"
    before = compilations(server)
    result = batch(server, CAT, [{"stdin": "x"}, {"stdin": "y"}, {"stdin": "xx"}] * 3,
                   checker={"language": "c", "code": code}, parallel=3)
    assert verdicts(result) == ["accepted", "wrong_answer", "accepted"] * 3
    assert compilations(server) - before == 1


def test_files_of_a_test_are_not_compiled(server):
    code = "#if __has_include(\"data\")\n#error seen\n#endif\n" + C_CAT.replace(
        "main(void) {", "main(void) { stdin = fopen(\"data\", \"r\");")
    before = compilations(server)
    result = batch(server, {"language": "c", "code": code}, [
        {"files": [{"path": "data", "content": str(i)}], "expected_output": str(i)} for i in range(4)])
    assert verdicts(result) == ["accepted"] * 4, result
    assert compilations(server) - before == 1


def test_a_checker_that_is_not_compiled(server):
    result = batch(server, CAT, [{"stdin": "x"}] * 4, checker={"language": "c", "code": "int"},
                   parallel=2)
    assert verdicts(result) == ["checker_error"] * 4
    assert result["verdict"] == "checker_error"


# ---- what is refused ----


@pytest.mark.parametrize("change,field,words", [
    ({"program": None}, "program", "program is missing"),
    ({"program": "x"}, "program", "must be an object"),
    ({"program": 5}, "program", "must be an object"),
    ({"checker": "x"}, "checker", "must be an object"),
    ({"tests": None}, "tests", "tests is missing"),
    ({"tests": []}, "tests", "tests has no test"),
    ({"tests": [{}] * 1001}, "tests", "tests has more than 1000 tests"),
    ({"tests": {}}, "tests", "tests must be an array, not an object"),
    ({"program": {**CAT, "files": [{"path": f"{'d' * 200}/{'x' * 200}{i}", "content": ""} for i in range(4000)]},
      "tests": [{}] * 1000}, "tests", "has 1000 tests with 17"),
    ({"tests": [{}, {}, {}, {"stdin": 5}]}, "tests[3].stdin", "must be a string or an object"),
    ({"tests": [{"stdin": {"content": "*", "encoding": "base64"}}]}, "tests[0].stdin.content",
     "is not base64"),
    ({"tests": [{"stdin": {"encoding": "base64"}}]}, "tests[0].stdin.content", "is missing"),
    ({"tests": [{"stdout": ""}]}, "tests[0].stdout", "is not a field"),
    ({"tests": [{"name": "x" * 129}]}, "tests[0].name", "has more than 128 bytes"),
    ({"tests": [{}, {"limits": {"wall": 1}}]}, "tests[1].limits.wall", "is not a field"),
    ({"tests": [{}, {"limits": {"wall_ms": 10**9}}]}, "tests[1].limits.wall_ms", "at most"),
    ({"tests": [{"args": [1]}]}, "tests[0].args[0]", "must be a string"),
    ({"program": {"language": "bash"}}, "program.code", "nothing to run"),
    ({"program": {"language": "nope", "code": ""}}, "program.language", "'nope'"),
    ({"program": {"language": "bash", "code": "", "limits": {"wall_ms": 10**9}}},
     "program.limits.wall_ms", "allows at most"),
    ({"comparison": {"mode": "fuzzy"}}, "comparison.mode", "must be 'exact'"),
    ({"comparison": {"absolute": 1}}, "comparison.absolute", "is for numbers alone"),
    ({"comparison": {"mode": "numeric", "relative": -1}}, "comparison.relative", "0 or more"),
    ({"comparison": {"mode": "exact"}, "checker": CHECKER}, "checker", "beside a comparison"),
    ({"checker": {"language": "python"}, "tests": [{}]}, "checker.code", "nothing to run"),
    ({"parallel": 0}, "parallel", "from 1 to 8"),
    ({"parallel": 9}, "parallel", "from 1 to 8"),
    ({"stop_on_failure": 1}, "stop_on_failure", "must be true or false"),
    ({"test": []}, "test", "is not a field"),
])
def test_refusals(server, change, field, words):
    body = {"program": CAT, "tests": [{}], **change}
    status, found, detail = refused(server, body)
    assert (status, found) in ((400, field), (403, field)), detail
    assert words in detail


def test_bounds_are_held_at_their_edge(server):
    result = batch(server, {"command": ["/bin/true"]}, [{}] * 40, parallel=8)
    assert result["verdict"] == "accepted"
    assert batch(server, CAT, [{"name": "x" * 128}])["tests"][0]["name"] == "x" * 128


def test_a_large_program_is_read_once(server):
    """However many tests there are, and whatever they change."""
    large = base64.b64encode(bytes(24 << 20)).decode()
    program = {"language": "bash", "code": "#" * (1 << 20) + "\nwc -c < large; cat small own; echo $*",
               "args": ["none"], "files": [{"path": "large", "content": large, "encoding": "base64"},
                                           {"path": "small", "content": "s"}]}
    tests = [{"args": [str(i)], "files": [{"path": "own", "content": f"o{i} "}],
              "limits": {"wall_ms": 9000 + i % 2}, "expected_output": f"{24 << 20}\nso{i} {i}\n"} for i in range(48)]
    result = batch(server, program, tests)
    assert result["verdict"] == "accepted", result["message"]
    twice = {"files": [{"path": "small", "content": "again"}]}
    result = batch(server, program, [tests[0], twice])
    assert verdicts(result) == ["accepted", "refused"]
    assert "'small' is given twice" in result["tests"][1]["message"]


@pytest.mark.parametrize("body,words", [
    (b"", "has no body"), (b"[]", "must be an object"), (b"{", "line 1"),
    (b'{"tests": [{}], "tests": [{}]}', "duplicate"),
    (b'{"program": {"language": "bash", "code": "\xff"}, "tests": [{}]}', "0xff"),
    (b"[" * 100, "nested"),
])
def test_malformed(server, body, words):
    status, _, detail = refused(server, body, raw=True)
    assert status == 400 and words in detail


# ---- what goes wrong on our side ----


def test_a_killed_keeper_costs_it_nothing():
    with Server() as server:
        connection = server.connect()
        connection.request("POST", "/v1/batches", json.dumps(
            {"program": {"language": "c", "code": C_CAT.replace("main(void) {", "main(void) { sleep(1);")
                         .replace("#include", "#include <unistd.h>\n#include", 1)},
             "tests": [{"stdin": str(i), "expected_output": str(i)} for i in range(4)], "parallel": 2}),
            {"Content-Type": "application/json"})
        wait_until(lambda: server.has_processes(3))
        os.kill(server.keeper(), signal.SIGKILL)
        result = json.load(connection.getresponse())
        jsonschema.validate(result, SCHEMA)
        assert verdicts(result) == ["accepted"] * 4
        assert max(test["run"]["attempts"] for test in result["tests"]) > 1


def test_a_server_that_ends_lets_it_end():
    with Server() as server:
        connection = server.connect()
        connection.request("POST", "/v1/batches", json.dumps(
            {"program": {"language": "bash", "code": "sleep 0.5"}, "tests": [{}] * 4, "parallel": 1}),
            {"Content-Type": "application/json"})
        wait_until(lambda: not server.is_idle())
        server.process.send_signal(signal.SIGTERM)
        assert verdicts(json.load(connection.getresponse())) == ["accepted"] * 4
        assert server.process.wait(timeout=30) == 0


def test_a_server_that_is_told_twice_does_not():
    with Server() as server:
        connection = server.connect()
        connection.request("POST", "/v1/batches", json.dumps(
            {"program": {"language": "bash", "code": "sleep 60"}, "tests": [{}] * 4, "parallel": 1}),
            {"Content-Type": "application/json"})
        wait_until(lambda: not server.is_idle())
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.logged("ends:") == 1)
        server.process.send_signal(signal.SIGTERM)
        result = json.load(connection.getresponse())
        assert (result["verdict"], verdicts(result)) == ("cancelled", ["cancelled"] * 4)
        server.process.wait(timeout=30)


def test_it_ends_with_its_key(tmp_path):
    os.chmod(tmp_path, 0o755)
    key = cella_key(tmp_path, "create", "alice")
    with Server(directory=tmp_path) as server:
        connection = server.connect()
        connection.request("POST", "/v1/batches", json.dumps(
            {"program": {"language": "bash", "code": "sleep 60"}, "tests": [{}] * 20, "parallel": 2}),
            {"Content-Type": "application/json", **bearer(key)})
        wait_until(lambda: not server.is_idle())
        cella_key(tmp_path, "revoke", "alice")
        result = json.load(connection.getresponse())
        assert (result["verdict"], set(verdicts(result))) == ("cancelled", {"cancelled"})
        wait_until(server.is_idle)


def test_it_keeps_to_the_bounds_of_its_key(tmp_path):
    os.chmod(tmp_path, 0o755)
    key = cella_key(tmp_path, "create", "alice", "--concurrency", "1", "--cpu-seconds-per-day", "1")
    with Server(directory=tmp_path) as server:
        code = "read x; for ((i = 0; i < 200000; i++)); do :; done; date +%s%N; sleep 0.1; date +%s%N"
        body = {"program": {"language": "bash", "code": code}, "tests": [{"stdin": "1\n"}] * 20, "parallel": 8}
        status, _, result = server.ask("POST", "/v1/batches", body, bearer(key))
        assert status == 200, result
        ran = [test["stdout"].split() for test in result["tests"] if test["verdict"] == "accepted"]
        assert all(first[1] <= second[0] for first, second in zip(ran, ran[1:]))  # one after the other
        assert verdicts(result)[-1] == "refused" and len(ran) < 20
        assert "is for 1 processor second a day" in result["tests"][-1]["message"]


# ---- fetched later ----

LATER = {"Prefer": "respond-async"}


def later(server, tests, program=CAT):
    status, headers, body = server.ask("POST", "/v1/batches", {"program": program, "tests": tests}, LATER)
    assert (status, headers["Location"]) == (202, f"/v1/batches/{body['id']}")
    return headers["Location"]


def test_one_is_fetched_later(server):
    path = later(server, [{"stdin": "1", "expected_output": "1"}, {"stdin": "1", "expected_output": "2"}])
    wait_until(lambda: server.ask("GET", path)[0] == 200)
    result = server.ask("GET", path)[2]
    jsonschema.validate(result, SCHEMA)
    assert verdicts(result) == ["accepted", "wrong_answer"]
    assert path.endswith(result["id"])
    assert server.ask("DELETE", path)[0] == 404


def test_one_is_cancelled(server):
    path = later(server, [{}] * 3, {"language": "bash", "code": "sleep 60"})
    assert server.ask("GET", path)[::2] == (202, {"id": path.rpartition("/")[2]})
    assert server.ask("DELETE", path)[0] == 202
    wait_until(lambda: server.ask("GET", path)[0] == 200)
    result = server.ask("GET", path)[2]
    jsonschema.validate(result, SCHEMA)
    assert (result["verdict"], verdicts(result)) == ("cancelled", ["cancelled"] * 3)
    wait_until(server.is_idle)


def test_there_is_none_of_that_name(server):
    assert server.problem("GET", "/v1/batches/x")[:2] == (404, "no batch 'x' is known")
    assert server.problem("DELETE", "/v1/batches/x")[:2] == (404, "no batch 'x' is on its way")


def test_one_that_was_lost_is_told_as_that(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Server(directory=tmp_path) as server:
        done = later(server, [{}])
        wait_until(lambda: server.ask("GET", done)[0] == 200)
        lost = later(server, [{}], {"language": "bash", "code": "sleep 60"})
        server.stop(signal.SIGKILL)
    with Server(directory=tmp_path) as server:
        assert server.ask("GET", done)[2]["verdict"] == "accepted"
        assert server.problem("GET", lost)[:2] == (
            410, "what became of the batch was not written down: the server ended meanwhile, or could not write")


def test_the_one_that_has_just_ended_stays():
    """Whatever room there is: who asked for it is about to fetch it."""
    with Server("--history", "1k") as server:
        for _ in range(2):
            path = later(server, [{"stdin": "x" * 2000}])
            wait_until(lambda: server.ask("GET", path)[0] != 202)
            assert server.ask("GET", path)[2]["verdict"] == "accepted"


def test_without_a_history_none_is_fetched_later():
    with Server("--history", "0") as server:
        status, text, hint = server.problem("POST", "/v1/batches", {"program": CAT, "tests": [{}]},
                                            headers=LATER)
        assert (status, text) == (400, "this server keeps no history, so no batch can be fetched later")
        wait_until(server.is_idle)
