"""Modules that a policy has warm interpreters load: what they cost, and what one that means ill can do.

Such a module is the operator's, and it loads much that is not.  So one is written here that does what it can, is
installed where such modules are, and tells the programs that it lives on in.
"""
import json
import os
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest
from client import assert_random, assert_same, zygotes
from program import IS_ROOT, NOBODY
from server import Server, wait_until

INSTALLED = Path("/usr/local/lib/python%s/dist-packages" % sysconfig.get_python_version())
only_root = pytest.mark.skipif(not IS_ROOT, reason="only root can install a module")

PROGRAMS = {
    "pandas": "import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')})\nprint(d, d.describe(), d.groupby('b').sum())",
    "numpy": "import numpy as np\nr = np.random.default_rng(5)\na = r.random((300, 300))\nprint(np.round((a @ a).sum(), 6), np.linalg.eigvalsh(a @ a.T)[-1].round(6))",
    "seeded": "import numpy as np\nnp.random.seed(3)\nprint(np.random.rand(3), np.random.get_state()[0])",
    "threads": "import numpy as np, os\nprint(len(os.listdir('/proc/self/task')) < 20)\na = np.ones((400, 400))\nprint((a @ a)[0, 0])\n"
               "import threading\nprint(threading.active_count(), threading.current_thread().name)",
    "multiprocessing": "import multiprocessing as m, numpy as np\ndef f(n):\n    return float((np.ones((200, 200)) * n @ np.ones((200, 200)))[0, 0])\n"
                       "if __name__ == '__main__':\n    with m.Pool(2) as p:\n        print(p.map(f, range(4)))",
    "errors": "import numpy as np\nnp.array([1, 2]) + np.array([1, 2, 3])",
    "warnings": "import numpy as np\nprint(np.array([1.0]) / 0, np.log(-1))",
    "csv": ("import pandas as pd, sys\nprint(pd.read_csv('d.csv').to_json())", {"files": [{"path": "d.csv", "content": "a,b\n1,ä\n2,b\n"}]}),
    "nothing of it": "import sys\nprint('hello', len(sys.argv))",
    "shadow": ("import numpy\nprint(numpy.x)", {"files": [{"path": "numpy.py", "content": "x = 'own'"}]}),
}
RANDOM = "import numpy as np, random\nprint(np.random.rand(), np.random.default_rng().random(), np.random.randint(1 << 60), random.random())"


@pytest.fixture(scope="module")
def has_pandas():
    if subprocess.run(["/usr/bin/python3", "-c", "import pandas"], env={}, check=False).returncode != 0:
        pytest.skip("pandas is not installed")


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same(has_pandas, cold, warm, name):
    entry = PROGRAMS[name] if isinstance(PROGRAMS[name], tuple) else (PROGRAMS[name], {})
    assert_same(cold, warm, "python", (entry[0], {"policy": "data", **entry[1]}))


def test_entropy(has_pandas, warm):
    class Data:
        def run(self, language, **fields):
            return warm.run(language, policy="data", **fields)
    assert_random(Data(), "python", RANDOM)


def test_its_import_costs_nothing(has_pandas, warm):
    code = "import time\nt = time.process_time()\nimport pandas\nprint(time.process_time() - t)"
    assert float(warm.run("python", code=code, policy="data")["stdout"]) < 0.02


# ---- one that means ill ----

class Installed:
    """A server whose policy `ill` preloads a module of that text."""

    def __init__(self, place, user, text):
        name = f"cella_ill_{os.getpid()}"
        self.module = INSTALLED / f"{name}.py"
        self.policies = place / "cella" / "policies"
        self.policies.mkdir(parents=True)
        (self.policies / "ill.yaml").write_text(f"extends: default\npreload:\n  python: [{name}]\n")
        for path in (place, self.policies.parent, self.policies, self.policies / "ill.yaml"):
            path.chmod(0o755)
            if user == "user":
                os.chown(path, NOBODY, NOBODY)
        INSTALLED.mkdir(parents=True, exist_ok=True)
        self.module.write_text(text)
        self.name = name
        self.server = Server("--pool-memory", "256m", user=user, environment={"XDG_CONFIG_HOME": str(place)})

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *failure):
        self.module.unlink()
        for left in (INSTALLED / "__pycache__").glob(f"{self.name}.*"):
            left.unlink()
        self.server.__exit__(*failure)

    def run(self, code):
        _, _, result = self.server.run(language="python", code=code.replace("ILL", self.name), policy="ill")
        return result

    def run_warm(self, code):
        deadline = time.monotonic() + 30
        while (result := self.run(code))["start"] != "warm":
            assert time.monotonic() < deadline, self.server.ask("GET", "/v1/pools")[2]
        return result

    def problem(self):
        return " ".join(pool["problem"] or "" for pool in self.server.ask("GET", "/v1/pools")[2]["pools"])


