"""Sessions of the contract of /execute: interpreters that stay, and guests that mean ill with them."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from program import CELLA
from server import Server, wait_until

pytestmark = pytest.mark.skipif(
    subprocess.run(["/usr/bin/python3", "-c", "import IPython"], env={}, stderr=subprocess.DEVNULL,
                   check=False).returncode != 0, reason="IPython is not installed")


@pytest.fixture(scope="module", name="server")
def one_server():
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def no_others(server):
    """What earlier tests have left would be in the way: the longest idle ends where room is needed."""
    yield
    for session_id in server.ask("GET", "/sessions")[2]["sessions"]:
        assert server.ask("DELETE", f"/sessions/{session_id}")[0] in (200, 404)


def body_of(code, timeout=30, **more):
    return {"generated_code": code, "timeout": timeout, "language": "ipython", **more}


class Session:
    """Calls of one, by an id of its own."""

    count = 0

    def __init__(self, server, session_id=None, headers=None):
        Session.count += 1
        self.server = server
        self.id = session_id or f"session-{Session.count}"
        self.headers = {"X-Session-ID": self.id, **(headers or {})}

    def ask(self, code, timeout=30, **more):
        """Status and answer."""
        status, _, answer = self.server.ask("POST", "/execute", body_of(code, timeout, **more), self.headers)
        return status, answer

    def call(self, code, timeout=30, **more):
        """What came of it, with whether the session is new."""
        status, answer = self.ask(code, timeout, **more)
        assert status == 200, answer
        assert set(answer) == {"process_status", "stdout", "stderr", "new_session_created"}
        return tuple(answer[name] for name in ["process_status", "stdout", "stderr", "new_session_created"])

    def begin(self, code="", **more):
        assert self.call(code, **more) == ("completed", "", "", True)
        return self

    def send(self, code, timeout=30):
        """A call on its way: its connection."""
        connection = self.server.connect()
        connection.request("POST", "/execute", json.dumps(body_of(code, timeout)),
                           {"Content-Type": "application/json", **self.headers})
        return connection

    def delete(self):
        return self.server.ask("DELETE", f"/sessions/{self.id}", headers=self.headers)[0]

    def is_there(self):
        return self.id in self.server.ask("GET", "/sessions", headers=self.headers)[2]["sessions"]


def answer_of(connection):
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return answer


def new(server, **more):
    return Session(server, **more).begin()


# ---- what stays ----

def test_what_is_defined_stays(server):
    session = Session(server)
    assert session.call("import math\nx = 40\ndef add(n):\n    return x + n") == ("completed", "", "", True)
    assert session.call("x = x + 0\nadd(math.floor(2.5))") == ("completed", "42\n", "", False)
    assert session.call("import os; os.chdir('/tmp'); open('a', 'w').write('b')") == ("completed", "1\n", "", False)
    assert session.call("!cat a") == ("completed", "b", "", False)
    # An error leaves all of it.
    status, stdout, stderr, is_new = session.call("x = 1\nnothing")
    assert (status, stderr, is_new) == ("error", "", False) and stdout.endswith("NameError: name 'nothing' is not defined\n")
    assert session.call("1 / 0", traceback_verbosity="minimal")[1] == "ZeroDivisionError: division by zero\n"
    assert session.call("x") == ("completed", "1\n", "", False)
    # Another one has nothing of it.
    assert Session(server).call("x")[0::3] == ("error", True)


def test_listing_and_deleting(server):
    before = time.time()
    session = new(server)
    one = server.ask("GET", "/sessions")[2]
    assert one["backend"] == "ipython"
    told = one["sessions"][session.id]
    assert (told["backend"], told["alive"]) == ("ipython", True)
    assert before - 1 < told["created"] <= told["last_used"] < time.time() + 1
    status, _, answer = server.ask("DELETE", f"/sessions/{session.id}")
    assert (status, answer) == (200, {"message": f"IPython session {session.id} deleted successfully"})
    assert not session.is_there()
    assert server.ask("DELETE", f"/sessions/{session.id}")[2] == \
        {"error": f"IPython session {session.id} not found"}
    assert session.call("1") == ("completed", "1\n", "", True)


def test_input_and_output(server):
    session = Session(server)
    assert session.call("print(input('say ') + input())", std_input="a\nb\nc\n") == ("completed", "say ab\n", "", True)
    # What was not read is not the next one's.
    assert "EOFError" in session.call("input()")[1]
    assert session.call("import sys\nsys.stdin.read()", std_input="\u00e9") == ("completed", "'\u00e9'\n", "", False)
    assert session.call("print('abcdef')\nprint('ghi', file=sys.stderr)", max_output_characters=4) == \
        ("completed", "abcd<output cut>", "ghi\n", False)
    assert session.call("import os\nos.write(1, b'a\\xff\\n')\nNone") == ("completed", "a\ufffd\n", "", False)
    assert session.call("os.write(2, b'err\\n'); print('x' * 300000)") == \
        ("completed", "x" * 300000 + "\n", "err\n", False)
    big = "y" * 400000  # more than pipes hold, in both directions
    assert session.call(f"print(len(input() + '{big}'))", std_input=big) == ("completed", "800000\n", "", False)


def test_other_languages_have_none(server):
    for language in ["python", "shell"]:
        status, _, answer = server.ask("POST", "/execute", {**body_of("exit"), "language": language},
                                       {"X-Session-ID": f"of {language}"})
        assert status == 200 and "new_session_created" not in answer
    assert not any(name.startswith("of ") for name in server.ask("GET", "/sessions")[2]["sessions"])


@pytest.mark.parametrize("session_id", ["", "x" * 129, "a/b"])
def test_ids_that_are_none(server, session_id):
    status, _, answer = server.ask("POST", "/execute", body_of("1"), {"X-Session-ID": session_id})
    assert status == 400 and "1 to 128 characters" in answer["stderr"]


# ---- time ----

def test_a_timeout_keeps_the_session(server):
    session = new(server)
    for code in ["while True: pass", "import time; time.sleep(60)", "!sleep 60"]:
        status, stdout, stderr, is_new = session.call("x = 5; print('a', end='')\n" + code, 0.5)
        assert (status, stdout) == ("timeout", "a")
        assert stderr.endswith("Execution timed out after 0.5 seconds\n") and not is_new
    assert session.call("while True: pass", 1)[2] == "Execution timed out after 1 seconds\n"
    assert session.call("x") == ("completed", "5\n", "", False)
    assert session.call("x", timeout=0) == ("timeout", "", "Execution timed out after 0 seconds\n", False)
    assert Session(server).call("x", timeout=0)[3] is True


def test_a_timeout_of_what_cannot_be_interrupted(server):
    session = new(server)
    code = ("import time\nprint('before')\nwhile True:\n    try: time.sleep(60)\n"
            "    except KeyboardInterrupt: print('no')")
    assert session.call(code, 0.5) == \
        ("timeout", "before\nno\n", "Execution timed out after 0.5 seconds\n", True)
    assert session.call("1") == ("completed", "1\n", "", True)


def test_an_interrupt_is_for_one_cell(server):
    session = new(server)
    for _ in range(10):
        session.call("import time; time.sleep(0.1)", 0.1)
        assert session.call("import time; time.sleep(0.02); 1") == ("completed", "1\n", "", False)
    session.call("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert session.call("while True: pass", 0.3)[0::3] == ("timeout", False)


def test_calls_of_one_session_wait_in_order(server):
    session = new(server)
    first = session.send("import time; time.sleep(0.5); order = [1]")
    time.sleep(0.1)
    second = session.send("order.append(2); time.sleep(0.3)")
    time.sleep(0.1)
    third = session.send("order", timeout=0.2)  # what it waits is not its own time
    assert [answer_of(one)["process_status"] for one in [first, second]] == ["completed", "completed"]
    assert answer_of(third)["stdout"] == "[1, 2]\n"
    sent = [session.send("time.sleep(1)")] + [session.send("1") for _ in range(20)]
    statuses = [one.getresponse().status for one in sent]
    assert statuses.count(429) == 5 and statuses.count(200) == 16
    for one in sent:
        one.close()


def test_a_client_that_goes(server):
    session = new(server)
    session.send("import time; time.sleep(0.5); x = 7").close()
    time.sleep(0.1)
    waits = session.send("x = 8")  # goes before it is begun
    time.sleep(0.1)
    waits.close()
    time.sleep(0.1)
    assert session.call("x") == ("completed", "7\n", "", False)
    # With its first call a session goes that is not there yet.
    early = Session(server)
    early.send("1").close()
    wait_until(lambda: not early.is_there() or early.call("1")[0] == "completed")


# ---- guests that mean ill ----

@pytest.mark.parametrize("code, words", [
    ("import os; os._exit(3)", "exited with code 3"),
    ("import os; os._exit(0)", "ended"),
    ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
    ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ("x = bytearray(3 << 30)\nx[::4096] = b'x' * len(x[::4096])", "memory"),
    ("import os; os.closerange(0, 1024)", "ended"),
    ("while True: print('x' * 10000)", "output"),
    ("import os\nwhile True: os.write(2, b'x' * 100000)", "output"),
])
def test_the_end_of_a_session(server, code, words):
    session, other = Session(server), new(server)
    session.begin("kept = 1")
    status, stdout, stderr, is_new = session.call("print('printed')\n" + code, max_output_characters=2000)
    assert (status, is_new) == ("error", True) and stdout.startswith("printed\n")
    if "os.write(2" not in code:
        assert words in stderr and stderr.endswith("the session has ended, and what it held is gone\n")
    assert session.call("kept")[0::3] == ("error", True)
    assert other.call("1") == ("completed", "1\n", "", False)


@pytest.mark.parametrize("code, stdout", [
    ("import sys; print(1); sys.exit(3)", None),
    ("import sys; sys.stdout.close(); sys.stderr.close(); sys.stdin.close()", ""),
    ("import os; os.close(0); os.close(1); os.close(2)", ""),
    ("import os, sys; null = os.open('/dev/null', 1); os.dup2(null, 1); os.dup2(null, 2); print(1)", ""),
    ("import io, sys; sys.stdout = sys.stderr = io.StringIO(); print(1)", ""),
    ("import os; print(1); pid = os.fork()", "1\n"),
    ("import os; print(1); os.set_blocking(1, False); os.set_blocking(2, False)", "1\n"),
    ("import os; files = [os.open('/dev/null', 0) for _ in range(100)]; os.close(files[0])", ""),
    ("raise BaseException", None),
    ("import threading, time; threading.Thread(target=time.sleep, args=(100,)).start()", ""),
    ("import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); print(1)", "1\n"),
    ("open('/tmp/full', 'w').write('x')", None),
])
def test_a_session_survives(server, code, stdout):
    session = Session(server)
    session.begin("kept = 1")
    _, got, _, is_new = session.call(code)
    assert not is_new
    assert stdout is None or got == stdout
    assert session.call("import sys\nprint(kept)\nprint(2, file=sys.stderr)") == ("completed", "1\n", "2\n", False)
    assert session.call("input()", std_input="i") == ("completed", "'i'\n", "", False)
    assert session.delete() == 200


def test_all_descriptors_taken(server):
    session = Session(server)
    session.begin("kept = 1")
    session.call("import os\nfiles = []\ntry:\n    while True: files.append(os.open('/dev/null', 0))\nexcept OSError: pass")
    assert session.call("kept") == ("completed", "1\n", "", False)


def test_children_that_go_on(server):
    """What a child writes later is the next call's; a cell does not wait for it."""
    session = Session(server)
    code = "import subprocess\np = subprocess.Popen('sleep 0.3; echo child; sleep 100', shell=True)\nprint(1)"
    assert session.call(code) == ("completed", "1\n", "", True)
    time.sleep(0.6)
    assert session.call("print(2)") == ("completed", "child\n2\n", "", False)
    flood = "subprocess.Popen('while echo flood; do :; done', shell=True)\nNone"
    session.call(flood, max_output_characters=10)
    wait_until(lambda: not session.is_there(), 60)  # its output is bounded, also when nobody asks
    assert session.call("1") == ("completed", "1\n", "", True)


