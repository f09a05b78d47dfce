"""What holds a warm run: as much as a cold one, and nothing of one run is seen by the next."""
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
from client import Client, zygotes
from program import IS_ROOT, NOBODY, ROOT

MIB = 1024 * 1024
HAS_NUMPY = Path("/usr/lib/python3/dist-packages/numpy").exists()
POLICIES = sorted(path.stem for path in (ROOT / "policies").glob("*.yaml"))

# What a program can find out about what holds it.
PROBE = r"""
import json, os, resource, socket, ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    ctypes.set_errno(0)
    return libc.syscall(number, *words) >= 0 or ctypes.get_errno()
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
kept = ("Uid", "Gid", "Groups", "NSsid", "NSpgid", "Seccomp", "Seccomp_filters", "NoNewPrivs", "CapEff",
        "CapPrm", "CapInh", "CapBnd", "CapAmb", "SigIgn", "SigBlk", "Umask",
        "Speculation_Store_Bypass", "SpeculationIndirectBranch")
ends = {line.split()[4]: line.split()[5] + " " + line.split(" - ")[1].split()[0]
        for line in open("/proc/self/mountinfo")}
def opens(path, flags):
    try:
        os.close(os.open(path, flags))
        return True
    except OSError as error:
        return "refused" if error.errno in (1, 13, 30) else error.errno  # whichever comes first
def limit(name):
    try:
        return resource.getrlimit(getattr(resource, name))
    except OSError as error:
        return error.errno
found = {
    "status": {key: status[key].strip() for key in kept if key in status and not key.startswith("NS")},
    "processors": len(os.sched_getaffinity(0)),
    "leads a session": os.getsid(0) == os.getpid() == os.getpgid(0),
    "limits": {name: limit(name) for name in dir(resource) if name.startswith("RLIMIT")},
    "mounts": ends,
    "links": {name: os.readlink("/proc/self/ns/" + name).split(":")[0] for name in os.listdir("/proc/self/ns")},
    "cgroup": open("/proc/self/cgroup").read(),
    "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd")
                    if int(fd) < 3},
    "more descriptors": [fd for fd in range(3, 256) if os.path.exists(f"/proc/self/fd/{fd}")],
    "processes": sorted(int(name) == 1 or int(name) == os.getpid() for name in os.listdir("/proc") if name.isdigit()),
    "opens": {path: [opens(path, os.O_RDONLY), opens(path, os.O_WRONLY)] for path in (
        "/proc/1/mem", "/proc/1/environ", "/proc/kcore", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
        "/usr/bin/env", "/etc/passwd", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/tmp", "/workspace")},
    "calls": {number: call(number, 0, 0, 0, 0, 0, 0) for number in (
        101, 105, 135, 155, 161, 163, 165, 166, 167, 169, 170, 172, 175, 212, 246, 248, 250, 272, 298, 303, 304,
        308, 310, 311, 312, 313, 321, 323, 425, 428, 429, 430, 431, 432, 434, 438, 440, 442, 447)},
    "sockets": {f"{family} {kind}": isinstance(error, int) and error for family in (1, 2, 10, 16, 17, 38, 40)
                for kind in (1, 2, 3) for error in [None]},
    "keyring": isinstance(call(250, 0, -3, 0), int),
    "dumpable": libc.prctl(3, 0, 0, 0, 0),
    "securebits": libc.prctl(27, 0, 0, 0, 0),
    "death signal": (lambda word: (libc.prctl(2, ctypes.byref(word), 0, 0, 0), word.value))(ctypes.c_int()),
    "priority": [os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0),
                 open("/proc/self/oom_score_adj").read()],
    "host": [os.uname().nodename, socket.gethostname(), sorted(os.listdir("/sys")), os.cpu_count()],
    "interfaces": open("/proc/self/net/dev").read().count(":"),
    "environment": sorted(os.environ),
}
print(json.dumps(found, sort_keys=True))
"""


def probe(client, **fields):
    result = client.run(code=PROBE, **fields)
    if result["status"] == "internal" and "control groups" in result["message"]:
        pytest.skip(result["message"])
    assert result["status"] == "ok", result["stderr"]
    return result, json.loads(result["stdout"])


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_holds_alike(cold, warm, policy):
    """Field by field.  Only a nest's processes are nearer to the memory killer than others."""
    expected, expected_probe = probe(cold, policy=policy)
    found, found_probe = probe(warm, policy=policy)
    for key in ("protections", "waived", "mechanisms", "refused_calls", "policy"):
        assert found[key] == expected[key], key
    assert int(found_probe["priority"].pop()) >= int(expected_probe["priority"].pop())
    for key, value in expected_probe.items():
        assert found_probe[key] == value, key


