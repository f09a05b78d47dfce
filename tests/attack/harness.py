"""What the attack tests stand on: the attack program, Cella as root and as an ordinary user,
policies that waive protections, and a world of canaries that no run may reach.

The build must be one with CELLA_TESTING, which may waive every protection that is not structural.
"""
import atexit
import base64
import contextlib
import ctypes
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from program import BUILD, CELLA, IS_ROOT, NOBODY, ROOT, USERS, valid

HERE = Path(__file__).resolve().parent
WHO = list(USERS)

# Of these nothing would be left without them: no build may waive them.
STRUCTURAL = ["user_namespace", "pid_namespace", "built_root", "sealed_init"]

MIB = 1024 * 1024
SLOWNESS = int(os.environ.get("CELLA_TEST_SLOWNESS", 1))
# Small, so that an attack on a limit is quick; the attack program takes twice as much.
LIMITS = {"wall_ms": 5000 * SLOWNESS, "memory_bytes": 64 * MIB, "processes": 32, "disk_bytes": 8 * MIB}

TOKEN = f"cella-canary-{os.getpid()}"
# The kernel (or this machine) has no such thing: there is nothing to attack.
ABSENT = {"ENOSYS", "EAFNOSUPPORT", "EPFNOSUPPORT", "ESOCKTNOSUPPORT", "ENXIO", "ENODEV"}


# ---- a place for everything, readable by everyone, gone at the end ----

@functools.cache
def scratch():
    path = Path(tempfile.mkdtemp(prefix="attack-"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@functools.cache
def attack_program():
    """Compiled statically, so that it runs in any root file system."""
    program = scratch() / "attack"
    sources = sorted(str(source) for source in HERE.glob("*.c"))
    subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-static", "-s", "-pthread",
                    "-o", str(program), *sources], check=True)
    program.chmod(0o755)
    return program


@functools.cache
def attack_library(name):
    """The same for other languages: libattack.so to load, libattack.a to link."""
    sources = sorted(str(source) for source in HERE.glob("*.c") if source.name != "main.c")
    flags = ["-std=c17", "-D_GNU_SOURCE", "-O1", "-fPIC", "-pthread"]
    with _library_lock:
        library = scratch() / name
        if library.exists():  # made by another thread meanwhile
            return library
        if name.endswith(".so"):
            subprocess.run(["gcc", *flags, "-shared", "-s", "-o", library, *sources], check=True)
        else:
            objects = scratch() / "objects"
            objects.mkdir(exist_ok=True)
            subprocess.run(["gcc", *flags, "-c", *sources], cwd=objects, check=True)
            subprocess.run(["ar", "rcs", library, *sorted(objects.glob("*.o"))], check=True)
    return library


_library_lock = threading.Lock()


def as_file(path, executable=False):
    """A file of the host as one of a request."""
    content = base64.b64encode(path.read_bytes()).decode()
    return {"path": path.name, "content": content, "encoding": "base64", "executable": executable}


@functools.cache
def attack_file():
    """The attack program as a file of a request."""
    return as_file(attack_program(), executable=True)


# How a program in each of these languages becomes the attack program, within its own process.
IN_LANGUAGES = {
    "c": {"library": "libattack.a", "compile": {"args": ["libattack.a", "-pthread"]}, "code": """
int attack_main(int argc, char **argv);
int main(int argc, char **argv) { return attack_main(argc, argv); }
"""},
    "rust": {"library": "libattack.a", "compile": {"args": ["-L", ".", "-l", "static=attack", "-C", "strip=symbols"]},
             "code": """
use std::os::raw::{c_char, c_int};
extern "C" { fn attack_main(argc: c_int, argv: *mut *mut c_char) -> c_int; }
fn main() {
    let args: Vec<std::ffi::CString> =
        std::env::args().map(|word| std::ffi::CString::new(word).unwrap()).collect();
    let mut argv: Vec<*mut c_char> = args.iter().map(|word| word.as_ptr() as *mut c_char).collect();
    argv.push(std::ptr::null_mut());
    std::process::exit(unsafe { attack_main(args.len() as c_int, argv.as_mut_ptr()) });
}
"""},
    "python": {"library": "libattack.so", "code": """
import ctypes, os, sys
words = [word.encode() for word in sys.argv]
argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
sys.stdout.flush()
os._exit(ctypes.PyDLL("/workspace/libattack.so").attack_main(len(words), argv))
"""},
    "ruby": {"library": "libattack.so", "code": """
require "fiddle"
words = ["main.rb", *ARGV].map { |word| Fiddle::Pointer[word + "\0"] }
argv = Fiddle::Pointer[(words.map(&:to_i) + [0]).pack("Q*")]
main = Fiddle::Function.new(Fiddle.dlopen("/workspace/libattack.so")["attack_main"],
                            [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP], Fiddle::TYPE_INT)
exit!(main.call(words.size, argv))
"""},
}
# The same by words.c.
BY_WORDS = {
    "javascript": {"library": "libattack.so", "code": """
require('fs').writeFileSync('words', process.argv.slice(2).map(word => word + '\\0').join(''))
process.dlopen({exports: {}}, '/workspace/libattack.so')
"""},
    "java": {"library": "libattack.so", "code": """
import java.nio.file.*;
class Main {
    public static void main(String[] args) throws Exception {
        StringBuilder words = new StringBuilder();
        for (String word : args) words.append(word).append('\\0');
        Files.writeString(Path.of("words"), words);
        System.load("/workspace/libattack.so");
    }
}
"""},
    "php": {"library": "libattack.so", "code": """<?php
file_put_contents('words', implode('', array_map(fn($word) => "$word\\0", array_slice($argv, 1))));
FFI::cdef('void attack_words(void);', '/workspace/libattack.so')->attack_words();
"""},
    "r": {"library": "libattack.so", "code": """
file <- file('words', 'wb')
for (word in commandArgs(TRUE)) writeBin(word, file)
close(file)
dyn.load('/workspace/libattack.so')
.C('attack_words')
"""},
}


