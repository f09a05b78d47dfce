"""Runs beside each other, and what of the host shows inside: two runs at once, many at once, hooks
of interpreters, PID 1, and an audit of every thread of a run from outside.
"""
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import pytest
from harness import (CONFINED, IS_ROOT, WHO, attack_request, command_line, descendants, environment,
                     inside, python, run, running, status_of)

by_who = pytest.mark.parametrize("who", WHO)

# ---- two runs at once: A holds everything that B looks for ----

SECRET = f"secret-of-{os.getpid()}"

HOLDER = r"""
import ctypes, os, socket, sys, threading, time
secret = os.environ["SECRET"]
for place in ("/workspace", "/tmp", "/dev/shm"):
    open(f"{place}/{secret}", "w").write(secret)
libc = ctypes.CDLL(None)
segment = libc.shmget(0x5EC4E7, 4096, 0o1666)
libc.semget(0x5EC4E7, 1, 0o1666); libc.msgget(0x5EC4E7, 0o1666)
a = socket.socket(socket.AF_UNIX); a.bind("\0" + secret); a.listen()
t = socket.socket(); t.bind(("127.0.0.1", 18421)); t.listen()
libc.prctl(15, b"holder-of-secret", 0, 0, 0)
print("holding", segment >= 0, flush=True)
time.sleep(20)
"""

SEEKER = r"""
import ctypes, os, signal, socket
secret, libc, found = os.environ["WANTED"], ctypes.CDLL(None), []
for root, directories, files in os.walk("/"):
    if root.startswith("/proc") or root.startswith("/usr"):
        directories[:] = []
    found += [f"file {root}/{name}" for name in files if secret in name]
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    for name in ("environ", "cmdline", "comm", "maps"):
        try:
            data = open(f"/proc/{pid}/{name}", "rb").read()
        except OSError:
            continue
        if b"secret" in data or secret.encode() in data:
            found.append(f"/proc/{pid}/{name}")
for call in (libc.shmget, libc.semget, libc.msgget):
    if call(0x5EC4E7, 0, 0) >= 0:
        found.append("System V")
for family, address in ((socket.AF_UNIX, "\0" + secret), (socket.AF_INET, ("127.0.0.1", 18421))):
    try:
        socket.socket(family).connect(address)
        found.append(f"socket {address}")
    except OSError:
        pass
for pid in range(2, 40000):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
            found.append(f"killed {pid}")
        except OSError:
            pass
print(found)
"""


@by_who
def test_a_run_finds_nothing_of_another(who):
    holder = {"language": "python", "code": HOLDER, "env": {"SECRET": SECRET}, "args": [SECRET]}
    with running(holder, who) as process:
        harness.wait_until(lambda: harness.processes_with(SECRET), what="the holder's start")
        harness.wait_until(lambda: holder_is_ready(who), what="the holder's sockets")
        result = python(SEEKER, who, env={"WANTED": SECRET})
        assert result["stdout"] == "[]\n", result.explain()
        assert process.poll() is None, "the holder was ended"
        assert harness.processes_with(SECRET), "the holder's program was ended"


def holder_is_ready(_who):
    names = [Path(f"/proc/{pid}/comm") for pid in harness.processes_with(SECRET)]
    return any("holder-of-secr" in name.read_text() for name in names if name.exists())


def test_the_seeker_finds_what_is_in_its_own_run():
    """Else the test above would show nothing."""
    code = ("import os, subprocess, sys, time\n"
            "holder = subprocess.Popen([sys.executable, '-c', open('holder').read(), 'secret'],\n"
            "                          stdout=subprocess.PIPE)\n"
            "holder.stdout.readline()\n" + SEEKER)
    result = python(code, env={"SECRET": SECRET, "WANTED": SECRET},
                    files=[{"path": "holder", "content": HOLDER}])
    for thing in (f"file /tmp/{SECRET}", f"file /dev/shm/{SECRET}", "/environ", "/cmdline",
                  "System V", "socket \\x00", "18421", "killed"):
        assert thing in result["stdout"], f"{thing}: {result.explain()}"


@pytest.mark.skipif(not IS_ROOT, reason="only root gives each run a uid of its own")
def test_runs_at_once_have_uids_of_their_own():
    request = {"command": ["/bin/sleep", "20", f"0.{os.getpid()}1"]}
    with running(request), running(request), running(request):
        word = f"0.{os.getpid()}1"
        pids = harness.wait_until(lambda: full(run_pids(word), 3), what="three runs")
        uids = [os.stat(f"/proc/{pid}").st_uid for pid in pids]
        assert len(set(uids)) == 3 and min(uids) >= 1900000000, uids


def full(pids, count):
    return pids if len(pids) == count else None