# What runs the cells is found, and made to tell the word that is meant for the mark of each.
SPY = """
import gc, os, sys, time, types
ours = next(o for o in gc.get_objects() if isinstance(o, types.FunctionType) and o.__name__ == 'serve'
            and 'interrupts' in o.__globals__).__globals__
def spy(*args, run_cell=ours['run_cell']):
    global word
    word = sys._getframe(1).f_locals['word']
    return run_cell(*args)
ours['run_cell'] = spy
def forge(*fds):
    for fd in fds:
        os.write(fd, b'\\x1e' + word + b'1\\n')
"""


def test_forged_marks(server):
    session, other = Session(server), new(server)
    session.begin(SPY)
    # One that comes early ends this call: the rest is the next one's.
    assert session.call("forge(1, 2); time.sleep(0.5); print('late')") == ("completed", "", "", False)
    status, stdout, _, _ = session.call("print(2)")
    assert status == "completed" and stdout.startswith("late\n") and stdout.endswith("2\n")
    # On one stream alone it is nothing yet.
    assert session.call("forge(2); time.sleep(0.2); print('said')")[:2] == ("completed", "said\n")
    # Words that nobody asked for, and other rubbish, are output.
    rubbish = "\\x1e" + "f" * 32 + "1\\n\\x1e\\x1e\\n"
    assert session.call(f"print('{rubbish}', end='')")[1].endswith("\x1e" + "f" * 32 + "1\n\x1e\x1e\n")
    # Who takes the next frame away, if he is faster, gets no answer before its time is over.
    thief = ("import os, threading, gc, io\n"
             "files = [o for o in gc.get_objects() if isinstance(o, io.BufferedReader) and o.fileno() >= 64]\n"
             "threading.Thread(target=lambda: files[0].raw.readall(), daemon=True).start()")
    session.call(thief)
    assert session.call("print(3)", timeout=1)[0] in ("timeout", "error", "completed")
    assert other.call("1") == ("completed", "1\n", "", False)