def attack_request_in(language, *words, **fields):
    """As attack_request(), by a program in that language."""
    how = (IN_LANGUAGES | BY_WORDS)[language]
    limits = {**LIMITS, **fields.pop("limits", {})}
    files = [as_file(attack_library(how["library"])), *fields.pop("files", [])]
    request = {"language": language, "code": how["code"], "args": list(words), "files": files,
               "limits": limits, **fields}
    return request | ({"compile": how["compile"]} if "compile" in how else {})


@dataclass(frozen=True)
class Attack:
    name: str
    category: str
    stoppers: tuple
    call: str
    argument: str
    what: str

    @property
    def structural(self):
        return [name for name in self.stoppers if name in STRUCTURAL]

    @property
    def waivable(self):
        return [name for name in self.stoppers if name not in STRUCTURAL]


@functools.cache
def attacks(*which):
    """Those of the matrix, or with "policy" those of policy.c."""
    listing = subprocess.run([str(attack_program()), "list", *which], check=True,
                             capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in listing.splitlines()]
    return [Attack(name, category, tuple(stoppers.split(",")), call, argument, what)
            for name, category, stoppers, call, argument, what in rows]


# ---- Cella ----

@functools.cache
def config_directory(who):
    """Policies and runtimes of a user's own; Cella takes them from nobody else."""
    directory = scratch() / f"config-{who}"
    for kind in ("policies", "runtimes"):
        (directory / "cella" / kind).mkdir(parents=True)
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755)
        if who == "user" and IS_ROOT:
            os.chown(path, NOBODY, NOBODY)
    return directory


_install_lock = threading.Lock()


def install(kind, name, text):
    """A policy or a runtime, for everybody who runs Cella here."""
    with _install_lock:
        for who in WHO:
            path = config_directory(who) / "cella" / kind / f"{name}.yaml"
            if not path.exists():
                path.write_text(text)
                path.chmod(0o644)


def policy(text):
    """Installs a policy with that text and returns its name."""
    name = "attack-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    install("policies", name, text)
    return name


def waiving(protections):
    """A policy without these protections.  No loopback, for then Landlock bars TCP as well."""
    if "no_new_privileges" in protections:  # without it the kernel takes no filter and no ruleset
        protections = {*protections, "seccomp", "landlock_files", "landlock_network",
                       "landlock_scope"}
        protections = sorted(protections)
    return policy(f"network: {{loopback: false, host: false}}\nwaive: [{', '.join(protections)}]\n")


def environment(who, extra=None):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(scratch()), "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(config_directory(who)), **(extra or {})}


def command_line(who, *words):
    return [*USERS.get(who, []), CELLA, *words]


class Result(dict):
    """A result as interface documents it, with what came beside it."""
    code = None
    errors = ""

    def explain(self):
        shown = {key: self.get(key) for key in
                 ("status", "message", "exit_code", "signal", "limits_hit", "refused_calls")}
        return f"{shown}\nstdout: {self.get('stdout', '')[:600]!r}\nerrors: {self.errors[:600]}"