@pytest.fixture
def install(user):
    """Makes them in a directory that everybody can enter."""
    def make(text):
        place = Path("/var/tmp") / f"cella-preloads-{os.getpid()}-{time.monotonic_ns()}"
        place.mkdir()
        made.append(place)
        return Installed(place, user, text)
    made = []
    yield make
    for place in made:
        for path in sorted(place.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        place.rmdir()


REFUSED = {
    "threads": ("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
                "has started threads"),
    "shared memory": ("import mmap\nkept = mmap.mmap(-1, 4096)\nkept[0] = 1", "memory that others can write to"),
    "an exception": ("raise RuntimeError('ill')", "cannot load the modules"),
    "an exit": ("import os\nos._exit(0)", "died"),
    "another missing module": ("import nosuchthing", "cannot load the modules"),
}


@only_root
@pytest.mark.parametrize("what", REFUSED)
def test_a_zygote_that_cannot_be_one(install, what):
    """It refuses, which shows, and the programs are started anew."""
    text, problem = REFUSED[what]
    with install(text) as ill:
        for _ in range(4):
            result = ill.run("print(6 * 7)")
            assert (result["status"], result["stdout"], result["start"]) == ("ok", "42\n", "cold")
        wait_until(lambda: problem in ill.problem() or ill.run("print(1)") is None, 20)
        assert problem in ill.problem()


ILL = """
import ctypes, os, socket, sys
c = ctypes.CDLL(None, use_errno=True)
told = {}

def attempt(name, what):
    try:
        result = what()
        told[name] = "done" if result is None or result is True else repr(result)
    except OSError as error:
        told[name] = error.strerror

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

told["capabilities"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")][0]
told["descriptors"] = sorted(os.readlink("/proc/self/fd/" + n).split(":")[0] for n in os.listdir("/proc/self/fd")
                             if os.path.lexists("/proc/self/fd/" + n))
told["environment"] = sorted(os.environ)
told["processes"] = [n for n in os.listdir("/proc") if n.isdigit()]
told["workspace"] = os.listdir("/workspace")
attempt("shadow", lambda: open("/etc/shadow").read() != "")
attempt("home", lambda: os.listdir("/root"))
attempt("host's files", lambda: os.path.exists("/var/lib/dpkg") or os.path.exists("/boot"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", 22), 1))
attempt("write", lambda: open("/usr/local/lib/x", "w"))
attempt("kill all", lambda: os.kill(-1, 0))
attempt("clock", lambda: checked(c.settimeofday(ctypes.byref((ctypes.c_long * 2)(0, 0)), None)))
attempt("reboot", lambda: checked(c.reboot(0)))
attempt("module", lambda: checked(c.syscall(175, b"", 0, b"")))
attempt("device", lambda: os.mknod("/tmp/sda", 0o60600, os.makedev(8, 0)))
attempt("log", lambda: open("/dev/kmsg").read(1))
attempt("hold", lambda: setattr(sys, "held", socket.socketpair()))

# What libraries register for the time after a fork.
ran = []
os.register_at_fork(after_in_child=lambda: ran.append([line.split()[1] for line in open("/proc/self/status")
                                                       if line.startswith(("CapEff", "Seccomp:", "NoNewPrivs"))]))
HANDLER = ctypes.CFUNCTYPE(None)
handler = HANDLER(lambda: ran.append("native"))
c.pthread_atfork = getattr(c, "__register_atfork", None)
if c.pthread_atfork is not None:
    c.pthread_atfork(None, None, handler, None)
"""

LOOK = """
import json, os, sys, ILL
left = sorted(os.readlink("/proc/self/fd/" + n).split(":")[0] for n in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + n))
print(json.dumps([ILL.told, ILL.ran, left, [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")]]))
"""


@only_root
def test_what_an_ill_module_can_do(install):
    """It has three capabilities in its nest and none on the host, no descriptor but the keeper's socket, and in
    its children nothing of it runs before they are locked down."""
    with install(ILL) as ill:
        result = ill.run_warm(LOOK)
        assert result["status"] == "ok", result["stderr"]
        told, ran, left, capabilities = json.loads(result["stdout"])
        assert int(told["capabilities"], 16) == 1 << 18 | 1 << 19 | 1 << 21, told
        assert set(told["descriptors"]) <= {"pipe", "socket", "/dev/null"}, told
        assert told["descriptors"].count("socket") == 1, told
        assert not [name for name in told["environment"] if name.startswith(("XDG", "CELLA", "SSH", "LD_"))], told
        assert told["workspace"] == []
        for name in ("shadow", "home", "connect", "write", "clock", "reboot", "module", "device", "log"):
            assert told[name] not in ("done", "[]"), (name, told[name])
        assert told["host's files"] == "False", told
        assert "native" not in ran, ran  # it would be the first of all
        for one in ran:
            capabilities_then, no_new_privileges, filters = one
            assert (int(capabilities_then, 16), no_new_privileges, filters) == (0, "1", "2"), one
        assert capabilities == ["0000000000000000"]
        assert "socket" not in left, left
        for _ in range(3):  # nor does it hear of what comes later
            again = json.loads(ill.run_warm(LOOK)["stdout"])
            assert again[0] == told


# OpenSSL knows by the number of its process that it is a fork's child, and has to forget.
HAS_USED_OPENSSL = "import ssl\nssl.RAND_bytes(8)"
WITH_THE_NUMBER_OF_THE_ZYGOTE = """
import os, ssl, threading
last = []
while not last or last[-1] < %d - 1:
    thread = threading.Thread(target=lambda: last.append(threading.get_native_id()))
    thread.start()
    thread.join()
if os.fork() == 0:
    print(os.getpid(), ssl.RAND_bytes(16).hex(), flush=True)
    os._exit(0)
os.wait()
"""


@only_root
def test_a_process_with_the_number_of_its_zygote(install):
    """It could take the zygote's random state for its own, as would that of the next run."""
    with install(HAS_USED_OPENSSL) as used:
        used.run_warm("print(1)")
        zygote, = zygotes(used.server.keeper())
        number = int(Path(f"/proc/{zygote}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()[-1])
        told = [used.run_warm(WITH_THE_NUMBER_OF_THE_ZYGOTE % number)["stdout"].split() for _ in range(3)]
        assert [int(pid) for pid, _ in told] == [number] * 3
        assert len({random for _, random in told}) == 3
