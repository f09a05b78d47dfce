"""What a program can see of a warm start: nothing but the time, and modules that are loaded already.

Each program of the corpus runs cold and warm, and everything that it says must be the same.
"""
import json
import re

import pytest
from language_programs import SLOWNESS

# name: code, or (code, other fields of the request)
CORPUS = {
    "line": "print(6 * 7)",
    "names": "print(__name__, __file__, __spec__, __doc__, __package__, __builtins__.__name__)\n"
             "print(sorted(globals()), __loader__.name, __loader__.path, type(__loader__).__name__)",
    "arguments": ("import sys\nprint(sys.argv, sys.orig_argv, sys.path)",
                  {"args": ["a b", "", "ä€😀", "--", "-c"]}),
    "no arguments": "import sys\nprint(sys.argv, sys.orig_argv, sys.path[0], sys.flags, sys.executable)",
    "environment": ("import os\nprint(sorted(os.environ.items()))\nprint(os.getenv('A'), os.environb[b'B'])\n"
                    "os.environ['C'] = '1'\nos.system('echo $A $B $C')",
                    {"env": {"A": "1 2", "B": "ü", "EMPTY": ""}}),
    "encodings": "import sys, locale\nprint(sys.stdout.encoding, sys.stdin.encoding, sys.stderr.errors, "
                 "sys.getfilesystemencoding(), locale.setlocale(locale.LC_ALL), 'äöü€😀')",
    "streams": "import sys, io\nfor s in sys.stdin, sys.stdout, sys.stderr:\n"
               "    print(s.name, s.mode, s.line_buffering, s.write_through, s.seekable(), s.isatty(), "
               "s.buffer.raw.fileno(), type(s.buffer).__name__)",
    "input": ("while True:\n    try:\n        print(repr(input('> ')))\n    except EOFError:\n        break",
              {"stdin": "one\ntwo\nthree"}),
    "no input": "print(input())",
    "read": ("import sys\nprint(len(sys.stdin.read()))", {"stdin": "x" * 300000}),
    "traceback": "def f(x):\n    return g(x)\ndef g(x):\n    return 1 / x\n\nf(0)\n",
    "chained": "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('b') from e\n",
    "context": "try:\n    {}['a']\nexcept KeyError:\n    undefined\n",
    "group": "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])",
    "misspelt": "import math\nmath.sqrtt(1)",
    "syntax": "def f(:\n    pass\n",
    "indentation": "if 1:\nprint(1)\n",
    "null byte": "print(1)\n\0",
    "cookie": "# -*- coding: latin-1 -*-\nprint('ä')",
    "recursion": "def f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError as e:\n    print(e)",
    "recursion depth": "import sys\nn = 0\ndef f():\n    global n\n    n += 1\n    f()\ntry:\n    f()\n"
                       "except RecursionError:\n    print(n, sys.getrecursionlimit())",
    "frames": "import sys, inspect\nprint(len(inspect.stack()), sys._getframe().f_back, "
              "sys._getframe().f_code.co_filename)",
    "exit 3": "import sys\nsys.exit(3)",
    "exit none": "import sys\nprint('x')\nsys.exit()",
    "exit text": "import sys\nprint('out')\nsys.exit('a word')",
    "exit object": "raise SystemExit([1, 2])",
    "exit large": "import sys\nsys.exit(2 ** 40 + 7)",
    "exit negative": "import sys\nsys.exit(-1)",
    "exit true": "import sys\nsys.exit(True)",
    "exit in thread": "import threading, sys\nt = threading.Thread(target=sys.exit, args=(5,))\nt.start()\nt.join()",
    "os._exit": "import os\nprint('lost', end='')\nos._exit(4)",
    "quit": "quit(7)",
    "signal": "import os, signal\nprint('before', flush=True)\nos.kill(os.getpid(), signal.SIGTERM)",
    "abort": "import os\nos.abort()",
    "interrupt": "raise KeyboardInterrupt",
    "interrupted": "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n"
                   "except KeyboardInterrupt:\n    print('caught')",
    "signals": "import signal\nprint([(s.name, str(signal.getsignal(s))) for s in sorted(signal.valid_signals() - "
               "{32, 33}) if hasattr(s, 'name')])\nprint(signal.pthread_sigmask(0, []))",
    "alarm": "import signal\ndef f(*a):\n    raise TimeoutError\nsignal.signal(signal.SIGALRM, f)\n"
             "signal.setitimer(signal.ITIMER_REAL, 0.01)\nsignal.pause()",
    "atexit": "import atexit\natexit.register(print, 'first')\natexit.register(print, 'second')\n"
              "@atexit.register\ndef f():\n    raise ValueError\nprint('end')",
    "atexit exit": "import atexit, sys\natexit.register(lambda: sys.exit(9))",
    "finalizers": "class C:\n    def __init__(self, n):\n        self.n = n\n    def __del__(self):\n"
                  "        print('del', self.n)\na = C(1)\nb = [C(2)]\nb.append(b)\n_c = C(3)\n"
                  "import weakref\nweakref.finalize(a, print, 'finalized')",
    "unclosed file": ("f = open('out.txt', 'w')\nf.write('kept')", {"collect": ["*.txt"]}),
    "unclosed in class": ("class C:\n    f = open('out.txt', 'w')\nC.f.write('kept')\nx = C",
                          {"collect": ["*.txt"]}),
    "unflushed": "import sys\nsys.stdout.write('no newline')",
    "closed stdout": "import sys\nsys.stdout.close()",
    "replaced stdout": "import sys, io\nsys.stdout = io.StringIO()\nprint('nowhere')",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1 / 0",
    "unraisable": "class C:\n    def __del__(self):\n        1 / 0\nC()\nprint('on')",
    "warnings": "import warnings\nwarnings.warn('look')\nwarnings.warn('old', DeprecationWarning)\n"
                "print(warnings.filters)",
    "fork": "import os\nprint('before', flush=True)\npid = os.fork()\nif pid == 0:\n    print('child')\n"
            "else:\n    print(os.waitpid(pid, 0)[1])",
    "fork exception": "import os\npid = os.fork()\nif pid == 0:\n    1 / 0\nprint(os.waitpid(pid, 0)[1])",
    "fork random": "import os, random\nr, w = os.pipe()\nif os.fork() == 0:\n"
                   "    os.write(w, repr(random.random()).encode())\n    os._exit(0)\nos.wait()\n"
                   "print(float(os.read(r, 99)) != random.random())",
    "subprocess": "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; "
                  "print(sys.argv, 1)', 'x'], capture_output=True, text=True))",
    "threads": "import threading\nl = []\nts = [threading.Thread(target=l.append, args=(i,)) for i in range(8)]\n"
               "[t.start() for t in ts]; [t.join() for t in ts]\nprint(sorted(l), threading.current_thread(), "
               "threading.main_thread() is threading.current_thread(), threading.active_count())",
    "late thread": "import threading, time\ndef f():\n    time.sleep(0.05)\n    print('late')\n"
                   "threading.Thread(target=f).start()",
    "daemon thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                     "print('done')",
    "thread exception": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start()\nt.join()",
    "multiprocessing": "import multiprocessing as m\ndef f(x):\n    return x * x\n"
                       "if __name__ == '__main__':\n    with m.Pool(2) as p:\n        print(p.map(f, range(5)))",
    "spawn": "import multiprocessing as m\ndef f(x):\n    return x * x\nif __name__ == '__main__':\n"
             "    with m.get_context('spawn').Pool(1) as p:\n        print(p.map(f, range(5)))",
    "pickle main": "import pickle\nclass C:\n    pass\nprint(pickle.loads(pickle.dumps(C)) is C)",
    "asyncio": "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 5\nprint(asyncio.run(f()))",
    "executor": "from concurrent.futures import ThreadPoolExecutor as E\n"
                "with E(3) as e:\n    print(sum(e.map(lambda x: x, range(10))))",
    "imports": ("import helper, package.part\nprint(helper.__file__, helper.x, package.part.y, "
                "helper.__spec__.origin, package.__path__)",
                {"files": [{"path": "helper.py", "content": "x = 1\nimport atexit\n"
                                                            "class D:\n    def __del__(self): print('bye')\nd = D()"},
                           {"path": "package/__init__.py", "content": ""},
                           {"path": "package/part.py", "content": "y = 2"}]}),
    "own random": ("import random\nprint(random.mine, random.__file__)\nimport tempfile",
                   {"files": [{"path": "random.py", "content": "mine = 1"}]}),
    "own package": ("import json, sys\nprint(json.mine, sys.argv, __name__)",
                    {"files": [{"path": "json/__init__.py", "content": "mine = 2"}], "args": ["a b"]}),
    "own name": ("import random\nprint(random.__name__, sorted(vars(random))[-3:])", {"entry": "random.py"}),
    "shadow": ("import random\nprint(random.mine)", {"files": [{"path": "helper.py", "content": ""}]}),
    "missing": "import no_such_module",
    "failing import": ("import helper", {"files": [{"path": "helper.py", "content": "x = 1\nraise ValueError(x)"}]}),
    "other entry": ("print(__file__)\nimport sys\nprint(sys.argv, sys.path[0])\n1 / 0", {"entry": "app.py"}),
    "entry in directory": ("print(__file__)\nimport sys, near\nprint(sys.argv, sys.path[0], near.z)",
                           {"entry": "source/app.py",
                            "files": [{"path": "source/near.py", "content": "z = 3"}]}),
    "source": "import inspect, sys\ndef f():\n    pass\nprint(inspect.getsource(f), inspect.getfile(f))",
    "linecache": "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(traceback.format_exc())",
    "ids": "import os\nprint(os.getuid(), os.getgid(), os.getgroups(), os.getcwd(), os.umask(0), os.getpgid(0) == os.getpid(), "
           "os.getsid(0) == os.getpid())",
    "descriptors": "import os\nprint([fd for fd in range(256) if os.path.exists(f'/proc/self/fd/{fd}')])",
    "limits": "import resource as r\nprint({n: r.getrlimit(getattr(r, n)) for n in dir(r) if n.startswith('RLIMIT')})",
    "status": "print([l for l in open('/proc/self/status') if l.split(':')[0] in ('Uid', 'Gid', 'Groups', 'NSsid', "
              "'Seccomp', 'NoNewPrivs', 'CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb', 'SigBlk', 'SigIgn', "
              "'Cpus_allowed_list', 'Threads', 'Speculation_Store_Bypass')])",
    "mounts": "print(sorted({l.split()[4]: ' '.join(l.split()[3:6]) + ' ' + l.split(' - ')[1].split()[0] for l in "
              "open('/proc/self/mountinfo')}.values()))  # the last at a place is what is seen",
    "roots": "import os\nfor d in '/', '/workspace', '/tmp', '/dev', '/etc', '/dev/shm', '/run', '/var', '/sys':\n"
             "    print(d, sorted(os.listdir(d)))",
    "host": "import os, socket\nprint(os.uname(), socket.gethostname(), os.cpu_count(), os.sched_getaffinity(0))",
    "uptime": "print(float(open('/proc/uptime').read().split()[0]) < 3600)\nimport time\nprint(time.monotonic() < 3600)",
    "refused": "import socket\ntry:\n    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\nexcept OSError as e:\n    print(e)\n"
               "import os\ntry:\n    os.unshare(1) if hasattr(os, 'unshare') else os.mkfifo('/etc/x')\nexcept OSError as e:\n    print(e)",
    "gc": "import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks)",
    "files": ("import os\nopen('a.txt', 'w').write('1')\nos.mkdir('d')\nopen('d/b.txt', 'w').write('2')\n"
              "print(oct(os.stat('a.txt').st_mode), oct(os.stat('d').st_mode), os.stat('a.txt').st_uid)",
              {"collect": ["**/*.txt", "*.txt"]}),
    "dev": "print('x', file=open('/dev/stdout', 'w'))\nprint('y', file=open('/dev/stderr', 'w'))",
    "memory error": ("try:\n    x = bytearray(10 ** 12)\nexcept MemoryError as e:\n    print('no', e)", {}),
    "hash": "print(isinstance(hash('a'), int))",
    "trace": "import sys\nprint(sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.dont_write_bytecode)",
    "last": "import sys\nprint(hasattr(sys, 'last_type'), hasattr(sys, 'ps1'))",
    "output": "print('x' * 200000)",
    "stderr": "import sys\nprint('a', file=sys.stderr)\nprint('b')\nsys.stderr.write('c')",
    "numpy": "import numpy as n\nprint(n.arange(6).reshape(2, 3) @ n.ones(3), n.random.rand(2).shape)",
}

