"""Programs that take too much, or that will not end (take.c): each has its verdict, soon, and
leaves nothing.  Every limit is tried at, under and over.

Who runs Cella decides how limits are held: control groups as root, supervision as a user that has
none.  What both must show is tested for both.
"""
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import harness
import pytest
from harness import (MIB, SLOWNESS, WHO, attack_request, command_line, environment, python, run,
                     take)

GIB = 1024 * MIB
by_who = pytest.mark.parametrize("who", WHO)
SLACK_MS = 2000 * SLOWNESS  # a busy machine may be late; how late on an idle one, bench/ tells
JUDGE = harness.policy("on_output_limit: stop\n")
STRICT_CALLS = harness.policy("syscalls: {set: strict}\n")


def supervised(result):
    """No control group: PID 1 looks from time to time, and ends the run as a whole."""
    return result["mechanisms"]["memory_bytes"] == "supervision"


def expect(result, status, *hit):
    assert result["status"] == status, result.explain()
    assert set(hit) <= set(result["limits_hit"]), result.explain()
    codes = {"ok": 0, "memory": 137, "wall_time": 124, "cpu_time": 124, "processes": 123,
             "output": 123, "disk": 123, "file_size": 123}
    if status in codes:
        assert result.code == codes[status], (result.code, result.explain())
    if status in ("memory", "wall_time", "cpu_time", "processes", "output", "disk", "file_size"):
        assert result["limit"] and result["limit"]["stage"] == "run", result["limit"]
    return result


# ---- processes ----

@pytest.mark.heavy
@by_who
@pytest.mark.parametrize("how", ["fork", "vfork", "clone", "threads"])
def test_bombs_end_by_processes_at_once(who, how):
    result = expect(take(how, who=who), "processes")  # at once, not by the clock
    assert result["limit"]["name"] == "processes" and result["limit"]["value"] == 32


@by_who
@pytest.mark.parametrize(("children", "fits"), [(10, True), (14, True), (15, True), (16, False)])
def test_processes_at_under_and_over(who, children, fits):
    """The program itself is one of them."""
    result = take("processes", children, who, limits={"processes": 16})
    expect(result, "ok" if fits else "processes")
    if fits:
        assert "processes" not in result["limits_hit"], result.explain()
    elif not supervised(result):
        assert result["exit_code"] == 20 and "EAGAIN" in result["stdout"], result.explain()


@by_who
def test_a_refused_fork_that_is_survived_is_noted(who):
    code = "import os, signal, time\n" \
           "for i in range(40):\n" \
           "    try:\n        pid = os.fork()\n" \
           "    except OSError:\n        print('refused at', i); break\n" \
           "    if pid == 0: signal.pause()\n" \
           "time.sleep(0.3)\n"  # for those who look from time to time
    result = python(code, who, limits={"processes": 8})
    if supervised(result):  # nobody refuses it, and what is too much is ended when it is seen
        expect(result, "processes")
        return
    expect(result, "ok", "processes")
    assert result["stdout"] == "refused at 7\n", result.explain()


@by_who
@pytest.mark.parametrize(("refused", "survived"), [(63, True), (64, False)])
def test_64_refused_forks_end_a_run(who, refused, survived):
    """Also one that has ended by itself before anybody looked."""
    code = "import os, signal\nrefused = 0\n" \
           f"while refused < {refused}:\n" \
           "    try:\n        pid = os.fork()\n" \
           "    except OSError:\n        refused += 1; continue\n" \
           "    if pid == 0: signal.pause()\n" \
           "os._exit(0)\n"
    result = python(code, who, limits={"processes": 8})
    if supervised(result):  # seen in time or not: on a slow machine it is, and then it is ended
        survived = result["status"] == "ok"
    expect(result, "ok" if survived else "processes", "processes")


SIGNALS_WHILE_FORKING = r"""
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void nothing(int number) { (void)number; }
int main(void)
{
    struct sigaction action = {.sa_handler = nothing}; /* restarts no call */
    int lost = 0;
    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 600; i++) {
        const pid_t pid = fork();
        if (pid == 0) _exit(0);
        lost += pid < 0 && errno == EINTR;
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
    printf("%d\n", lost);
}
"""


@by_who
def test_no_fork_fails_because_a_signal_came(who):
    """As every shell does it: children end while others are made."""
    result = run({"language": "c", "code": SIGNALS_WHILE_FORKING}, who)
    assert (result["status"], result["stdout"]) == ("ok", "0\n"), result.explain()


