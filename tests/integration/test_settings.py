"""What a server is told: options, variables, a configuration file; and `cella serve --check`."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from program import CELLA, USERS
from server import Server, events_of, wait_until

PLAIN = {"PATH": "/usr/bin:/bin", "CELLA_CONFIG": "none"}


def check(*options, file=None, tmp_path=None, user=(), **variables):
    """Exit code, the settings in force as {key: (value, source)}, and what was said."""
    if file is not None:
        path = tmp_path / "serve.yaml"
        path.write_bytes(file if isinstance(file, bytes) else file.encode())
        options = ("--config", str(path), *options)
    done = subprocess.run([*user, CELLA, "serve", "--check", *options], capture_output=True, text=True,
                          timeout=30, check=False, env={**PLAIN, **variables})
    told = {}
    for line in done.stdout.splitlines()[1:]:
        key, _, rest = line.partition(": ")
        told[key] = tuple(rest.rsplit(" # ", 1))
    return done.returncode, told, done.stderr.splitlines()


def test_the_defaults():
    code, told, lines = check("--socket", "/s", "--state", "/t")
    assert (code, lines) == (0, [])
    assert told == {
        "listen": ('["127.0.0.1:8420"]', "default"), "socket": ('"/s"', "option"),
        "state": ('"/t"', "option"), **{key: told[key] for key in told if told[key][1] == "default"}}
    assert told["history"] == ('"256m"', "default") and told["log"] == ("null", "default")


def test_option_variable_file_default(tmp_path):
    file = "history: 1g\nhistory_days: 3\npool_memory: 1024\n"
    more = {"CELLA_HISTORY": "2g", "CELLA_HISTORY_DAYS": "4"}
    code, told, _ = check("--history", "3g", file=file, tmp_path=tmp_path, **more)
    assert code == 0
    assert told["history"] == ('"3g"', "option")
    assert told["history_days"] == ("4", "variable")
    assert told["pool_memory"] == ('"1024"', "file")
    assert told["compile_cache"] == ('"256m"', "default")


def test_a_list_is_one_source_s_alone(tmp_path):
    file = 'listen: ["127.0.0.1:1", "[::1]:2"]\n'
    assert check(file=file, tmp_path=tmp_path)[1]["listen"][0] == '["127.0.0.1:1","[::1]:2"]'
    told = check(file=file, tmp_path=tmp_path, CELLA_LISTEN="127.0.0.1:3,127.0.0.1:4")[1]
    assert told["listen"] == ('["127.0.0.1:3","127.0.0.1:4"]', "variable")
    told = check("--listen", "127.0.0.1:5", "--listen", "127.0.0.1:6", file=file, tmp_path=tmp_path,
                 CELLA_LISTEN="127.0.0.1:3")[1]
    assert told["listen"] == ('["127.0.0.1:5","127.0.0.1:6"]', "option")
    assert check(file="listen: []\n", tmp_path=tmp_path)[1]["listen"] == ("[]", "file")
    assert check(file="listen: 127.0.0.1:1\n", tmp_path=tmp_path)[1]["listen"][0] == '["127.0.0.1:1"]'


def test_what_is_printed_can_be_read(tmp_path):
    done = subprocess.run([CELLA, "serve", "--check", "--log", '/a "b": #c', "--listen", "none"],
                          capture_output=True, text=True, timeout=30, check=True, env=PLAIN)
    _, told, lines = check(file=done.stdout, tmp_path=tmp_path)
    assert not lines and told["log"] == ('"/a \\"b\\": #c"', "file")


@pytest.mark.parametrize("file", ["", "# nothing\n\n", "log:\n", "log: null"])
def test_a_file_that_says_nothing(tmp_path, file):
    code, told, _ = check(file=file, tmp_path=tmp_path)
    assert code == 0 and {source for _, source in told.values()} == {"default"}


@pytest.mark.parametrize("file, text, hint", [
    ("history: 1g\nhistory_day: 3\n", "2:1: history_day is not a field",
     "did you mean 'history_days'?"),
    ("history: 1g\nhistory: 2g\n", "2:1: the key 'history' is there twice", None),
    ("history_days: 0\n", "1:1: history_days 0 must be from 1 to 36500", None),
    ("history_days: 36501\n", "1:1: history_days 36501 must be from 1 to 36500", None),
    ("history_days: '3'\n", "1:1: history_days must be a whole number", None),
    ("history_days: 1.5\n", "1:1: history_days must be a whole number", None),
    ("history: true\n", "1:1: history must be a string, not a boolean", None),
    ("history: much\n", "1:1: history much is not a size such as 64k, 256m or 1.5g", None),
    ("history: -1\n", "1:1: history -1 is not a size such as 64k, 256m or 1.5g", None),
    ("drain_time: 25h\n", "1:1: drain_time 25h must be from 0 ms to 24 h", None),
    ("log: a/b\n", "1:1: log must be an absolute path", None),
    ("log: ''\n", "1:1: log must not be empty", None),
    ("log: [/a]\n", "1:1: log must be a string, not an array", None),
    ('log: "/a\\0b"\n', "1:1: log must not contain NUL", None),
    ("listen: [127.0.0.1:1, 8420]\n", "1:23: listen[1] must be a string, not a number", None),
    ("listen: 127.0.0.1\n", "1:1: listen 127.0.0.1 is not an address and a port",
     "give it as 127.0.0.1:8420 or [::1]:8420, or 'none'"),
    ("listen: [" + "127.0.0.1:1," * 17 + "]\n", "1:202: listen[16] 127.0.0.1:1 is one more than the 16 "
     "that there may be", None),
    ("log_format: xml\n", "1:1: log_format xml is none of text|json", None),
    ("log_format: tex\n", "1:1: log_format tex is none of text|json", None),
    ("- history\n", "1:1: the file must be a mapping of names to values", None),
    ("history: &a 1g\n", "1:10: anchors and tags are not allowed", None),
    ("history: [\n", "1:10: what '[' opens here goes wrong at line 2, column 1: did not find "
     "expected node content", None),
    ("history: 1g\n---\nhistory: 2g\n", "2:1: the file must have one document only", None),
    (b"\xff\n", ": byte 0: invalid leading UTF-8 octet", None),
    ("#" + "x" * 65536, " has 65537 bytes, at most 65536 are allowed", None),
])
def test_files_that_are_wrong(tmp_path, file, text, hint):
    code, told, lines = check(file=file, tmp_path=tmp_path)
    assert (code, told) == (125, {})
    assert lines[0] == f"cella: {tmp_path}/serve.yaml{text if text[0] in ': ' else ':' + text}"
    assert lines[1:] == ([f"  hint: {hint}"] if hint else [])


def test_what_is_overridden_is_checked_all_the_same(tmp_path):
    code, _, lines = check("--history", "1g", file="history: much\n", tmp_path=tmp_path)
    assert code == 125 and "history much" in lines[0]
    code, _, lines = check("--history", "1g", CELLA_HISTORY="much")
    assert (code, lines) == (126, ["cella: CELLA_HISTORY=much is not a size such as 64k, 256m or 1.5g"])


def test_an_empty_variable_is_none():
    assert check(CELLA_HISTORY="")[1]["history"] == ('"256m"', "default")
    assert check("--history", "")[::2] == (126, ["cella: --history  is not a size such as 64k, 256m or 1.5g"])


@pytest.mark.parametrize("value, problem", [
    ("0", None), ("1048576g", None), ("1048577g", "is more than 1 PiB"), ("-1", "is not a size such as 64k, 256m or 1.5g")])
def test_sizes_at_their_bounds(value, problem):
    code, _, lines = check(f"--history={value}")
    assert (code, lines) == ((126, [f"cella: --history {value} {problem}"]) if problem else (0, []))


# ---- who may write it, and where it is ----


def test_files_that_cannot_be_trusted(tmp_path):
    path = tmp_path / "serve.yaml"
    path.write_text("history: 1g\n")
    path.chmod(0o646)
    assert check("--config", str(path))[::2] == (125, [
        f"cella: {path} can be written by everybody", f"  hint: chmod o-w {path}"])
    path.chmod(0o644)
    assert check("--config", str(path))[0] == 0
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        assert check("--config", str(path))[::2] == (125, [
            f"cella: {path} belongs to another user",
            "  hint: it must be root's, or of the user that the server runs as"])


@pytest.mark.parametrize("path, text", [
    ("/nonexistent", "cannot open /nonexistent: No such file or directory\n"
     "  hint: give --config a file that this user can read, or 'none'"),
    ("/dev/null", "/dev/null is not a regular file"),
    ("/etc", "/etc is not a regular file")])
def test_places_of_no_file(path, text):
    assert check("--config", path)[::2] == (125, f"cella: {text}".splitlines())


def test_a_file_from_where_the_command_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, lines = check("--config", "x.yaml")
    assert code == 125 and lines[0] == f"cella: cannot open {tmp_path}/x.yaml: No such file or directory"
    (tmp_path / "x.yaml").write_text("history_days: 3\n")
    assert check("--config", "x.yaml")[1]["history_days"] == ("3", "file")
    assert check(CELLA_CONFIG="./x.yaml")[1]["history_days"] == ("3", "file")


def test_a_pipe_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert check("--config", str(tmp_path / "pipe"))[0] == 125


def test_the_user_s_file_is_found():
    """An ordinary user's: root's is in /etc."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        (Path(directory) / "cella").mkdir()
        (Path(directory) / "cella" / "serve.yaml").write_text("history: 1g\n")
        more = {"user": USERS["user"], "CELLA_CONFIG": "", "XDG_CONFIG_HOME": directory,
                "XDG_RUNTIME_DIR": directory, "XDG_STATE_HOME": directory}
        assert check(**more)[1]["history"] == ('"1g"', "file")
        assert check("--config", "none", **more)[1]["history"] == ('"256m"', "default")


