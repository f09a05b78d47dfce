"""The programs of every language (tests/languages/NAME), as requests.

Each is of several files, and its first argument says what it is to do; beside it is one that does
not compile.
"""
import os
from dataclasses import dataclass

from program import ROOT

PROGRAMS = ROOT / "tests" / "languages"
ARGUMENTS = ["a b", "$HOME", "é;`id`", ""]
INPUT = "one\ntwo ☃\n" * 1000
DATA = {"path": "data/in.txt", "content": "from a file ☃\n"}
MIB = 1 << 20
SLOWNESS = int(os.environ.get("CELLA_TEST_SLOWNESS", 1))
# Where no limit of time is what is tested.
PATIENT = {"wall_ms": 60000 * SLOWNESS, "cpu_ms": 60000 * SLOWNESS}


@dataclass(frozen=True)
class Language:
    compiled: bool = False
    raises: tuple = ("exit", 1)  # how an uncaught exception or a trap ends it
    boom: str = "boom é"  # what it says of that
    stderr: str = ""  # of a program that fares well
    memory: tuple = ("memory", None, "")  # status, exit code and words over the memory limit
    prints_arguments: bool = True
    sleep_ms: int = 2000


VIRTUAL_MACHINE = {"memory": ("memory", 1, "java.lang.OutOfMemoryError"), "sleep_ms": 5000}
LANGUAGES = {
    "awk": Language(raises=("exit", 2)),
    "bash": Language(),
    "c": Language(compiled=True, raises=("signal", "SIGABRT")),
    "cpp": Language(compiled=True, raises=("signal", "SIGABRT")),
    "fortran": Language(compiled=True, stderr="STOP 3\n"),
    "go": Language(compiled=True, raises=("exit", 2)),
    "haskell": Language(compiled=True),
    "java": Language(compiled=True, **VIRTUAL_MACHINE),
    "javascript": Language(),
    "kotlin": Language(compiled=True, **VIRTUAL_MACHINE),
    "lua": Language(),
    "nim": Language(compiled=True),
    "ocaml": Language(compiled=True, raises=("exit", 2), boom=r"boom \195\169"),
    # What it says when it is told to exit.
    "octave": Language(stderr="error: ignoring const execution_exception& while preparing to exit\n",
                       sleep_ms=5000),
    "pascal": Language(compiled=True, raises=("exit", 217)),
    "perl": Language(raises=("exit", 255)),
    "php": Language(raises=("exit", 255)),
    "pypy3": Language(memory=("memory", 1, "MemoryError")),
    "python": Language(),
    "r": Language(sleep_ms=5000),
    "ruby": Language(),
    "rust": Language(compiled=True, raises=("exit", 101)),
    "scala": Language(compiled=True, **VIRTUAL_MACHINE),
    "sh": Language(raises=("exit", 2)),
    "sqlite": Language(prints_arguments=False),
    "typescript": Language(compiled=True),
}


def is_bad(path):
    return path.name.lower().startswith("bad.")


def sources(language):
    """The files of the language's program, but for the ones of everyday programs."""
    directory = PROGRAMS / language
    files = [path for path in sorted(directory.rglob("*")) if path.is_file() and not is_bad(path)]
    return [{"path": str(path.relative_to(directory)), "content": path.read_text()}
            for path in files if "everyday" not in path.parts]


WHAT = {
    "ordinary": {"stdin": INPUT, "limits": PATIENT},
    "raise": {"limits": PATIENT},
    "sleep": {},
    "memory": {"limits": {**PATIENT, "memory_bytes": 128 * MIB}},
    "flood": {"limits": {**PATIENT, "stdout_bytes": 100000}, "on_output_limit": "stop"},
}


def request_of(language, what):
    request = {"language": language, "compile": {"limits": PATIENT}}
    directory = PROGRAMS / language
    if what == "bad":
        (path,) = filter(is_bad, directory.iterdir())
        return {**request, "entry": path.name, "code": path.read_text()}
    request |= {"files": [*sources(language), DATA], "args": [what, *ARGUMENTS], **WHAT[what]}
    if what == "sleep":
        request["limits"] = {"wall_ms": LANGUAGES[language].sleep_ms * SLOWNESS}
    if not LANGUAGES[language].prints_arguments:  # nor can it be told by them what to do
        (path,) = directory.glob(f"{what}.*")
        request |= {"entry": path.name, "args": []}
    return request