COMPARED = ("status", "exit_code", "signal", "stdout", "stderr", "stdout_encoding", "files", "limit",
            "limits_hit", "diagnosis", "refused_calls", "protections", "waived", "mechanisms",
            "language", "policy", "error")


def request_of(entry):
    code, fields = entry if isinstance(entry, tuple) else (entry, {})
    return {"code": code, **fields}


def without_addresses(value):
    """Where something lies in memory differs from start to start."""
    text = re.sub(r"\bat 0x[0-9a-f]+|\bstarted \d{12,}", "ADDRESS", json.dumps(value))
    return json.loads(text)


@pytest.mark.parametrize("name", CORPUS)
def test_the_same(cold, warm, name):
    request = request_of(CORPUS[name])
    expected, found = cold.run(**request), warm.run(**request)
    if SLOWNESS > 1 and expected["diagnosis"]:  # these are looked for as long as that costs little
        for part in "hint", "frames":
            expected["diagnosis"][part] = found["diagnosis"][part] = None
    for key in COMPARED:
        assert without_addresses(found[key]) == without_addresses(expected[key]), key


def test_the_program_is_not_the_first_of_its_zygote(warm):
    """Or the comparison would be with a zygote that nothing has touched."""
    assert warm.run(code="print(1)")["start"] == "warm"
    assert warm.run(code="print(2)")["stdout"] == "2\n"
