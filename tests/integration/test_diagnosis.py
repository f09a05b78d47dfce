"""Programs that fail, run in sandboxes: the diagnosis is that of the recorded cases in
tests/diagnosis, and what else a failure changes."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from language_programs import LANGUAGES
from program import CELLA, ROOT, USERS, valid

CHOSEN = os.environ.get("CELLA_TEST_LANGUAGES", " ".join(LANGUAGES)).split()

# What differs from one run, or one version of a language, to the next.
VOLATILE = re.compile(r"0x[0-9a-f]+|/tmp/\S+|node:\S+|/usr/(?:lib|include)/\S+|\d{3,}")


def cases():
    for path in sorted((ROOT / "tests" / "diagnosis").glob("*/*.json")):
        case = json.loads(path.read_text())
        if path.parent.name in CHOSEN and not case["recorded"].get("fixed"):
            yield pytest.param(case, id=f"{path.parent.name}/{path.stem}")


def joined(lines):
    return "\n".join(lines)


def request_of(case):
    request = {**case["request"], "code": joined(case["request"]["code"])}
    if "files" in request:
        request["files"] = [{**file, "content": joined(file["content"])} for file in request["files"]]
    return request


def run(request, user="user", **environment):
    done = subprocess.run(USERS[user] + [CELLA, "run", "--json", "--request", "-"],
                          input=json.dumps(request).encode(), capture_output=True, timeout=120,
                          check=False, env={"PATH": "/usr/bin:/bin", **environment})
    assert done.stdout, done.stderr
    return done.returncode, valid(json.loads(done.stdout))


def stable(text):
    return text and VOLATILE.sub("…", text)


def essence(diagnosis):
    """What every version of a language says alike: frames of its own library may change."""
    if diagnosis is None:
        return None
    own = [frame for frame in diagnosis["frames"] if frame["source"] is not None]
    return {**{key: stable(diagnosis[key]) for key in ("class", "message", "file", "hint")},
            "line": diagnosis["line"], "column": diagnosis["column"],
            "frames": [(frame["file"], frame["line"], frame["source"]) for frame in own]}


@pytest.mark.parametrize("case", cases())
def test_recorded_case(case):
    code, result = run(request_of(case))
    assert essence(result["diagnosis"]) == essence(case["diagnosis"]), result["stderr"]
    if case["limit"] == "memory":
        assert (code, result["status"]) == (137, "memory")
        assert result["limit"] == {"name": "memory_bytes", "stage": "run",
                                   "value": case["request"]["limits"]["memory_bytes"]}
        assert "memory" in result["limits_hit"]
        assert result["message"].startswith("memory limit of ")
    elif case["limit"] == "stack":
        assert "stack" in result["limits_hit"]


def test_no_diagnosis_of_what_ended_well():
    text = "import sys; sys.stderr.write('Traceback (most recent call last):\\n  File \"x\", line 1\\nA: b\\n')"
    _, result = run({"language": "python", "code": text})
    assert (result["status"], result["diagnosis"]) == ("ok", None)


def test_no_diagnosis_of_what_was_stopped():
    code = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    import traceback; traceback.print_exc()\n"
    _, result = run({"language": "python", "code": code + "while True: pass\n",
                     "limits": {"wall_ms": 500}})
    assert result["status"] in ("wall_time", "cpu_time")
    assert "ZeroDivisionError" in result["stderr"]
    assert result["diagnosis"] is None


def test_a_command_has_signals_alone():
    _, result = run({"command": ["/bin/sh", "-c", "echo 'x: line 1: oops' >&2; exit 1"]})
    assert (result["status"], result["diagnosis"]) == ("exit", None)
    _, result = run({"command": ["/bin/sh", "-c", "kill -SEGV $$"]})
    assert result["diagnosis"]["class"] == "SIGSEGV"


def test_refused_calls_are_a_hint():
    code = "import os\nos.unshare(1) if hasattr(os, 'unshare') else None\n" \
           "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n" \
           "if libc.unshare(0x10000000): raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
    _, result = run({"language": "python", "code": code})
    assert result["diagnosis"]["class"] == "PermissionError"
    assert "unshare" in result["diagnosis"]["hint"]


@pytest.mark.parametrize("user", USERS)
def test_much_hostile_output(user):
    code = "import sys\nsys.stderr.write('Traceback (most recent call last):\\n  x\\n' * 100000)\nsys.exit(1)\n"
    _, result = run({"language": "python", "code": code, "limits": {"stderr_bytes": 1 << 22}}, user)
    assert result["status"] == "exit"
    assert result["stderr_bytes"] > 3000000
    assert result["usage"]["wall_ms"] < 10000


# A language whose compiler and programs are shell scripts that say what they are told to.
TOLD = """
package: dash
path: [/bin/sh]
entry: main.told
compile: {run: ["{path}", -c, 'cp main.told program; grep -q compile main.told || exit 0; cat main.told >&2; exit 1'], output: program, outputs: [program]}
run: ["{path}", -c, 'cat program >&2; exit 1']
errors:
  rules:
    - {match: '^(?<class>Heap|Stack)\\b', stage: any}
  hints:
    - {match: '^Heap', limit: memory, peak_percent: 0, hint: too little}
    - {match: '^Stack', limit: stack}