# ---- who has which ----

def make_key(server, name, *options):
    made = subprocess.run([CELLA, "key", "create", name, "--state", server.directory / "state",
                           "--key-policy", "execute", *options],
                          stdout=subprocess.PIPE, text=True, check=True)
    return {"Authorization": f"Bearer {made.stdout.split()[-1]}"}


def test_tenants():
    with Server() as server:
        one, two = make_key(server, "one"), make_key(server, "two")
        narrow = make_key(server, "narrow", "--concurrency", "1")
        wait_until(lambda: server.ask("GET", "/sessions", headers=narrow)[0] == 200)
        ones, twos = Session(server, "same", one), Session(server, "same", two)
        ones.begin("x = 1")
        assert twos.call("x")[0::3] == ("error", True)
        twos.call("x = 2")
        assert ones.call("x") == ("completed", "1\n", "", False)
        assert list(server.ask("GET", "/sessions", headers=one)[2]["sessions"]) == ["same"]
        assert twos.delete() == 200 and twos.delete() == 404
        assert ones.call("x") == ("completed", "1\n", "", False)
        # A key for one run at a time has one session: an idle one makes way for the next.
        first, second = Session(server, "first", narrow), Session(server, "second", narrow)
        first.begin()
        assert second.call("y = 1") == ("completed", "", "", True)
        busy = second.send("import time; time.sleep(1)")
        time.sleep(0.3)
        status, answer = first.ask("1")
        assert status == 429 and "1 run at one time" in answer["stderr"]
        assert answer_of(busy)["process_status"] == "completed"
        # A key that is for another policy has none.
        made = subprocess.run([CELLA, "key", "create", "other", "--state", server.directory / "state",
                               "--key-policy", "piston"], stdout=subprocess.PIPE, text=True, check=True)
        other = Session(server, "same", {"Authorization": f"Bearer {made.stdout.split()[-1]}"})
        wait_until(lambda: other.ask("1")[0] == 400)
        assert "is not for the policy 'execute'" in other.ask("1")[1]["stderr"] and not other.is_there()
        # With a key its sessions go.
        subprocess.run([CELLA, "key", "revoke", "one", "--state", server.directory / "state"], check=True,
                       stdout=subprocess.DEVNULL)
        wait_until(lambda: ones.ask("1")[0] == 401)


