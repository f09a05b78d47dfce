"""Whatever is killed, full, read-only, used up or set wrong: the server says so, goes on, and is as
before when the cause is gone; what it has told anybody of is not lost.
"""
import concurrent.futures
import contextlib
import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import CELLA, ROOT
from server import Server, descendants, wait_until

sys.path.insert(0, str(ROOT / "tests" / "warm"))
from client import zygotes  # noqa: E402

READY_SECONDS = 10  # what a machine that others use may take; what it took is printed
ECHO = {"language": "bash", "code": "read line; echo $line"}
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def gone(pids):
    return not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)


def groups_of(keeper):
    """Control groups that this keeper has made."""
    return [f"{parent}/{name}" for parent, names, _ in os.walk("/sys/fs/cgroup") for name in names
            if name.startswith(f"cella-{keeper}-")]


def run_once():
    subprocess.run([CELLA, "run", "--no-server", "-l", "command", "--", "/bin/true"], check=True,
                   timeout=60)
    return True


def history_of(server):
    """The runs that it remembers, by id."""
    return {run["id"]: run for run in server.ask("GET", "/v1/runs?limit=1000")[2]["runs"]}


class Load:
    """Clients that ask as fast as they are answered, until the end of the block."""

    def __init__(self, server, request=None, clients=4):
        self.server, self.request = server, request or ECHO
        self.results, self.failures, self.ends = [], [], False
        self.threads = concurrent.futures.ThreadPoolExecutor(clients)
        self.clients = clients

    def ask(self):
        number = 0
        while not self.ends:
            number += 1
            try:
                status, _, result = self.server.run(**{**self.request, "stdin": f"{number}\n"})
            except (OSError, http.client.HTTPException, ValueError) as failure:
                self.failures.append(failure)
                time.sleep(0.01)
                continue
            if status == 200:
                self.results.append((number, result))
            else:
                self.failures.append(result)

    def __enter__(self):
        self.futures = [self.threads.submit(self.ask) for _ in range(self.clients)]
        wait_until(lambda: len(self.results) >= self.clients, 30)
        return self

    def __exit__(self, *failure):
        self.ends = True
        for future in self.futures:
            future.result(60)
        self.threads.shutdown()


# ---- what is killed ----


def test_the_server_is_killed_under_load(tmp_path, capsys):
    """Restart: ready at once, what was answered is in the history, nothing left behind."""
    first = Server("--pool-memory", "128m", directory=tmp_path)
    keeper, below = first.keeper(), set()
    with Load(first) as load:
        status, headers, _ = first.ask("POST", "/v1/runs", {"language": "bash", "code": "sleep 60"},
                                       {"Prefer": "respond-async"})
        assert status == 202
        below = descendants(first.process.pid)
        first.process.kill()
        first.process.communicate()
    assert len(load.results) >= 4
    wait_until(lambda: gone(below))
    began = time.monotonic()
    with Server("--pool-memory", "128m", directory=tmp_path) as second:
        wait_until(lambda: second.ask("GET", "/readyz")[0] == 200, READY_SECONDS)
        with capsys.disabled():
            print(f" [ready after {1000 * (time.monotonic() - began):.0f} ms]", end="")
        remembered = history_of(second)
        assert all(result["stdout"] == f"{number}\n" for number, result in load.results)
        missing = {result["id"] for _, result in load.results[-900:]} - remembered.keys()
        assert len(missing) <= 1  # the one that it was about to put there, its answer being on its way
        assert {run["status"] for run in remembered.values()} <= {"ok", "internal"}
        lost = second.ask("GET", headers["Location"])
        assert lost[2]["status"] == "internal" and "ended while" in lost[2]["message"]
        wait_until(lambda: not groups_of(keeper))
        assert second.run(**ECHO, stdin="on\n")[2]["stdout"] == "on\n"
    assert sorted(os.listdir(tmp_path)) == ["log", "state"]


def start(directory, took):
    """A server, and in seconds how long it took until it was ready."""
    began = time.monotonic()
    server = Server("--pool-memory", "128m", directory=directory)
    took.append(time.monotonic() - began)
    return server