def test_a_word_that_says_nothing():
    done = subprocess.run([os.path.join(os.path.dirname(CELLA), "cella-serve"), "hist=1"],
                          capture_output=True, text=True, timeout=30, check=False, env=PLAIN)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        126, "cella: 'hist=1' says nothing to this program")


# ---- reading it again ----


def reload(server, file, text, answer="has read its configuration again"):
    """`server` reads that; what it logs while it does so."""
    before, times = len(server.text()), server.logged(answer)
    file.write_text(text)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.logged(answer) > times)
    return server.text()[before:]


def test_reading_again_changes_what_can_change(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text("history_days: 3\nhistory: 1m\ncompile_cache: 1m\n")
    with Server("--config", str(file), directory=tmp_path) as server:
        running = server.connect()
        running.request("POST", "/v1/runs", json.dumps(
            {"language": "bash", "code": "read line; echo $line", "stdin": "through\n"}),
            {"Content-Type": "application/json"})
        told = reload(server, file, "history_days: 4\nhistory: 2m\ncompile_cache: 2m\n"
                      "log_format: json\n")
        assert json.loads(running.getresponse().read())["stdout"] == "through\n"
        assert "history_days is now 4" in told and "history is now 2m" in told
        assert "compile_cache stays as it is until the server is started again" in told
        assert '"message":"has read its configuration again"' in told
        told = reload(server, file, "history: 0\n")
        assert "history stays as it is" in told and "history_days is now 30" in told
        assert "log_format is now text" in told and "compile_cache is now" not in told
        assert server.run(language="bash", code="echo 1")[2]["stdout"] == "1\n"


def test_a_wrong_file_changes_nothing(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text("history_days: 3\n")
    with Server("--config", str(file), directory=tmp_path) as server:
        for text in ("history_days: 4\nhistory_day: 5\n", "history_days: 4\nlog_format: x\n", "\0"):
            told = reload(server, file, text, "has read its languages again")
            assert "now" not in told and str(file) in told
            assert 0 < told.index("the configuration stays as it was") < told.index("has read its languages again")
            assert "in a new file" not in told  # its log lies where it lay
            assert ("history_day is not a field; did you mean 'history_days'?" in told) == ("history_day:" in text)
        file.unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.logged(f"cannot open {file}"))
        told = reload(server, file, "history_days: 4\n")
        assert "history_days is now 4" in told  # from 3


def test_another_log(tmp_path):
    """In the directory of the one before: others the server cannot write to any more."""
    (tmp_path / "logs").mkdir()
    file, logs = tmp_path / "serve.yaml", tmp_path / "logs"
    file.write_text(f"log: {logs}/first\n")
    process = subprocess.Popen(
        [CELLA, "serve", "--config", str(file), "--listen", "none", "--socket", f"{tmp_path}/s",
         "--state", f"{tmp_path}/state", "--pool-memory", "0"], stdin=subprocess.DEVNULL,
        stderr=open(tmp_path / "stderr", "wb"), env=PLAIN)

    def says(path, text):
        if process.poll() is not None:
            raise AssertionError(path)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: path.exists() and text in path.read_text())

    try:
        wait_until(lambda: (logs / "first").exists() and " ready" in (logs / "first").read_text(), 30)
        file.write_text(f"log: {logs}/second\n")
        says(logs / "second", "has read its configuration again")
        file.write_text(f"log: {tmp_path}/none/third\n")
        says(logs / "second", f"cannot open the log {tmp_path}/none/third")
        file.write_text(f"log: {tmp_path}/third\n")
        says(logs / "second", f"cannot open the log {tmp_path}/third: Permission denied")
        file.write_text("")
        says(tmp_path / "stderr", "log is now what it is by default")
    finally:
        process.terminate()
        assert process.wait(30) == 0