def run_pids(word):
    """Host pids of programs inside runs with that word in their command line."""
    return [pid for pid in harness.processes_with(word)
            if b"cella" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


# ---- many at once ----

ALLOWED_VARIABLES = {"HOME", "LANG", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}
LOOK = "ls -1 /proc/self/fd | tr '\\n' ' '; echo; env"


@pytest.mark.heavy
def test_200_launches_inherit_nothing():
    """Each has its three streams (and the directory that ls itself opens) and a clean environment,
    while others are being launched and while the caller holds files and variables."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(open("/etc/hostname", "rb")) for _ in range(20)]
        inheritable = [os.dup(file.fileno()) for file in held]
        stack.callback(lambda: [os.close(fd) for fd in inheritable])
        for fd in inheritable:
            os.set_inheritable(fd, True)

        def look(_):
            return subprocess.run(
                command_line("root", "run", "--time", f"{20 * harness.SLOWNESS}s", "-l", "command", "--",
                             "/bin/sh", "-c", LOOK),
                capture_output=True, text=True, timeout=60 * harness.SLOWNESS, close_fds=False, check=False,
                env=environment("root", {"CALLER_SECRET": SECRET}), stdin=subprocess.DEVNULL)

        with ThreadPoolExecutor(16) as pool:
            runs = list(pool.map(look, range(200)))
    for done in runs:
        assert done.returncode == 0, done
        descriptors, *variables = done.stdout.splitlines()
        assert descriptors.split() == ["0", "1", "2", "3"], done
        names = {line.partition("=")[0] for line in variables}
        assert names <= ALLOWED_VARIABLES and SECRET not in done.stdout, names


# ---- hooks act after the lock-down ----

IN_PYTHON = "import sys; sys.stderr.write(open('/proc/self/status').read() + 'HOOK\\n')\n"
IN_NODE = "process.stderr.write(require('fs').readFileSync('/proc/self/status','utf8')+'HOOK\\n')"
IN_RUBY = "$stderr.write(File.read('/proc/self/status') + \"HOOK\\n\")\n"
IN_PERL = "print STDERR do { local(@ARGV, $/) = '/proc/self/status'; <> }, \"HOOK\\n\"; 1;\n"
IN_SHELL = "cat /proc/self/status >&2; echo HOOK >&2\n"
IN_C = r"""
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void act(void)
{
    static char text[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    long size = read(fd, text, sizeof(text));
    (void)!write(2, text, size > 0 ? (unsigned long)size : 0);
    (void)!write(2, "HOOK\n", 5);
}
int gconv_init(void *step) { (void)step; return 1; }
int gconv(void) { return 1; }
"""


def library():
    source = harness.scratch() / "hook.c"
    target = harness.scratch() / "hook.so"
    if not target.exists():
        source.write_text(IN_C)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return target.read_bytes()


SITE = ".local/lib/python%d.%d/site-packages" % sys.version_info[:2]
HOOKS = {
    "sitecustomize": ("python", "", {"sitecustomize.py": IN_PYTHON}, {"PYTHONPATH": "/workspace"}),
    "usercustomize": ("python", "", {f"{SITE}/usercustomize.py": IN_PYTHON}, {}),
    "pth": ("python", "", {f"{SITE}/hook.pth": "import hook\n", f"{SITE}/hook.py": IN_PYTHON}, {}),
    "module beside it": ("python", "import random", {"random.py": IN_PYTHON}, {}),
    "PYTHONSTARTUP": (["/usr/bin/python3", "-i"], "", {"hook.py": IN_PYTHON},
                      {"PYTHONSTARTUP": "/workspace/hook.py"}),
    "NODE_OPTIONS": ("javascript", "", {"hook.js": IN_NODE},
                     {"NODE_OPTIONS": "--require /workspace/hook.js"}),
    "RUBYOPT": ("ruby", "", {"hook.rb": IN_RUBY}, {"RUBYOPT": "-r/workspace/hook.rb"}),
    "PERL5OPT": (["/usr/bin/perl", "-e", "1"], "", {"Hook.pm": IN_PERL},
                 {"PERL5OPT": "-I/workspace -MHook"}),
    "BASH_ENV": ("bash", "", {"hook.sh": IN_SHELL}, {"BASH_ENV": "/workspace/hook.sh"}),
    "ENV": (["/bin/sh", "-i"], "", {"hook.sh": IN_SHELL}, {"ENV": "/workspace/hook.sh"}),
    "LD_PRELOAD": (["/bin/true"], "", {"hook.so": None}, {"LD_PRELOAD": "/workspace/hook.so"}),
    "LD_AUDIT": (["/bin/true"], "", {"hook.so": None}, {"LD_AUDIT": "/workspace/hook.so"}),
    "GCONV_PATH": (["/usr/bin/iconv", "-f", "hook", "-t", "utf-8", "/etc/hostname"], "",
                   {"hook.so": None, "gconv-modules": "module HOOK// INTERNAL hook 1\n"},
                   {"GCONV_PATH": "/workspace"}),
    "conftest": (["/usr/bin/python3", "-m", "pytest", "-q", "-s"], "",
                 {"conftest.py": IN_PYTHON, "test_it.py": "def test_it(): pass\n"}, {}),
    "package.json": ("javascript", "require('hook')",
                     {"node_modules/hook/package.json": '{"main": "act.js"}',
                      "node_modules/hook/act.js": IN_NODE}, {}),
}


@by_who
@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_run_confined(who, hook):
    what, code, files, variables = HOOKS[hook]
    how = {"command": what} if isinstance(what, list) else {"language": what, "code": code}
    placed = [{"path": path, "content": content} if content is not None else
              {"path": path, "content": base64.b64encode(library()).decode(), "encoding": "base64"}
              for path, content in files.items()]
    result = run({**how, "files": placed, "env": variables}, who)
    if result["status"] == "refused" and result.code == 127:
        pytest.skip(result["message"])
    assert "HOOK" in result["stderr"], f"the hook did not act: {result.explain()}"
    assert confinement(result["stderr"].partition("HOOK")[0]) == CONFINED


def confinement(status):
    fields = dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))
    return {name: fields.get(name) for name in CONFINED}


# ---- PID 1, and handles on programs ----

@by_who
def test_pid_1_outlives_every_signal(who):
    result = harness.take("signal_init", who=who)
    assert (result["status"], result["stdout"]) == ("ok", "still here\n"), result.explain()


@by_who
@pytest.mark.parametrize("number", [9, 15, 19])
def test_killing_everyone_ends_the_program_alone(who, number):
    """kill(-1) reaches neither PID 1 nor, as the kernel has it, the caller."""
    result = harness.take("kill_all", number, who)
    assert (result["status"], result["stdout"]) == ("ok", "still here\n"), result.explain()


OVERWRITE = r"""
import os
opened = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    for flags in (os.O_WRONLY, os.O_RDWR):
        try:
            fd = os.open(f"/proc/{pid}/exe", flags)
            opened.append((pid, os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            pass
    try:
        fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
        os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        opened.append((pid, "by its descriptor"))
    except OSError:
        pass
print(opened)
"""


@by_who
def test_no_program_file_can_be_written(who):
    result = python(OVERWRITE, who)
    assert result["stdout"] == "[]\n", result.explain()


@by_who
def test_nothing_of_the_host_shows_in_proc_self(who):
    code = "import os\n" \
           "for name in ('cgroup', 'environ', 'mountinfo', 'cmdline', 'maps'):\n" \
           "    print(open(f'/proc/self/{name}', errors='replace').read())\n" \
           "print(os.readlink('/proc/self/cwd'), os.readlink('/proc/self/root'))\n"
    result = python(code, who)
    assert result["status"] == "ok", result.explain()
    for word in ("cella-", str(harness.ROOT), str(harness.BUILD), "/home/", "/root/", "SUDO"):
        assert word not in result["stdout"], f"{word!r} shows: {result['stdout'][:3000]}"


# ---- the audit from outside ----

BUSY = r"""
import os, subprocess, threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
subprocess.Popen(["/bin/sleep", "20"])
if os.fork() == 0:
    os.setsid(); time.sleep(20)
print("ready", flush=True); time.sleep(20)
"""


def streams_of(pid):
    """Where its descriptors lead, or None: a program that is starting may be reading a file."""
    with contextlib.suppress(FileNotFoundError):
        links = {fd.name: os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        return links if set(links) <= {"0", "1", "2"} else None
    return None


@by_who
def test_every_thread_of_a_run_is_confined_as_seen_from_outside(who):
    with running({"language": "python", "code": BUSY}, who) as process:
        def settled():
            pids = inside(descendants(process.pid))
            return pids if len(pids) == 4 else None  # init, the program, sleep, the fork
        pids = harness.wait_until(settled, what="four processes")
        harness.wait_until(lambda: sum(len(list(Path(f"/proc/{pid}/task").iterdir()))
                                       for pid in pids) == 7, what="seven threads")
        session_outside = os.getsid(process.pid)
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                status = status_of(task)
                assert {name: status[name] for name in CONFINED} == CONFINED, status
                if who == "root":
                    assert status["Groups"].split() == [], status["Groups"]
                    uids = set(map(int, status["Uid"].split() + status["Gid"].split()))
                    assert len(uids) == 1 and uids.pop() >= 1900000000, status["Uid"]
        inner = {pid: status_of(Path(f"/proc/{pid}"))["NSpid"].split()[-1] for pid in pids}
        program = [pid for pid in pids if inner[pid] != "1"]
        for pid in program:
            assert os.getsid(pid) != session_outside, f"{pid} is in the caller's session"
            links = harness.wait_until(lambda pid=pid: streams_of(pid), what="three streams alone")
            assert all(link.startswith(("pipe:", "/dev/null")) for link in links.values()), links
            for kind in ("user", "pid", "mnt", "net", "ipc", "uts"):
                mine, theirs = (os.readlink(f"/proc/{who}/ns/{kind}") for who in ("self", pid))
                assert mine != theirs, f"{pid} shares the {kind} namespace"


PRIORITY = r"""
import os, subprocess
print(os.nice(0), os.sched_getscheduler(0), open("/proc/self/oom_score_adj").read().strip(),
      subprocess.run(["ionice"], capture_output=True, text=True).stdout.strip())
"""
OTHER, IDLE = os.SCHED_OTHER, os.SCHED_IDLE
OWN_SCORE = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
SCORE = min(max(OWN_SCORE + 100, 500), 1000)
BETTER_IO = re.compile("realtime|best-effort: prio [0-3]")


@by_who
@pytest.mark.parametrize(("words", "niceness", "scheduler", "score", "io"), [
    ("", 0, OTHER, SCORE, None),
    ("nice -n -10", -10, OTHER, SCORE, None),
    ("nice -n 7", 7, OTHER, SCORE, None),
    ("chrt -f 10", 0, OTHER, SCORE, None),
    ("chrt -r 10", 0, OTHER, SCORE, None),
    ("chrt -i 0", 0, IDLE, SCORE, None),
    ("ionice -c1 -n0", 0, OTHER, SCORE, None),
    ("ionice -c2 -n0", 0, OTHER, SCORE, None),
    ("ionice -c3", 0, OTHER, SCORE, "idle"),
    ("choom -n 700 --", 0, OTHER, 800, None),
    ("choom -n 1000 --", 0, OTHER, 1000, None),
])
def test_no_better_priority_than_normal_by_the_caller(who, words, niceness, scheduler, score, io):
    """And the first to go when the host's memory runs out, before the keeper.  What the caller has
    that is worse stays: these tests may be nice themselves."""
    if subprocess.run([*words.split(), "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("not ours to have")
    done = subprocess.run([*words.split(),
                           *command_line(who, "run", "-l", "python", "-c", PRIORITY)],
                          capture_output=True, text=True, timeout=30, env=environment(who), cwd="/",
                          check=False)
    assert done.returncode == 0, done.stderr
    found = done.stdout.strip().split(" ", 3)
    expected = [max(0, min(os.nice(0) + niceness, 19)), scheduler, score]
    assert found[:3] == list(map(str, expected)), done.stdout
    assert not BETTER_IO.match(found[3]) and io in (None, found[3]), done.stdout


@by_who
def test_a_run_ends_when_its_keeper_is_killed(who):
    word = f"77{os.getpid()}"
    with running({"command": ["/bin/sleep", word]}, who) as process:
        harness.wait_until(lambda: run_pids(word), what="the start")
        keepers = [pid for pid in descendants(process.pid)
                   if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"cella-keeper")]
        assert len(keepers) == 1, keepers
        os.kill(keepers[0], 9)
        harness.wait_until(lambda: not run_pids(word), what="the end of the run")
        output, _ = process.communicate(timeout=10)
    assert json.loads(output)["status"] == "internal", output


@by_who
def test_host_files_are_unchanged_by_pipe_tricks(who):
    """Splicing a page of a read-only file into a pipe and writing there must not reach the file."""
    code = r"""
import os
r, w = os.pipe()
for _ in range(16): os.write(w, b"x" * 4096)
for _ in range(16): os.read(r, 4096)
f = os.open("/usr/bin/env", os.O_RDONLY)
print(os.splice(f, w, 1, offset_src=0), os.write(w, b"EVIL"))
"""
    before = Path("/usr/bin/env").read_bytes()
    result = python(code, who)
    assert result["status"] == "ok" and result["stdout"] == "1 4\n", result.explain()
    assert Path("/usr/bin/env").read_bytes() == before


@by_who
def test_attack_request_leaves_no_process(who):
    """A daemon with a session of its own is dead before the result is given."""
    result = run(attack_request("take", "daemon", "0"), who)
    assert result["stdout"] == "left a daemon\n", result.explain()
    assert not harness.processes_with("/workspace/attack\0take\0daemon")