def test_limits_of_the_request_are_the_warm_run_s(warm):
    result = warm.run(code="import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_FSIZE))",
                      limits={"open_files": 77, "file_bytes": 12345})
    assert result["stdout"] == "(77, 77) (12345, 12345)\n"


# ---- from run to run ----

def test_no_state_is_left(warm):
    spoil = """
import builtins, gc, json, os, random, sys, tempfile
json.spoilt = builtins.spoilt = sys.spoilt = True
os.environ["SPOILT"] = "1"
for place in "/workspace", "/tmp", "/dev/shm":
    open(place + "/spoilt", "w").write("x")
random.seed(1)
sys.path.append("/spoilt")
os.umask(0o777)
os.chdir("/tmp")
secret = "to be found by nobody " * 1000
gc.disable()
print(os.getpid())
"""
    look = """
import builtins, gc, json, os, sys
print(hasattr(json, "spoilt"), hasattr(builtins, "spoilt"), hasattr(sys, "spoilt"), "SPOILT" in os.environ,
      [place for place in ("/workspace", "/tmp", "/dev/shm") if "spoilt" in os.listdir(place)],
      "/spoilt" in sys.path, oct(os.umask(0)), os.getcwd(), gc.isenabled())
found = 0
for line in open("/proc/self/maps"):
    ends, rights = line.split()[:2]
    if rights.startswith("rw"):
        start, end = (int(end, 16) for end in ends.split("-"))
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            found += (memory.read(end - start) or b"").count(b"eb ot ydobon yb dnuof eb ot"[::-1])
print(found)
"""
    for _ in range(5):
        assert warm.run(code=spoil)["status"] == "ok"
        result = warm.run(code=look)
        assert result["stdout"] == ("False False False False [] False 0o22 /workspace True\n0\n"), result["stderr"]


def test_entropy(warm):
    """Whatever is random in two cold starts is in two warm ones, also what the zygote has used."""
    code = """
import multiprocessing.process, os, random, secrets, ssl, string, sys, tempfile, uuid
print(random.random()); print(random.SystemRandom().random()); print(secrets.token_hex(8)); print(uuid.uuid4())
print(uuid.uuid1()); print(ssl.RAND_bytes(8).hex()); print(os.urandom(8).hex())
print(tempfile.mktemp()); print(next(tempfile._get_candidate_names()))
print(multiprocessing.process.current_process().authkey.hex())
print(id(object()) * 0 + random.getrandbits(60))
"""
    of_numpy = "import numpy; print(numpy.random.rand()); print(numpy.random.default_rng().random())\n"
    values, code = (13, code + of_numpy) if HAS_NUMPY else (11, code)
    runs = [warm.run(code=code)["stdout"].split() for _ in range(20)]
    assert all(len(run) == values for run in runs)
    for number, values in enumerate(zip(*runs)):
        assert len(set(values)) == len(values), (number, values)


def test_a_zygote_is_out_of_reach(warm):
    code = """
import os, signal, ctypes
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getppid(), [name for name in os.listdir("/proc") if name.isdigit() and int(name) > 1 and int(name) != os.getpid()])
for act in (lambda: os.kill(-1, signal.SIGTERM), lambda: os.kill(1, signal.SIGKILL), lambda: os.kill(0, signal.SIGTERM),
            lambda: os.setpriority(os.PRIO_USER, 0, 19)):
    try:
        act()
    except OSError:
        pass
print(libc.ptrace(16, 1, 0, 0), libc.syscall(310, 1, 0, 0, 0, 0, 0))
print(sorted(os.listdir("/proc/self/fd")))
"""
    for _ in range(3):
        result = warm.run(code=code)
        assert result["stdout"].splitlines()[0].endswith(" []"), result["stdout"]
        assert result["stdout"].splitlines()[1:] == ["-1 -1", "['0', '1', '2', '3']"]
    assert warm.run(code="print(1)")["stdout"] == "1\n"


# ---- memory ----