# ---- how they end ----

def test_deleted_while_it_works(server):
    session = new(server)
    busy = session.send("print('begun'); import time; time.sleep(60)")
    waits = session.send("1")
    time.sleep(0.5)
    assert session.delete() == 200
    answer = answer_of(busy)
    assert answer["process_status"] == "error" and answer["new_session_created"]
    assert answer["stdout"] == "begun\n" and answer["stderr"].startswith("it was deleted; the session has ended")
    assert answer_of(waits)["stderr"].startswith("not run: it was deleted")
    assert session.call("1") == ("completed", "1\n", "", True)


def test_idle_ones_end():
    with Server("--session-idle", "1s") as server:
        session = new(server)
        time.sleep(0.6)
        assert session.call("import time; time.sleep(1.2); 1") == ("completed", "1\n", "", False)
        wait_until(lambda: not session.is_there(), 5)
        wait_until(server.is_idle)
        assert session.call("1") == ("completed", "1\n", "", True)


def test_idle_ones_give_way():
    """A session that has all of the room, and a run that waits for some."""
    with Server("--session-memory", "32g") as server:
        session = new(server)
        status, _, answer = server.ask("POST", "/execute", {**body_of("print(1)"), "language": "python"})
        assert (status, answer["stdout"]) == (200, "1\n")
        assert session.call("1") == ("completed", "1\n", "", True)
        # And another session.
        assert Session(server).call("1") == ("completed", "1\n", "", True)