def test_the_server_is_killed_at_many_moments(tmp_path, capsys):
    """Under load, while it reads its configuration again, and while it lets runs end."""
    moments = [(None, 0), (None, 0.05), (None, 0.3), (signal.SIGHUP, 0), (signal.SIGHUP, 0.01),
               (signal.SIGTERM, 0), (signal.SIGTERM, 0.02)]
    took, keepers, answered = [], [], []
    for number, wait in moments:
        server = start(tmp_path, took)
        keepers.append(server.keeper())
        with Load(server) as load:
            if number is not None:
                server.process.send_signal(number)
            time.sleep(wait)
            below = descendants(server.process.pid)
            server.process.kill()
            server.process.communicate()
        answered += load.results[-100:]
        wait_until(lambda: gone(below))
    with start(tmp_path, took) as last:
        with capsys.disabled():
            print(f" [ready after {1000 * min(took):.0f} to {1000 * max(took):.0f} ms]", end="")
        assert max(took) < READY_SECONDS
        missing = [result["id"] for _, result in answered
                   if last.ask("GET", f"/v1/runs/{result['id']}")[0] != 200]
        assert len(missing) <= len(moments)  # of each the one that it was about to put there
        assert all(result["stdout"] == f"{number}\n" for number, result in answered)
        assert last.run(**ECHO, stdin="on\n")[2]["stdout"] == "on\n"
        wait_until(lambda: not any(groups_of(keeper) for keeper in keepers))
    assert sorted(os.listdir(tmp_path)) == ["log", "state"]