# ---- languages ----

PARROT = """package: none
extensions: [.parrot]
path: [/bin/bash]
version: ["{{path}}", --version]
entry: main.parrot
run: ["{{path}}", -c, "{code}", parrot]
errors:
  rules:
    - match: '^(?<class>Squawk): (?<message>{message})$'
"""


class Languages:
    """A server, and the file of a language of its own."""

    def __init__(self, directory):
        self.file = directory / "cella" / "runtimes" / "parrot.yaml"
        self.file.parent.mkdir(parents=True)
        self.environment = {"XDG_CONFIG_HOME": str(directory)}

    def write(self, code, message=".*"):
        self.file.write_text(PARROT.format(code=code, message=message))


def reload_languages(server, answer="has read its languages again"):
    before, times = len(server.text()), server.logged(answer)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.logged(answer) > times)
    return server.text()[before:]


def test_languages_are_read_again(tmp_path):
    languages = Languages(tmp_path)
    languages.write("echo one")
    request = {"language": "parrot", "code": "?"}
    with Server(environment=languages.environment) as server:
        assert server.run(**request)[2]["stdout"] == "one\n"
        languages.write("echo two")
        assert server.run(**request)[2]["stdout"] == "one\n"  # not before it is told to
        reload_languages(server)
        assert server.run(**request)[2]["stdout"] == "two\n"
        languages.write("echo Squawk: polly >&2; exit 1", "polly")
        reload_languages(server)
        assert server.run(**request)[2]["diagnosis"]["message"] == "polly"
        languages.file.rename(languages.file.with_name("other.yaml"))
        reload_languages(server)
        assert server.run(**request)[2]["type"] == "urn:cella:error:runtime"
        assert server.run(**{**request, "language": "other"})[2]["status"] == "exit"
        assert server.logged("has read its configuration again") == 3