def test_memory_is_counted_alike(cold, warm):
    """Within 4 MiB, which is what interfaces promise, of what the same program has cold."""
    for code in ("print(1)", "x = bytearray(20 * 2 ** 20)\nprint(len(x))"):
        results = [client.run(code=code) for client in (cold, warm)]
        peaks = [result["usage"]["memory_peak_bytes"] for result in results]
        if results[0]["mechanisms"]["memory_bytes"] != "supervision":  # that looks now and then
            assert abs(peaks[0] - peaks[1]) <= 4 * MIB, (code, peaks)


@pytest.mark.parametrize(("size", "status"), [(24, "ok"), (48, "memory")])
def test_verdicts_near_the_limit_agree(cold, warm, size, status):
    # Without control groups it must have it for long enough to be seen.
    code = f"import time\nx = b'x' * ({size} * 2 ** 20)\nprint(len(x), flush=True)\ntime.sleep(0.2)"
    for client in (cold, warm):
        assert client.run(code=code, limits={"memory_bytes": 40 * MIB})["status"] == status


# ---- ill zygotes ----

def test_one_that_waits_uses_no_processor(warm):
    """Nor does its init, which the control group counts."""
    result = warm.run(code="import time; time.sleep(1)")
    assert result["status"] == "ok"
    assert result["usage"]["user_ms"] + result["usage"]["system_ms"] < 500, result["usage"]
    result = warm.run(code="import time; time.sleep(30)", limits={"wall_ms": 900})
    assert result["status"] == "wall_time", result["message"]


@pytest.fixture
def policies(user):
    """A user's directory of configuration, with a policy of his own."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        place = Path(directory) / "cella" / "policies"
        place.mkdir(parents=True)
        (place / "anew.yaml").write_text("extends: default\ncold_start: true\n")
        if IS_ROOT and user == "user":
            for path in Path(directory, "cella"), place:
                os.chown(path, NOBODY, NOBODY)
        yield directory


def test_a_policy_may_ask_for_cold_starts(user, policies):
    client = Client(user, "any", {"XDG_CONFIG_HOME": policies})
    try:
        code = "print(hash('a'), id(object()))"
        runs = [client.run(code=code, policy="anew") for _ in range(8)]
        assert {run["start"] for run in runs} == {"cold"}
        assert len({run["stdout"] for run in runs}) == 8  # a seed and a layout of its own each
        assert zygotes(client.keeper()) == []
    finally:
        client.close()


def test_zygotes_that_are_killed_at_any_moment(user):
    """Also one that has just made a child and not yet told of it, which then is nobody's."""
    client = Client(user, "any")
    try:
        for round in range(40):
            for _ in range(round % 6 + 1):
                assert client.run(code="print(1)")["stdout"] == "1\n"
            time.sleep(round * 0.00025)
            for pid in zygotes(client.keeper()):
                os.kill(pid, signal.SIGKILL)
    finally:
        client.close()  # what is left behind is looked at by conftest


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_an_ill_zygote_costs_no_request(user, number):
    client = Client(user, "any")
    try:
        deadline = time.monotonic() + 60
        while client.run(code="print(1)")["start"] != "warm":
            assert time.monotonic() < deadline
        ill = zygotes(client.keeper())
        assert ill
        for pid in ill:
            os.kill(pid, number)
        for i in range(12):
            result = client.run(code=f"print({i})")
            assert (result["status"], result["stdout"]) == ("ok", f"{i}\n")
        deadline = time.monotonic() + 60
        while client.run(code="print(1)")["start"] != "warm":
            assert time.monotonic() < deadline, "no other zygote came"
        assert zygotes(client.keeper()) != ill
    finally:
        client.close()


def test_a_zygote_holds_nothing_of_the_host(user):
    client = Client(user, "warm")
    try:
        client.run(code="print(1)")
        time.sleep(1)  # while it forks it has a sandbox's descriptors
        for pid in zygotes(client.keeper()):
            status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            for kind in "CapEff", "CapPrm", "CapBnd":  # chroot, ptrace, admin: in the nest
                assert int(status[kind], 16) == 1 << 18 | 1 << 19 | 1 << 21, (kind, status[kind])
            own, ours = (os.readlink(f"/proc/{who}/ns/user") for who in (pid, "self"))
            assert own != ours
            for name in "mnt", "net", "ipc", "uts", "pid":
                assert os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name
            links = {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
            assert links <= {"pipe", "socket", "pid"}, links
            assert os.listdir(f"/proc/{pid}/root/home" if os.path.exists(f"/proc/{pid}/root/home")
                              else f"/proc/{pid}/root/run") == []
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"HOME=/workspace" in environment and b"XDG" not in environment
    finally:
        client.close()