def run(request, who="root", timeout=60, preexec=None, extra_environment=None):
    """`cella run --json --request -`: one JSON object, as the schema has it, and nothing else."""
    done = subprocess.run(command_line(who, "run", "--json", "--request", "-"),
                          input=json.dumps(request).encode(), capture_output=True, timeout=timeout,
                          env=environment(who, extra_environment), cwd="/", preexec_fn=preexec)
    try:
        result = Result(json.loads(done.stdout))
    except ValueError as error:
        raise AssertionError(f"no JSON result ({error}), exit code {done.returncode}: "
                             f"{done.stdout[:300]!r} {done.stderr[:600]!r}") from error
    valid(result)
    result.code = done.returncode
    result.errors = done.stderr.decode(errors="replace")
    return result


def attack_request(*words, **fields):
    limits = {**LIMITS, **fields.pop("limits", {})}
    files = [attack_file(), *fields.pop("files", [])]
    return {"command": ["/workspace/attack", *words], "files": files, "limits": limits, **fields}


def take(name, number=0, who="root", timeout=60, **fields):
    """Runs one of the programs of take.c."""
    return run(attack_request("take", name, str(number), **fields), who, timeout)


def python(code, who="root", timeout=60, **fields):
    return run({"language": "python", "code": code, **fields}, who, timeout)


@dataclass
class Verdict:
    word: str  # achieved, refused, absent, broken
    evidence: str
    calls: tuple = ()


# An attack on a ration may end by that ration's limit.
LIMIT_WORDS = {"memory", "processes", "disk", "file_size"}


# The program ends with 7 while a child of its own traces it: nobody can wait for it before the child
# has ended, which does not.
TRACED = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
main = os.getpid()
ready, seized = os.pipe()
if os.fork() == 0:
    PTRACE_SEIZE = 0x4206
    os.write(seized, b"%d" % libc.ptrace(PTRACE_SEIZE, main, None, None))
    while True:
        time.sleep(1)