def test_runs_go_on_with_the_language_that_they_began_with(tmp_path):
    """Its rules for errors too, which are looked at when it has ended."""
    languages = Languages(tmp_path)
    languages.write("echo up; sleep 1.5; echo Squawk: before >&2; exit 1", "before")
    with Server(environment=languages.environment) as server:
        connection = server.connect()
        connection.request("POST", "/v1/runs", json.dumps(
            {"language": "parrot", "code": "?"}),
            {"Content-Type": "application/json", "Accept": "text/event-stream"})
        events = events_of(connection.getresponse())
        assert [next(events)[0], next(events)[0]] == ["started", "stdout"]
        for number in range(3):
            languages.write(f"echo {number}", "after")
            reload_languages(server)
        result = next(data for name, data in events if name == "result")
        assert result["diagnosis"]["message"] == "before"
        assert server.run(language="parrot", code="?")[2]["stdout"] == "2\n"


@pytest.mark.parametrize("text, told", [
    ("package: [\n", "parrot.yaml:"),
    ("package: none\nnonsense: 1\n", "parrot.yaml:2:1: nonsense is not a field"),
    (PARROT.format(code="echo two", message="("), "parrot.yaml:9:")])
def test_a_language_that_is_wrong_changes_none(tmp_path, text, told):
    languages = Languages(tmp_path)
    languages.write("echo one")
    other = languages.file.with_name("macaw.yaml")
    with Server(environment=languages.environment) as server:
        request = {"language": "parrot", "code": "?"}
        assert server.run(**request)[2]["stdout"] == "one\n"
        languages.file.write_text(text)
        other.write_text(PARROT.format(code="echo three", message=".*").replace(".parrot", ".macaw"))
        said = reload_languages(server, "the languages stay as they were")
        assert told in said and "has read its configuration again" in said
        assert server.run(**request)[2]["stdout"] == "one\n"
        languages.write("echo two")
        reload_languages(server)
        assert server.run(**request)[2]["stdout"] == "two\n"
        assert server.run(**{**request, "language": "macaw"})[2]["stdout"] == "three\n"