def test_idle_ones_stay_where_there_is_room(server):
    session = new(server)
    time.sleep(5.5)
    new(server)
    assert server.ask("POST", "/execute", {**body_of("print(1)"), "language": "python"})[2]["stdout"] == "1\n"
    assert session.call("1") == ("completed", "1\n", "", False)


def test_a_new_key_of_that_name_has_sessions_of_its_own():
    with Server() as server:
        old = make_key(server, "alice")
        wait_until(lambda: server.ask("GET", "/sessions", headers=old)[0] == 200)
        held = server.connect()  # whose body comes when the key is another's
        body = json.dumps(body_of("x")).encode()
        held.putrequest("POST", "/execute")
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)),
                            "X-Session-ID": "one", **old}.items():
            held.putheader(name, value)
        held.endheaders()
        subprocess.run([CELLA, "key", "revoke", "alice", "--state", server.directory / "state"], check=True,
                       stdout=subprocess.DEVNULL)
        key = make_key(server, "alice")
        wait_until(lambda: server.ask("GET", "/sessions", headers=key)[0] == 200)
        session = Session(server, "one", key).begin("x = 'secret'")
        held.send(body)
        answer = held.getresponse().read()
        assert b"secret" not in answer and b"revoked" in answer
        assert session.call("x") == ("completed", "'secret'\n", "", False)


def test_the_memory_of_a_session():
    with Server("--session-memory", "256m") as server:
        assert "memory" in new(server).call("x = bytearray(400 << 20)\nx[::4096] = b'x' * len(x[::4096])")[2]


def test_the_server_ends():
    with Server() as server:
        new(server)
        busy = new(server)
        answer = busy.send("import time; time.sleep(1); print('done')")
        time.sleep(0.3)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        assert answer_of(answer)["stdout"] == "done\n"


def test_the_server_ends_at_once():
    with Server("--drain-time", "0s") as server:
        busy = new(server)
        answer = busy.send("import time; time.sleep(60)")
        time.sleep(0.3)
        assert server.stop() == 0
        assert "the session has ended" in answer_of(answer)["stderr"]


def test_another_start_has_none(tmp_path):
    for _ in range(2):
        with Server(directory=tmp_path) as server:
            session = Session(server, "kept")
            assert not session.is_there()
            session.begin()


def test_a_keeper_that_is_lost():
    with Server() as server:
        session = new(server)
        busy = session.send("import time; time.sleep(60)")
        time.sleep(0.3)
        os.kill(server.keeper(), signal.SIGKILL)
        response = busy.getresponse()
        assert response.status == 500 and json.loads(response.read())["process_status"] == "error"
        busy.close()
        wait_until(lambda: server.ask("GET", "/readyz")[0] == 200)
        assert session.call("1") == ("completed", "1\n", "", True)


def test_what_is_remembered():
    with Server() as server:
        session = Session(server)
        session.begin()
        session.call("print('said')")
        assert session.delete() == 200
        wait_until(lambda: server.ask("GET", "/v1/runs")[2]["runs"])
        run, = server.ask("GET", "/v1/runs")[2]["runs"]
        assert run["status"] == "cancelled" and run["policy"]["name"] == "execute"
        result = server.ask("GET", f"/v1/runs/{run['id']}")[2]
        assert "said\n" in result["stdout"]
        assert server.text().count(" is a session of /execute") == 1


def test_many_at_once(server):
    """More than there is room for, with calls of all in turn: each answer is its own."""
    sessions = [Session(server) for _ in range(6)]
    failures = []

    def work(number, session):
        try:
            assert session.call(f"x = {number}")[0] == "completed"
            for turn in range(5):
                status, stdout, _, is_new = session.call("x" if turn % 2 else f"x = {number}\nx")
                assert is_new or (status, stdout) == ("completed", f"{number}\n")
        except (AssertionError, http.client.HTTPException) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for session in sessions:
        session.delete()