"""


def run_told(tmp_path, code, **request):
    runtimes = tmp_path / "cella" / "runtimes"
    runtimes.mkdir(parents=True)
    (runtimes / "told.yaml").write_text(TOLD)
    tmp_path.chmod(0o755)
    return run({"language": "told", "code": code, **request}, next(iter(USERS)),
               XDG_CONFIG_HOME=str(tmp_path))


def test_a_limit_that_the_program_was_told(tmp_path):
    code, result = run_told(tmp_path, "Heap", limits={"memory_bytes": 64 << 20})
    assert (code, result["status"], result["exit_code"]) == (137, "memory", 1)
    assert result["message"].startswith("memory limit of 64 MiB hit after ")
    assert result["limit"] == {"name": "memory_bytes", "value": 64 << 20, "stage": "run"}
    assert result["limits_hit"] == ["memory"]
    assert (result["diagnosis"]["class"], result["diagnosis"]["hint"]) == ("Heap", "too little")


def test_a_limit_that_the_compiler_was_told(tmp_path):
    code, result = run_told(tmp_path, "Heap while compile",
                            compile={"limits": {"memory_bytes": 96 << 20}})
    assert (code, result["status"], result["exit_code"]) == (137, "memory", None)
    assert result["message"].startswith("memory limit of 96 MiB hit after ")
    assert result["message"].endswith(" while compiling")
    assert result["limit"] == {"name": "memory_bytes", "value": 96 << 20, "stage": "compile"}
    assert (result["compile"]["status"], result["compile"]["exit_code"]) == ("memory", 1)
    assert result["diagnosis"]["class"] == "Heap"


def test_a_stack_that_overflowed_by_the_programs_own_words(tmp_path):
    code, result = run_told(tmp_path, "Stack")
    assert (code, result["status"]) == (1, "exit")
    assert result["limits_hit"] == ["stack"]


# ---- the command line ----


def cli(*args):
    return subprocess.run([CELLA, "run", *args], capture_output=True, timeout=60, check=False)


def test_the_hint_is_a_note():
    code = "counter = 1\nprint(countr)"
    done = cli("-l", "python", "-c", code)
    lines = done.stderr.decode().splitlines()
    assert "cella: note: did you mean 'counter'?" in lines
    assert lines.index("cella: note: did you mean 'counter'?") > \
        next(i for i, line in enumerate(lines) if line.startswith("NameError"))
    assert done.returncode == 1
    assert b"cella:" not in cli("--quiet", "-l", "python", "-c", code).stderr
    assert cli("--json", "-l", "python", "-c", code).stderr == b""
    assert b"did you mean" not in cli("-l", "python", "-c", "1 / 0").stderr


def test_the_hint_has_no_control_characters():
    done = cli("-l", "python", "-c", "raise ValueError('x') from RuntimeError('\\x1b[31mred\\x07')")
    note = [line for line in done.stderr.split(b"\n") if line.startswith(b"cella: note: caused")]
    assert len(note) == 1
    assert b"\x1b" not in note[0] and b"\x07" not in note[0]


def test_a_compiler_hint():
    done = cli("-l", "c", "-c", "int main(void) { int count = 1; return coutn; }")
    lines = done.stderr.decode().splitlines()
    assert "cella: note: did you mean 'count'?" in lines
    assert done.returncode == 1


def test_rules_that_are_wrong_do_not_lose_the_result(tmp_path):
    runtimes = tmp_path / "cella" / "runtimes"
    runtimes.mkdir(parents=True)
    text = Path(ROOT, "runtimes", "python.yaml").read_text().split("\nerrors:\n")[0]
    (runtimes / "python.yaml").write_text(text + "\nerrors:\n  rules:\n    - match: '('\n")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([CELLA, "run", "-l", "python", "-c", "print(1 / 0)"], capture_output=True,
                          timeout=60, check=False, env=environment)
    assert done.returncode == 1
    assert b"ZeroDivisionError" in done.stderr
    assert b"cella: note: no diagnosis: " in done.stderr
    assert b"errors.rules[0].match is no regular" in done.stderr
    # Nobody is told as long as nothing fails.
    done = subprocess.run([CELLA, "run", "-l", "python", "-c", "print(1)"], capture_output=True,
                          timeout=60, check=False, env=environment)
    assert (done.stdout, done.returncode) == (b"1\n", 0)
    assert b"no diagnosis" not in done.stderr