def test_languages_are_read_again_under_load(tmp_path):
    languages = Languages(tmp_path)
    languages.write("echo 0")
    results, ends = [], threading.Event()
    with Server(environment=languages.environment) as server:

        def ask():
            connection = server.connect()
            while not ends.is_set():
                results.append(server.run(connection, language="parrot", code="?")[2])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 20):
                languages.write(f"echo {number}")
                reload_languages(server)
                before = len(results)
                wait_until(lambda: len(results) > before + 2)
        finally:
            ends.set()
            for thread in threads:
                thread.join()
        assert {result["status"] for result in results} == {"ok"}
        assert server.run(language="parrot", code="?")[2]["stdout"] == "19\n"


# ---- logs that are moved ----


def rotate(file, way):
    """As logrotate does it, before its postrotate."""
    old = file.with_name(file.name + ".1")
    if way == "copytruncate":
        shutil.copy(file, old)
        os.truncate(file, 0)
    else:
        file.rename(old)
        if way == "create":
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return old


@pytest.mark.parametrize("way", ["create", "nocreate", "copytruncate"])
def test_logs_are_rotated(tmp_path, way):
    audit = tmp_path / "audit.jsonl"
    with Server("--audit", str(audit), directory=tmp_path) as server:
        for times in range(2):
            assert server.run(language="bash", code=f": {times}")[0] == 200
            before = {server.log: "POST /v1/runs 200", audit: "run.created"}
            old = {file: rotate(file, way) for file in before}
            if way != "copytruncate":
                server.process.send_signal(signal.SIGHUP)
                wait_until(lambda: server.logged("goes on in a new file"))
            assert server.run(language="bash", code=": again")[0] == 200
            for file, words in before.items():
                wait_until(lambda: file.read_text().count(words) == 1)
                assert old[file].read_text().count(words) == (1 if times == 0 else 2)
                assert "\0" not in file.read_text()  # it goes on at its beginning
                assert file.stat().st_mode & 0o777 == 0o600