@by_who
def test_zombies_count_as_processes(who):
    result = expect(take("zombies", 100, who), "processes")
    if not supervised(result):
        assert result["stdout"] == "31 EAGAIN\n", result.explain()


@by_who
def test_orphans_are_reaped(who):
    expect(take("orphans", 500, who), "ok")


@by_who
def test_a_program_that_ignores_signals_ends_at_its_time(who):
    result = expect(take("ignore", who=who, limits={"wall_ms": 300}), "wall_time")
    assert 300 <= result["usage"]["wall_ms"] < 300 + SLACK_MS, result.explain()


@by_who
@pytest.mark.parametrize("how", ["stop", "stop_and_continue"])
def test_stopping_does_not_stop_the_clock(who, how):
    result = expect(take(how, who=who, limits={"wall_ms": 300, "cpu_ms": 60000}), "wall_time")
    assert 300 <= result["usage"]["wall_ms"] < 300 + SLACK_MS, result.explain()


@by_who
def test_priorities_and_limits_cannot_be_raised(who):
    assert take("priority", who=who)["stdout"] == "-1 -1\n"
    assert take("limits", who=who)["stdout"] == "0\n"


# ---- memory ----

class MemoryTaken:
    """The most that the host had less than at the start, looked at while something runs: what a
    dead run has held is given back at once."""
    LOOKS_A_SECOND = 50

    def __enter__(self):
        self.most = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def look(self):
        before = self.available()
        while not self.over.wait(1 / self.LOOKS_A_SECOND):
            self.most = max(self.most, before - self.available())

    @staticmethod
    def available():
        with open("/proc/meminfo", encoding="ascii") as meminfo:
            return next(int(line.split()[1]) * 1024 for line in meminfo if "MemAvailable" in line)


def test_memory_taken_for_a_while_is_seen():
    with MemoryTaken() as taken:
        result = python("x = bytearray(300 << 20); import time; time.sleep(0.5)")
    assert result["status"] == "ok", result.explain()
    assert taken.most > 200 * MIB, taken.most


@pytest.mark.heavy
@by_who
@pytest.mark.parametrize("how", ["heap", "mmap", "zero_device", "memfd", "system_v", "dev_shm",
                                 "landlock"])
def test_memory_of_every_kind_counts(who, how):
    result = take(how, who=who)
    if supervised(result) and how == "dev_shm" and result["status"] == "exit":
        assert result["stdout"] == "64 ENOSPC\n", result.explain()  # as large as the limit
        return
    if supervised(result) and how == "zero_device":
        assert result["stdout"] == "0 ENODEV\n", result.explain()  # it is /dev/full
        return
    if supervised(result) and how in ("mmap", "memfd", "system_v", "landlock"):
        # Nobody could count it without a control group: then it is not to be had.
        assert result["stdout"] == "0 EPERM\n", result.explain()
        assert result["refused_calls"], result.explain()
        return
    if how == "landlock" and result["stdout"] == "0 E2BIG\n":
        pytest.skip("this kernel's Landlock has no rules for ports (Linux 6.7 has)")
    expect(result, "memory")
    assert result["limit"]["value"] == 64 * MIB


@pytest.mark.heavy
@by_who
@pytest.mark.parametrize("how", ["pipes", "sockets", "page_tables"])
def test_memory_of_the_kernel_is_bounded(who, how):
    """It counts as memory, or the descriptors or addresses run out first; never without bound."""
    with MemoryTaken() as taken:
        result = take(how, who=who, limits={"wall_ms": 3000})
    assert result["status"] in ("memory", "exit"), result.explain()
    if result["status"] == "exit":
        assert result["exit_code"] == 20 and ("EMFILE" in result["stdout"]
                                              or "ENOMEM" in result["stdout"]), result.explain()
    assert taken.most < GIB, taken.most  # by whoever else is on this host, too


@by_who
def test_the_strict_set_is_supervised_too(who):
    """Where no control group counts, no set of calls lets forks and buffers go uncounted."""
    expect(take("fork", who=who, policy=STRICT_CALLS), "processes")
    code = "import socket\na, b = socket.socketpair()\ntry:\n" \
           "    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20); print('enlarged')\n" \
           "except OSError as e: print(e.strerror)"
    result = python(code, who, policy=STRICT_CALLS)
    expected = "Operation not permitted" if supervised(result) else "enlarged"
    assert result["stdout"] == f"{expected}\n", result.explain()