assert os.read(ready, 2) == b"0"
os._exit(7)
"""


def judge(code, evidence, status="exit", calls=()):
    if code == 0 and status in ("exit", "ok"):
        return Verdict("achieved", evidence, calls)
    if code == 11:
        return Verdict("absent", evidence, calls)
    if code == 10 or status in LIMIT_WORDS:
        return Verdict("refused", evidence or status, calls)
    return Verdict("broken", f"{status} {code} {evidence}", calls)


def verdict_on(result):
    return judge(result["exit_code"], result["stdout"].strip() or result["message"],
                 result["status"], tuple(call["name"] for call in result["refused_calls"]))


def is_absent(verdict):
    """Whether the kernel, or this machine, has no such thing."""
    return verdict.word == "absent" or verdict.evidence.rpartition(" ")[2] in ABSENT


def attempt(attack, world, policy_name="default", who="root"):
    """One attack in one sandbox."""
    request = attack_request(attack.name, world.argument(attack.argument), policy=policy_name)
    if attack.argument == "shared":
        request["language"] = world.shared_runtime
        request["args"] = request.pop("command")[1:]
        request["code"] = ""
    result = run(request, who, preexec=world.inherited if who == "root" and IS_ROOT else None)
    return verdict_on(result)


def attempt_bare(attack, world):
    """The same attack without any sandbox; in mount and UTS namespaces that go with it."""
    done = subprocess.run(["unshare", "--mount", "--uts", "--", str(attack_program()), attack.name,
                           world.argument(attack.argument)],
                          capture_output=True, text=True, timeout=30, cwd="/", check=False)
    return judge(done.returncode, done.stdout.strip())


# ---- the world: what is on the host, and no run may reach ----

libc = ctypes.CDLL(None, use_errno=True)
KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_SETPERM = 1, 5
SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEY_SPEC_SESSION_KEYRING = -3
IPC_CREAT, IPC_RMID = 0o1000, 0


def inherit_world():
    """In the process that becomes Cella: groups and a session keyring that a run must not have."""
    os.setgroups([4, 24])
    libc.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None)
    key = libc.syscall(SYS_ADD_KEY, b"user", TOKEN.encode(), b"x", ctypes.c_size_t(1),
                       KEY_SPEC_SESSION_KEYRING)
    libc.syscall(SYS_KEYCTL, KEYCTL_SETPERM, key, 0x3F3F3F3F)


class World:
    """Canaries on the host.  Everything is open to all: only the sandbox keeps a run from it."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.values = {"": "", "hostname": socket.gethostname(), "process": TOKEN, "key": TOKEN,
                       "uptime": str(int(time.clock_gettime(time.CLOCK_BOOTTIME))),
                       "metadata": "169.254.169.254 80", "internet": "192.0.2.1 80"}
        self.inherited = inherit_world
        self._plant_files()
        self._start_process()
        self._plant_ipc()
        self._start_services()

    def argument(self, name):
        return self.values.get(name, "")

    def close(self):
        self.stack.close()

    def _plant_files(self):
        canary = scratch() / "canary"
        canary.write_text("canary")
        canary.chmod(0o644)
        self.values["file"] = str(canary)
        shm = Path("/dev/shm") / TOKEN
        shm.write_text("canary")
        shm.chmod(0o666)
        self.stack.callback(shm.unlink)
        self.values["shm_file"] = str(shm)
        self.shared_runtime = "attack-shared"
        if not IS_ROOT:
            return
        shared = Path("/opt") / TOKEN
        shared.mkdir()
        shared.chmod(0o777)
        self.stack.callback(shutil.rmtree, shared)
        self.values["shared"] = str(shared / "attack")
        install("runtimes", self.shared_runtime, "package: none\npath: [/bin/true]\nentry: main\n"
                f'run: ["/workspace/attack", "{{args}}"]\nmounts: [{shared}]\n')

    def _start_process(self):
        process = subprocess.Popen(["/usr/bin/python3", "-c", "import signal; signal.pause()",
                                    TOKEN])
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def _plant_ipc(self):
        key = 0x43656C00 + os.getpid() % 256
        segment = libc.shmget(key, 4096, IPC_CREAT | 0o666)
        assert segment >= 0, "no System V shared memory on this host"
        self.stack.callback(libc.shmctl, segment, IPC_RMID, None)
        self.values["shm_key"] = str(key)
        name = f"/{TOKEN}"
        queue = libc.mq_open(name.encode(), os.O_RDWR | os.O_CREAT, 0o666, None)
        assert queue >= 0, "no POSIX message queues on this host"
        self.stack.callback(libc.mq_unlink, name.encode())
        self.stack.callback(os.close, queue)
        self.values["queue"] = name

    def _listen(self, family, kind, address, path=None):
        server = self.stack.enter_context(socket.socket(family, kind))
        server.bind(address)
        if path:
            os.chmod(path, 0o666)
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        return server

    def _start_services(self):
        path = str(scratch() / "socket")
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, path, path)
        self.stack.callback(os.unlink, path)
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{TOKEN}")
        self.values.update(socket=path, abstract=TOKEN)
        port = self._listen(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)).getsockname()[1]
        self.values.update(tcp=f"127.0.0.1 {port}", tcp_any=f"0.0.0.0 {port}",
                           tcp_mapped=f"::ffff:127.0.0.1 {port}")
        if own := own_address():
            self.values["tcp_address"] = f"{own} {port}"
        with contextlib.suppress(OSError):
            port = self._listen(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)).getsockname()[1]
            self.values["tcp6"] = f"::1 {port}"
        udp = self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self.values["udp"] = f"127.0.0.1 {udp.getsockname()[1]}"
        threading.Thread(target=echo, args=(udp,), daemon=True).start()


def own_address():
    """An address of this host that is not a loopback one, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))  # of documentation; nothing is sent
            address = probe.getsockname()[0]
            return address if not address.startswith("127.") else None
    return None


def echo(udp):
    with contextlib.suppress(OSError):  # closed: the tests are over
        while True:
            data, sender = udp.recvfrom(16)
            udp.sendto(data, sender)


# ---- looking at the host ----

def processes_with(word):
    """Host pids whose command line has that word."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (directory / "cmdline").read_bytes():
                found.append(int(directory.name))
    return [pid for pid in found if pid != os.getpid()]


def status_of(directory):
    return dict(re.findall(r"^(\w+):\t(.*)$", (directory / "status").read_text(), re.MULTILINE))


def descendants(pid):
    """Of those that have not ended meanwhile."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def inside(pids):
    """Those in a PID namespace below ours that have not ended meanwhile."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if len(status_of(Path(f"/proc/{pid}"))["NSpid"].split()) > 1:
                found.append(pid)
    return found


# What every thread of a run must show.
CONFINED = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16,
            "CapInh": "0" * 16, "CapBnd": "0" * 16, "CapAmb": "0" * 16}


def wait_until(condition, seconds=5, what="it"):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)
    return value


@contextlib.contextmanager
def running(request, who="root", **options):
    """A run that goes on meanwhile: yields the Popen of `cella`; ended at the end."""
    process = subprocess.Popen(command_line(who, "run", "--json", "--request", "-"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(who), cwd="/", **options)
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    process.stdin = None
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