def test_the_server_is_killed_while_it_starts(tmp_path):
    took = []
    for wait in (0, 0.005, 0.02, 0.04, 0.08, 0.15):
        process = subprocess.Popen(
            [CELLA, "serve", "--listen", "none", "--socket", f"{tmp_path}/serve.sock", "--state",
             f"{tmp_path}/state", "--log", f"{tmp_path}/log"], stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin"})
        time.sleep(wait)
        below = descendants(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: gone(below))
    with start(tmp_path, took) as server:
        assert server.run(**ECHO, stdin="on\n")[2]["stdout"] == "on\n"
    assert sorted(os.listdir(tmp_path)) == ["log", "state"]


def kill_next_keeper(server, before):
    """As soon as there is another than that one: before it has run anything."""
    found = []

    def is_there():
        with contextlib.suppress(AssertionError):
            found[:] = [server.keeper()]
        return found and found[0] != before

    wait_until(is_there, 30)
    os.kill(found[0], signal.SIGKILL)
    return found[0]


def test_keepers_are_killed_one_after_the_other(tmp_path):
    with Server(directory=tmp_path) as server:
        with Load(server) as load:
            keeper = server.keeper()
            os.kill(keeper, signal.SIGKILL)
            keeper = kill_next_keeper(server, keeper)
            keeper = kill_next_keeper(server, keeper)
            before = len(load.results)
            wait_until(lambda: len(load.results) > before + 4, 30)
        assert server.ask("GET", "/readyz")[0] == 200
        for number, result in load.results:
            assert (result["status"], result["stdout"]) in {("ok", f"{number}\n"), ("internal", "")}


def test_the_keeper_is_killed_under_load(tmp_path):
    """Who waits for a run gets it, begun again, or hears that it was lost; the service goes on."""
    with Server("--pool-memory", "128m", directory=tmp_path) as server:
        keepers = []
        with Load(server) as load:
            for times in range(1, 4):
                keepers.append(server.keeper())
                before = len(load.results)
                os.kill(keepers[-1], signal.SIGKILL)
                wait_until(lambda: server.logged(" ready") > times and len(load.results) > before + 4,
                           30)
        for number, result in load.results:
            assert (result["status"], result["stdout"]) in {("ok", f"{number}\n"), ("internal", "")}
        for problem in load.failures:  # a busy server, never a broken connection
            assert problem["status"] in (429, 500, 503), problem
        assert len(set(keepers)) == 3
        remembered = history_of(server)
        assert all(result["id"] in remembered for _, result in load.results[-900:])
    # A keeper may come while sandboxes of the one before are still ending: the next one cleans up.
    wait_until(lambda: not any(groups_of(keeper) for keeper in keepers) or not run_once())


def test_a_zygote_is_killed_under_load(tmp_path):
    request = {"language": "python", "code": "print(input())"}
    with Server("--pool-memory", "256m", directory=tmp_path) as server:
        wait_until(lambda: server.run(**request, stdin="1\n")[2]["start"] == "warm", 30)
        with Load(server, request) as load:
            for _ in range(2):
                wait_until(lambda: zygotes(server.keeper()), 30)
                for zygote in zygotes(server.keeper()):
                    os.kill(zygote, signal.SIGKILL)
                before = len(load.results)
                wait_until(lambda: len(load.results) > before + 8, 30)
        assert not load.failures
        for number, result in load.results:
            assert (result["status"], result["stdout"]) == ("ok", f"{number}\n"), result["message"]


def test_a_keeper_that_hangs_ends_with_its_server(tmp_path):
    server = Server(directory=tmp_path)
    keeper, below = server.keeper(), descendants(server.process.pid)
    os.kill(keeper, signal.SIGSTOP)
    server.process.kill()
    server.process.communicate()
    wait_until(lambda: gone(below), 30)


# ---- disks ----


def on_small_disk(size, options=""):
    """A prefix that gives the server a state directory that is a file system of its own."""
    return ["unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs -o mode=700,size={size}{options} none "$0" && exec "$@"']


@ONLY_ROOT
def test_a_full_disk(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with Server(directory=tmp_path, prefix=[*on_small_disk("8m"), str(state)]) as server:
        inside = Path(f"/proc/{server.process.pid}/root{state}")
        assert server.run(**ECHO, stdin="1\n")[2]["status"] == "ok"
        remembered = len(history_of(server))
        filler = inside / "filler"
        with pytest.raises(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        big = {"language": "bash", "code": "head -c 300000 /dev/zero | tr '\\0' x", "limits": {}}
        for _ in range(3):
            status, _, result = server.ask("POST", "/v1/runs", big)
            assert (status, result["status"]) == (200, "ok")  # nobody has to suffer for it
        assert "is not remembered" in server.text() or "cannot be written" in server.text()
        status, text, _ = server.problem("POST", "/v1/runs", ECHO, {"Prefer": "respond-async"})
        assert status >= 500 and "history" in text
        assert server.ask("GET", "/readyz")[0] == 200
        filler.unlink()
        status, headers, _ = server.ask("POST", "/v1/runs", {**ECHO, "stdin": "later\n"},
                                        {"Prefer": "respond-async"})
        assert status == 202
        wait_until(lambda: server.ask("GET", headers["Location"])[0] == 200)
        assert server.ask("GET", headers["Location"])[2]["stdout"] == "later\n"
        assert len(history_of(server)) > remembered


@ONLY_ROOT
def test_a_disk_that_is_read_only(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with pytest.raises(AssertionError) as failure:
        Server(directory=tmp_path, prefix=[*on_small_disk("8m", ",ro"), str(state)])
    assert f"cannot write to the directory {state}: Read-only file system" in str(failure.value)


READ_ONLY = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static volatile long *is_on; /* a file's first word */
static const char *place;
static size_t size;
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("READ_ONLY_FLAG"), O_RDONLY | O_CLOEXEC);
    void *flag = mmap(NULL, sizeof(*is_on), PROT_READ, MAP_SHARED, fd, 0);
    place = getenv("READ_ONLY_PLACE");
    size = strlen(place);
    is_on = flag == MAP_FAILED ? NULL : flag;
}
static int is_there(const char *path)
{
    return is_on != NULL && *is_on != 0 && strncmp(path, place, size) == 0;
}
static int is_in(int fd)
{
    char path[64], target[4096];
    ssize_t got = -1;
    if (is_on != NULL && *is_on != 0) {
        char *at = stpcpy(path, "/proc/self/fd/");
        for (int part = 10000; part > 0; part /= 10) {
            if (fd >= part || part == 1) {
                *at++ = (char)('0' + fd / part % 10);
            }
        }
        *at = 0;
        got = readlink(path, target, sizeof(target) - 1);
    }
    target[got > 0 ? got : 0] = 0;
    return is_there(target);
}
static int refuse(void)
{
    errno = EROFS;
    return -1;
}
static int open_by(int directory, const char *path, int flags, mode_t mode)
{
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
    return writes && (is_there(path) || (path[0] != '/' && directory >= 0 && is_in(directory)))
               ? refuse()
               : (int)syscall(SYS_openat, directory, path, flags, mode);
}
#define OPENS(name, first, ...)                                                                    \
    int name(__VA_ARGS__, ...)                                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                           \
        va_end(more);                                                                              \
        return open_by(first, path, flags, mode);                                                  \
    }
OPENS(open, AT_FDCWD, const char *path, int flags)
OPENS(open64, AT_FDCWD, const char *path, int flags)
OPENS(openat, directory, int directory, const char *path, int flags)
OPENS(openat64, directory, int directory, const char *path, int flags)
#define WRITES(type, name, number, fd, parameters, ...)                                            \
    type name parameters                                                                           \
    {                                                                                              \
        return is_in(fd) ? refuse() : (type)syscall(number, __VA_ARGS__);                          \
    }
WRITES(ssize_t, write, SYS_write, fd, (int fd, const void *data, size_t count), fd, data, count)
WRITES(ssize_t, pwrite, SYS_pwrite64, fd, (int fd, const void *data, size_t count, off_t at), fd, data,
       count, at)
WRITES(ssize_t, pwrite64, SYS_pwrite64, fd, (int fd, const void *data, size_t count, off_t at), fd, data,
       count, at)
WRITES(int, ftruncate, SYS_ftruncate, fd, (int fd, off_t length), fd, length)
WRITES(int, ftruncate64, SYS_ftruncate, fd, (int fd, off_t length), fd, length)
WRITES(int, fallocate, SYS_fallocate, fd, (int fd, int mode, off_t at, off_t length), fd, mode, at, length)
int unlink(const char *path)
{
    return is_there(path) ? refuse() : (int)syscall(SYS_unlink, path);
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_disk_that_turns_read_only(tmp_path):
    """The kernel does that to a file system with errors; nobody else can while files are open."""
    state = tmp_path / "state"
    state.mkdir()
    (tmp_path / "ro.c").write_text(READ_ONLY)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "ro.so", tmp_path / "ro.c"], check=True, timeout=60)
    flag = tmp_path / "flag"
    flag.write_bytes(bytes(8))

    def turn(read_only):
        with open(flag, "r+b") as file:
            file.write(ctypes.c_long(read_only))

    subprocess.run([CELLA, "key", "create", "alice", "--cpu-seconds-per-day", "100", "--state", str(state)],
                   stdout=(tmp_path / "key").open("wb"), check=True, timeout=30)
    bearer = {"Authorization": f"Bearer {(tmp_path / 'key').read_text().strip()}"}
    environment = {"LD_PRELOAD": str(tmp_path / "ro.so"), "READ_ONLY_FLAG": str(flag),
                   "READ_ONLY_PLACE": str(state), "ASAN_OPTIONS": "verify_asan_link_order=0"}
    with Server(directory=tmp_path, environment=environment) as server:
        ask = lambda *words, **more: server.ask(*words, headers={**bearer, **more.pop("headers", {})}, **more)
        later = {"Prefer": "respond-async"}
        before = ask("POST", "/v1/runs", body={**ECHO, "stdin": "before\n"})[2]
        waiting = ask("POST", "/v1/runs", body={"language": "bash", "code": "sleep 1; echo late"},
                      headers=later)[2]["id"]
        turn(True)
        for number in range(3):  # nobody has to suffer for it
            status, _, result = ask("POST", "/v1/runs", body={**ECHO, "stdin": f"{number}\n"})
            assert (status, result["stdout"]) == (200, f"{number}\n")
        assert "is not remembered: the history cannot be written: disk I/O error" in server.text()
        assert server.logged("a run of alice does not count if this server is killed") >= 3
        status, _, problem = ask("POST", "/v1/runs", body=ECHO, headers=later)
        assert (status, problem["type"]) == (500, "urn:cella:error:host")
        assert problem["detail"] == "the history cannot be written: disk I/O error"
        assert problem["hint"].startswith("see whether the state directory is read-only")
        status, _, problem = ask("POST", "/v1/runs", body=ECHO, headers={"Idempotency-Key": "one"})
        assert (status, problem["type"]) == (500, "urn:cella:error:host")
        assert ask("GET", f"/v1/runs/{before['id']}")[2]["stdout"] == "before\n"  # what there is can be read
        assert before["id"] in {run["id"] for run in ask("GET", "/v1/runs")[2]["runs"]}
        assert ask("GET", "/v1/stats")[0] == 200 and ask("GET", "/readyz")[0] == 200
        wait_until(lambda: server.logged(f"{waiting} is not remembered"))
        turn(False)
        status, headers, _ = ask("POST", "/v1/runs", body={**ECHO, "stdin": "after\n"}, headers=later)
        assert status == 202
        wait_until(lambda: ask("GET", headers["Location"])[0] == 200)
        assert ask("GET", headers["Location"])[2]["stdout"] == "after\n"
        assert server.logged(" ready") == 1
    with Server(directory=tmp_path) as server:  # whose end could not be written
        lost = server.ask("GET", f"/v1/runs/{waiting}", headers=bearer)[2]
        assert lost["status"] == "internal"


# ---- descriptors ----


def test_descriptors_that_are_used_up(tmp_path):
    few = ["prlimit", "--nofile=96:96"]
    with Server(directory=tmp_path, prefix=few) as server:
        held = []
        try:
            for _ in range(150):  # more than there are
                held.append(server.raw())
            deadline = time.monotonic() + 30
            answered = False
            while not answered and time.monotonic() < deadline:
                try:
                    answered = server.ask("GET", "/healthz")[0] == 200  # an idle one made room
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
            assert answered
            status, _, result = server.run(**ECHO, stdin="1\n")
            assert (status, result["status"]) in {(200, "ok"), (429, 429), (503, 503), (500, 500)}
        finally:
            for connection in held:
                connection.close()
        wait_until(lambda: server.run(**ECHO, stdin="1\n")[2]["status"] == "ok", 30)
        assert server.logged(" ready") == 1  # it has never been away


# ---- the clock ----

CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static volatile long *offset; /* of the wall clock, in seconds: a file's first word */
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY | O_CLOEXEC);
    void *place = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
    offset = place == MAP_FAILED ? NULL : place;
}
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && offset != NULL) {
        now->tv_sec += *offset;
    }
    return result;
}
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ret != NULL ? (*ret = now.tv_sec) : now.tv_sec;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_clock_that_jumps(tmp_path):
    """The server alone has a clock that is set; limits of time and the order of runs do not change."""
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"],
                   check=True, timeout=60)
    offset = tmp_path / "offset"
    offset.write_bytes(bytes(8))

    def jump(seconds):
        with open(offset, "r+b") as file:
            file.write(ctypes.c_long(seconds))

    environment = {"LD_PRELOAD": str(tmp_path / "clock.so"), "CLOCK_OFFSET": str(offset),
                   "ASAN_OPTIONS": "verify_asan_link_order=0"}  # where there are sanitizers
    with Server(directory=tmp_path, environment=environment) as server:
        seen = []
        for jumped in (0, 400 * 86400, -400 * 86400, 0):
            running = server.connect()
            running.request("POST", "/v1/runs", json.dumps(
                {"language": "bash", "code": "sleep 60", "limits": {"wall_ms": 300}}),
                {"Content-Type": "application/json"})
            jump(jumped)  # while it runs
            result = json.loads(running.getresponse().read())
            assert result["status"] == "wall_time" and result["usage"]["wall_ms"] < 20000
            status, headers, quick = server.run(**ECHO, stdin="1\n")
            assert (status, quick["stdout"]) == (200, "1\n")
            assert int(headers["Date"].split()[3]) == time.gmtime(time.time() + jumped).tm_year
            seen += [result["id"], quick["id"]]
            assert server.ask("GET", "/readyz")[0] == 200
        assert len(set(seen)) == 8
        assert seen[-1] in history_of(server)