@by_who
@pytest.mark.parametrize(("mebibytes", "fits"), [(32, True), (56, True), (72, False)])
def test_memory_at_under_and_over(who, mebibytes, fits):
    result = take("heap", mebibytes, who)
    expect(result, "ok" if fits else "memory")
    if fits:
        assert "memory" not in result["limits_hit"], result.explain()
        peak = result["usage"]["memory_peak_bytes"]
        assert peak <= 64 * MIB, peak
        # Looking from time to time misses what was there in between.
        assert peak >= mebibytes * MIB or supervised(result), peak


@by_who
@pytest.mark.parametrize(("code", "status"), [(0, "ok"), (7, "memory")])
def test_a_child_killed_for_memory(who, code, status):
    """It is the verdict when the program then ends badly, else it is noted."""
    result = take("child_heap", code, who)
    if supervised(result):
        expect(result, "memory")
        return
    expect(result, status, "memory")
    assert result["exit_code"] == code, result.explain()
    assert "signal 9" in result["stdout"], result.explain()


@by_who
def test_the_workspace_counts_as_memory(who):
    result = take("disk", 0, who, limits={"disk_bytes": 256 * MIB, "memory_bytes": 32 * MIB})
    expect(result, "memory")


# ---- output ----

@by_who
@pytest.mark.parametrize("how", ["stdout", "stderr", "both"])
def test_a_flood_is_stopped_where_the_policy_says_so(who, how):
    result = expect(take(how, who=who, policy=JUDGE), "output")
    assert how == "both" or result["limit"]["name"] == f"{how}_bytes", result["limit"]
    assert len(result["stdout"]) <= MIB and len(result["stderr"]) <= MIB


@by_who
def test_a_flood_is_cut_otherwise(who):
    result = expect(take("both", who=who, limits={"wall_ms": 1500}), "wall_time", "output")
    assert result["stdout_truncated"] and result["stderr_truncated"]
    assert len(result["stdout"]) == MIB == len(result["stderr"])
    assert result["stdout_bytes"] > MIB


@by_who
@pytest.mark.parametrize(("size", "cut"), [(4095, False), (4096, False), (4097, True)])
@pytest.mark.parametrize("policy", ["default", JUDGE], ids=["truncate", "stop"])
def test_output_at_under_and_over(who, size, cut, policy):
    result = take("print", size, who, policy=policy, limits={"stdout_bytes": 4096})
    expect(result, "output" if cut and policy == JUDGE else "ok")
    assert result["stdout_truncated"] == cut and len(result["stdout"]) == min(size, 4096)
    assert ("output" in result["limits_hit"]) == cut, result.explain()


@by_who
def test_a_slow_reader_loses_nothing_and_stops_no_clock(who):
    word = f"{harness.TOKEN}-slow-{who}"
    process = subprocess.Popen(
        command_line(who, "run", "-l", "python", "--time", "2s", "-c",
                     "import sys, time\nsys.stdout.write('x' * 900000); sys.stdout.flush()\n"
                     "time.sleep(60)", "--", word),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(who), cwd="/")
    inside = f"main.py\0{word}"
    harness.wait_until(lambda: harness.processes_with(inside), what="the start")
    # Nobody reads; the run must end by its clock meanwhile.
    harness.wait_until(lambda: not harness.processes_with(inside), what="the end", seconds=10)
    output, errors = process.communicate(timeout=20)
    assert len(output) == 900000 and process.returncode == 124, (len(output), errors)


# ---- files ----

@by_who
def test_a_full_disk_is_the_verdict(who):
    result = expect(take("disk", who=who), "disk")
    assert result["exit_code"] == 20 and "ENOSPC" in result["stdout"], result.explain()
    assert result["stdout"].startswith(("6 ", "7 ")), result.explain()  # of 8 MiB, 1 is the attack


@by_who
def test_a_full_disk_that_is_survived_is_noted(who):
    code = "try:\n    open('/tmp/f', 'wb').write(bytes(9 << 20))\n" \
           "except OSError as e: print(e.errno)"
    result = expect(python(code, who, limits={"disk_bytes": 8 * MIB}), "ok", "disk")
    assert result["stdout"] == "28\n", result.explain()


