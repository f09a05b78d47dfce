"""Languages × protections: every thread of a program in each language, and of its compiler, looked at
from outside while it runs.  Nothing may be different from one language to the next.

What is looked at: Seccomp and the filter itself, instruction by instruction, as ptrace gives it to
root (a filter that allows everything also says `Seccomp: 2`); NoNewPrivs, the five capability sets,
groups, ids; that no namespace is the host's; that no descriptor leads to a file of the host; and
that the result lists the same protections.
"""
import contextlib
import ctypes
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import pytest
from harness import CONFINED, IS_ROOT, descendants, inside, running, status_of
from language_programs import LANGUAGES, request_of

WHO = "root" if IS_ROOT else "user"
AT_ONCE = 2
LOOK_SECONDS = 0.2
STOP_SECONDS = 1
WATCH_SECONDS_MAX = 100
NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time")
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 17, 0x4206, 0x4207, 0x420C
WALL = 0x40000000  # __WALL: threads that are not the first of their process too
FILTERS_MAX = 4
# Before an exec: these are still the keeper's code, on its way into the lock-down.
NOT_YET = ("cella-keeper", "cella-init")

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def trace(thread):
    """Digests of the filters in force, the newest first; () when the thread has ended meanwhile, or
    has become another by execve, or does not stop soon."""
    if libc.ptrace(PTRACE_SEIZE, thread, None, None) < 0:
        return ()
    libc.ptrace(PTRACE_INTERRUPT, thread, None, None)
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(thread, WALL | os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                return ()
            time.sleep(0.001)
    digests = []
    for index in range(FILTERS_MAX):
        count = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, thread, index, None)
        if count < 0:
            break
        program = ctypes.create_string_buffer(count * 8)
        libc.ptrace(PTRACE_SECCOMP_GET_FILTER, thread, index, program)
        digests.append(hashlib.sha256(program.raw).hexdigest()[:12])
    libc.ptrace(PTRACE_DETACH, thread, None, None)
    return tuple(digests)


def filters_of(thread):
    """trace() in a thread of its own: when the tracer ends the kernel lets go what it still traces,
    even a dead one that it could not wait for, which would keep its PID namespace alive."""
    with ThreadPoolExecutor(1) as tracer:
        return tracer.submit(trace, thread).result()


class Seen:
    """What the threads of one language's run showed: the set of answers to each question."""

    def __init__(self):
        self.names, self.threads, self.answers = set(), set(), {}

    def add(self, question, answer):
        self.answers.setdefault(question, set()).add(answer)

    def look_at_thread(self, task):
        status = status_of(task)
        if status["Name"] in NOT_YET or status["State"].startswith(("Z", "X")):
            return
        for name in CONFINED:
            self.add(name, status[name])
        self.add("Groups", status["Groups"].strip() if IS_ROOT else "")
        ids = set(map(int, status["Uid"].split() + status["Gid"].split()))
        self.add("own uid", len(ids) == 1 and ids.pop() >= 1900000000 if IS_ROOT else True)
        for kind in NAMESPACES:
            with contextlib.suppress(FileNotFoundError):
                host = os.readlink(f"/proc/self/ns/{kind}")
                self.add(f"{kind} namespace", os.readlink(task / "ns" / kind) != host)
        with contextlib.suppress(FileNotFoundError):
            self.add("the host's root", os.path.samefile(task / "root" / "etc", "/etc"))
        if IS_ROOT and (digests := filters_of(int(task.name))):
            self.add("filter", digests)
        self.names.add(status["Name"])
        self.threads.add(task.name)

    def look_at(self, process):
        for pid in inside(descendants(process.pid)):
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with contextlib.suppress(OSError, KeyError):  # it ended meanwhile
                    self.look_at_thread(task)


def processes_below(pid):
    """For a message: what is there, and where in the kernel it waits."""
    shown = []
    for task in (task for found in [pid, *descendants(pid)]
                 for task in Path(f"/proc/{found}/task").glob("*")):
        with contextlib.suppress(OSError, KeyError):
            status = status_of(task)
            shown.append(f"{task.name} {status['Name']} {status['State']} "
                         f"tracer {status['TracerPid']} in {(task / 'wchan').read_text()}")
    return "; ".join(shown) or "no process"


def watch(language):
    seen = Seen()
    with running(request_of(language, "sleep"), WHO) as process:
        output = []
        reader = ThreadPoolExecutor(1)
        reading = reader.submit(lambda: output.append(process.stdout.read()))
        deadline = time.monotonic() + WATCH_SECONDS_MAX
        while not reading.done() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                seen.look_at(process)
            time.sleep(LOOK_SECONDS)
        left = "" if reading.done() else processes_below(process.pid)
        assert not left, f"{language} does not end: {left}"
        reader.shutdown()
        process.stdout = open(os.devnull, "rb")  # running() reads what is left
    result = json.loads(output[0])
    assert result["status"] == "wall_time", result["message"]
    seen.add("protections", tuple(result["protections"]))
    return seen


@pytest.fixture(scope="module")
def table():
    harness.config_directory(WHO)  # before the threads, which would make it twice
    with ThreadPoolExecutor(AT_ONCE) as executor:
        return dict(zip(LANGUAGES, executor.map(watch, LANGUAGES)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_thread_is_confined(table, language):
    seen = table[language]
    expected = {**CONFINED, "Groups": "", "own uid": True, "the host's root": False,
                **{f"{kind} namespace": True for kind in NAMESPACES}}
    assert len(seen.threads) >= 2, "init and the program"
    for question, answer in expected.items():
        assert seen.answers[question] == {answer}, (question, seen.answers[question])


def test_nothing_is_different_from_one_language_to_the_next(table, capsys):
    lines = [f"{'language':12} {'threads':>7} {'filter':14} {'protections':>11}  programs"]
    for language, seen in table.items():
        filters = " ".join(",".join(digests) for digests in sorted(seen.answers.get("filter", ())))
        held = " ".join(str(len(names)) for names in seen.answers["protections"])
        names = ", ".join(sorted(seen.names))
        lines.append(f"{language:12} {len(seen.threads):7} {filters:14} {held:>11}  {names}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    for question in ("filter", "protections"):
        answers = {answer for seen in table.values() for answer in seen.answers.get(question, ())}
        assert len(answers) == (0 if question == "filter" and not IS_ROOT else 1), answers


@pytest.mark.skipif(not IS_ROOT, reason="only root is given filters")
def test_another_filter_would_be_seen(table):
    """Else the row of the table that is the same for all would show nothing."""
    seen = Seen()
    request = {"language": "python", "code": "import time; time.sleep(20)",
               "policy": harness.policy("syscalls: {set: strict}\n")}
    with running(request, WHO) as process:
        harness.wait_until(lambda: seen.look_at(process) or seen.answers.get("filter"),
                           what="a filter")
    assert not seen.answers["filter"] & table["python"].answers["filter"]