@by_who
@pytest.mark.parametrize(("files", "fits"), [(90, True), (98, True), (99, False)])
def test_inodes_at_under_and_over(who, files, fits):
    """The attack program is a file too, and one more is left for the rounding of the kernel."""
    result = take("files", files, who, limits={"inodes": 99})
    expect(result, "ok" if fits else "disk")
    if not fits:
        assert result["stdout"] == f"{files - 1} ENOSPC\n", result.explain()


@pytest.mark.heavy
@by_who
@pytest.mark.parametrize("how", ["files", "deep_tree"])
def test_a_million_files_end_early(who, how):
    result = take(how, 1000000, who, limits={"inodes": 2000})
    expect(result, "disk")
    assert result["exit_code"] == 20 and result["stdout"] == "1999 ENOSPC\n", result.explain()


@by_who
def test_files_in_shared_memory_are_bounded(who):
    """It is no part of the disk, so no limit has its name; but there is an end."""
    result = take("shm_files", 1000000, who)
    assert (result["status"], result["exit_code"]) == ("exit", 20), result.explain()
    assert result["stdout"] == "8191 ENOSPC\n", result.explain()


@by_who
@pytest.mark.parametrize("place", ["/", "/dev", "/etc", "/run", "/var", "/var/tmp", "/usr", "/proc",
                                   "/sys", "/opt", "/home"])
def test_nothing_else_can_be_written(who, place):
    result = python(f"import os\ntry:\n    open('{place}/x', 'w'); print('written')\n"
                    "except OSError as e: print(e.strerror)", who)
    assert result["stdout"] != "written\n", result.explain()


@by_who
@pytest.mark.parametrize(("size", "fits"), [(MIB - 1, True), (MIB, True), (MIB + 1, False)])
def test_file_size_at_under_and_over(who, size, fits):
    result = take("file", size, who, limits={"file_bytes": MIB})
    expect(result, "ok" if fits else "file_size")


@by_who
def test_one_file_without_end(who):
    result = take("large_file", who=who, limits={"file_bytes": 2 * MIB})
    expect(result, "file_size")


@by_who
def test_a_sparse_file_over_the_size(who):
    expect(take("sparse", 2 * MIB, who, limits={"file_bytes": MIB}), "file_size")
    expect(take("sparse", MIB, who, limits={"file_bytes": MIB}), "ok")


# ---- the processor, and the clock ----

@by_who
@pytest.mark.parametrize(("how", "number"), [("spin", 0), ("spin_threads", 30)])
def test_spinning_ends_by_processor_time(who, how, number):
    result = expect(take(how, number, who, limits={"cpu_ms": 300, "wall_ms": 5000}), "cpu_time")
    used = result["usage"]["user_ms"] + result["usage"]["system_ms"]
    assert 300 <= used < 300 + SLACK_MS, result.explain()


@pytest.mark.skipif(not harness.IS_ROOT, reason="without control groups nothing limits processors")
@pytest.mark.parametrize("policy", ["default", harness.waiving(["cpu_limit"])],
                         ids=["held", "waived"])
def test_a_share_of_a_processor_is_held(policy):
    result = expect(take("spin", policy=policy, limits={"cpus": 0.2, "wall_ms": 1000,
                                                        "cpu_ms": 60000}), "wall_time")
    used = result["usage"]["user_ms"] + result["usage"]["system_ms"]
    held = "cpu_limit" in result["protections"]
    assert held == (policy == "default"), result["protections"]
    assert used < 0.4 * result["usage"]["wall_ms"] if held else \
        used > 0.4 * result["usage"]["wall_ms"], result.explain()


@by_who
def test_a_small_share_of_a_processor_ends_no_later(who):
    """Killed processes need processor time to die, and PID 1 to see it."""
    code = "import os\nfor i in range(60):\n    if os.fork() == 0: break\nwhile True: pass"
    result = expect(python(code, who, limits={"cpus": 0.05, "wall_ms": 500, "cpu_ms": 60000}),
                    "wall_time")
    assert 500 <= result["usage"]["wall_ms"] < 500 + SLACK_MS, result.explain()


@pytest.mark.heavy
@by_who
def test_100_threads_get_one_processor(who):
    result = expect(take("spin_threads", 100, who, limits={"processes": 128, "wall_ms": 1000,
                                                           "cpu_ms": 60000}), "wall_time")
    if result["mechanisms"]["cpus"] is None:
        pytest.skip("nothing limits processors here")
    used = result["usage"]["user_ms"] + result["usage"]["system_ms"]
    assert used < 1.5 * result["usage"]["wall_ms"], result.explain()


@by_who
@pytest.mark.parametrize(("used", "fits"), [(100, True), (600, False)])
def test_processor_time_under_and_over(who, used, fits):
    """Final accounting decides: over the limit it is cpu_time even when the program ended first."""
    result = take("spin_for", used, who, limits={"cpu_ms": 400})
    expect(result, "ok" if fits else "cpu_time")


@by_who
@pytest.mark.parametrize(("slept", "fits"), [(100, True), (600, True), (1200, False)])
def test_wall_time_under_and_over(who, slept, fits):
    result = take("sleep", slept, who, limits={"wall_ms": 900})
    expect(result, "ok" if fits else "wall_time")
    if not fits:
        assert 900 <= result["usage"]["wall_ms"] < 900 + SLACK_MS, result.explain()


# ---- objects of the kernel, and endings ----

@pytest.mark.heavy
@by_who
@pytest.mark.parametrize(("how", "errors"), [("inotify", {"EMFILE"}), ("epoll", {"EMFILE"}),
                                             ("timers", {"EAGAIN"}), ("signals", {"EAGAIN"})])
def test_objects_of_the_kernel_run_out_inside(who, how, errors):
    result = take(how, who=who)
    assert (result["status"], result["exit_code"]) == ("exit", 20), result.explain()
    count, error = result["stdout"].split()
    assert error in errors and int(count) <= 4096, result.explain()


@by_who
@pytest.mark.parametrize("policy", ["default", harness.waiving(["run_uid"])], ids=["held", "waived"])
def test_what_one_run_uses_up_another_still_has(who, policy):
    """Inotify instances and the like are counted by uid: one run must not starve the next."""
    held = f"held-{harness.TOKEN}-{who}"
    hold = "import ctypes, os\nl = ctypes.CDLL(None)\nwhile l.inotify_init() >= 0: pass\n" \
           f"os.execv('/bin/sleep', ['{held}', '20'])"
    code = "import ctypes\nprint(ctypes.CDLL(None).inotify_init() >= 0)"
    with harness.running({"language": "python", "code": hold, "policy": policy}, who):
        harness.wait_until(lambda: harness.processes_with(held), what="holding them")
        result = python(code, who, policy=policy)
    # One uid serves all runs of an ordinary user.
    assert ("run_uid" in result["protections"]) == (who == "root" and policy == "default")
    assert result["stdout"] == f"{'run_uid' in result['protections']}\n", result.explain()


LOCKS = """
import errno, fcntl, os, sys
file = os.open('locked', os.O_CREAT | os.O_RDWR)
count = 0
try:
    while count < 3 * 10**6:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * count)
        count += 1
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@by_who
def test_what_no_control_group_counts_is_refused(who):
    """Memory policies of shared files, which stay with them; pages of pipes that the keeper made."""
    code = "import ctypes, fcntl, mmap, os\n" \
           "libc = ctypes.CDLL(None, use_errno=True)\n" \
           "memory = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n" \
           "address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n" \
           "MBIND, PREFERRED = 237, 1\n" \
           "print(libc.syscall(MBIND, ctypes.c_void_p(address), 4096, PREFERRED, None, 0, 0),\n" \
           "      ctypes.get_errno())\n" \
           "for pipe in (1, 2, os.pipe()[0]):\n" \
           "    try: print(fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096))\n" \
           "    except OSError as error: print(error.errno)\n" \
           "print(len(open('/proc/locks').read()))\n"
    result = python(code, who)
    assert result["stdout"].split() == ["-1", "38", "1", "1", "1", "0"], result.explain()
    assert {call["name"] for call in result["refused_calls"]} == {"fcntl"}


@pytest.mark.heavy
@by_who
def test_file_locks_are_bounded(who):
    """The kernel keeps each in memory: by the control group's count, or until the time is over."""
    with MemoryTaken() as taken:
        result = python(LOCKS, who, limits={"wall_ms": 3000, "cpu_ms": 60000})
    assert result["status"] in ("memory", "wall_time"), result.explain()
    assert taken.most < 2 * GIB, taken.most
    if not supervised(result):
        assert result["usage"]["memory_peak_bytes"] <= 512 * MIB, result.explain()


@by_who
def test_files_of_the_host_cannot_be_leased(who):
    """Who holds a lease delays everybody else's opening of the file."""
    code = "import fcntl\n" \
           "for path in ('/usr/bin/env', '/etc/ld.so.cache', '/dev/null', '/workspace/main.py'):\n" \
           "    try:\n        fcntl.fcntl(open(path), fcntl.F_SETLEASE, fcntl.F_RDLCK)\n" \
           "        print(path, 'leased')\n" \
           "    except OSError as error: print(path, error.errno)\n"
    result = python(code, who)
    assert result["stdout"].splitlines() == [
        "/usr/bin/env 13", "/etc/ld.so.cache 13", "/dev/null 13", "/workspace/main.py leased"], \
        result.explain()


@by_who
@pytest.mark.parametrize(("number", "name"), [(6, "SIGABRT"), (9, "SIGKILL"), (11, "SIGSEGV"),
                                              (24, "SIGXCPU"), (31, "SIGSYS")])
def test_a_signal_of_its_own_is_no_limit_of_ours(who, number, name):
    """A program can send itself what a limit would have sent.  (SIGXFSZ is not here: whether the
    kernel sent it is not to be seen afterwards, and no accounting tells.)"""
    result = take("crash", number, who)
    assert (result["status"], result["signal"]) == ("signal", name), result.explain()
    assert result["limits_hit"] == [] and result["limit"] is None, result.explain()
    assert result.code == 128 + number


OVERFLOW = "int f(volatile char *p) { volatile char a[1000]; a[0] = *p; return f(a) + a[999]; }\n" \
           "int main(void) { char c = 1; return f(&c); }"
NULL = "int main(void) { volatile int *p = 0; return *p; }"


@by_who
@pytest.mark.parametrize("stack", [MIB, 8 * MIB, 32 * MIB])
def test_a_stack_overflow_is_noted(who, stack):
    for request in (attack_request("take", "stack"), {"language": "c", "code": OVERFLOW}):
        result = run({**request, "limits": {"stack_bytes": stack}}, who)
        assert (result["status"], result["signal"]) == ("signal", "SIGSEGV"), result.explain()
        assert result["limits_hit"] == ["stack"], result.explain()
        assert "stack overflow" in result["message"], result.explain()


@by_who
def test_another_segmentation_fault_is_no_stack_overflow(who):
    for request in ({"language": "c", "code": NULL}, attack_request("take", "crash", "11"),
                    {"language": "python", "code": "import ctypes; ctypes.string_at(0)"}):
        result = run(request, who)
        assert (result["status"], result["signal"]) == ("signal", "SIGSEGV"), result.explain()
        assert result["limits_hit"] == [], result.explain()


# ---- others must not notice ----

@pytest.mark.heavy
@by_who
def test_half_of_the_runs_hit_limits_and_the_others_do_not_notice(who):
    bad = [("fork", 0, "processes", {}), ("heap", 0, "memory", {}),
           ("spin", 0, "cpu_time", {"cpu_ms": 200}),
           ("sleep", 60000, "wall_time", {"wall_ms": 300}),
           ("disk", 0, "disk", {}), ("large_file", 0, "file_size", {"file_bytes": MIB})]

    patient = {"wall_ms": 10000 * SLOWNESS, "cpu_ms": 10000 * SLOWNESS}

    def one(index):
        if index % 2 == 0:
            return index, python(f"print({index} * 2)", who, limits=patient)
        name, number, _, limits = bad[index // 2 % len(bad)]
        return index, run(attack_request("take", name, str(number), limits=limits), who)

    with ThreadPoolExecutor(4) as pool:
        for index, result in pool.map(one, range(48)):
            if index % 2 == 0:
                assert (result["status"], result["stdout"]) == ("ok", f"{index * 2}\n"), \
                    result.explain()
                assert result["limits_hit"] == [], result.explain()
            else:
                expect(result, bad[index // 2 % len(bad)][2])


@pytest.mark.parametrize("who", WHO)
def test_a_traced_program_ends_as_it_did(who):
    result = python(harness.TRACED, who, policy="open", limits={"wall_ms": 20000})
    assert (result["status"], result["exit_code"]) == ("exit", 7), result.explain()
    assert result["usage"]["wall_ms"] < 10000
