"""Every language in its ordinary uses, as root and as an ordinary user.

The programs are in tests/languages/NAME: one of several files, whose first argument says what it is
to do, and one that does not compile.  They run a few at a time in a pool, started by the first test
that wants a result: CELLA_TEST_LANGUAGES names the languages when it should not be all.
"""
import concurrent.futures
import functools
import os
from dataclasses import dataclass

import pytest
from program import ROOT, USERS, run_request

PROGRAMS = ROOT / "tests" / "languages"
AT_ONCE = 3
ARGUMENTS = ["a b", "$HOME", "é;`id`", ""]
INPUT = "one\ntwo ☃\n" * 1000
DATA = {"path": "data/in.txt", "content": "from a file ☃\n"}
MIB = 1 << 20
PATIENT = {"wall_ms": 60000, "cpu_ms": 60000}  # where no limit of time is what is tested


@dataclass(frozen=True)
class Language:
    compiled: bool = False
    raises: tuple = ("exit", 1)  # how an uncaught exception or a trap ends it
    boom: str = "boom é"  # what it says of that
    stderr: str = ""  # of a program that fares well
    memory: tuple = ("memory", None, "")  # status, exit code and words over the memory limit
    prints_arguments: bool = True
    sleep_ms: int = 2000


VIRTUAL_MACHINE = {"memory": ("exit", 1, "java.lang.OutOfMemoryError"), "sleep_ms": 5000}
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
    "python": Language(),
    "r": Language(sleep_ms=5000),
    "ruby": Language(),
    "rust": Language(compiled=True, raises=("exit", 101)),
    "scala": Language(compiled=True, **VIRTUAL_MACHINE),
    "sh": Language(raises=("exit", 2)),
    "sqlite": Language(prints_arguments=False),
    "typescript": Language(compiled=True),
}
CHOSEN = os.environ.get("CELLA_TEST_LANGUAGES", " ".join(LANGUAGES)).split()
CASES = [(user, language) for language in CHOSEN for user in USERS]


# ---- the programs, a few at a time ----

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
        request["limits"] = {"wall_ms": LANGUAGES[language].sleep_ms}
    if not LANGUAGES[language].prints_arguments:  # nor can it be told by them what to do
        (path,) = directory.glob(f"{what}.*")
        request |= {"entry": path.name, "args": []}
    return request


@functools.cache
def started(pool, user, language, what):
    return pool.submit(run_request, user, request_of(language, what))


def shows(what):
    """The test looks at that run of each language's program."""
    def mark(function):
        function.what = what
        return function
    return mark


@pytest.fixture(scope="module")
def pool(request):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        for item in request.session.items:
            what = getattr(getattr(item, "function", None), "what", None)
            if item.module is request.module and what is not None:
                started(executor, item.callspec.params["user"],
                        item.callspec.params["language"], what)
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.fixture
def run(request, pool, user, language):
    """Exit code of the command and result."""
    return started(pool, user, language, request.function.what).result()


# ---- what each must show ----

@pytest.mark.parametrize("user,language", CASES)
class TestLanguage:
    @shows("ordinary")
    def test_hello(self, run, language):
        _, result = run
        assert result["stdout"].startswith("hello\n"), result
        assert result["stderr"] == LANGUAGES[language].stderr
        assert result["refused_calls"] == []
        assert result["language"]["name"] == language
        assert result["language"]["path"].startswith(("/usr/bin/", "/bin/"))
        assert result["language"]["version"]

    @shows("ordinary")
    def test_exit_code(self, run):
        code, result = run
        assert (code, result["status"], result["exit_code"]) == (3, "exit", 3)

    @shows("ordinary")
    def test_standard_input(self, run):
        assert run[1]["stdout"].endswith(INPUT)

    @shows("ordinary")
    def test_arguments(self, run, language):
        line = "a b|$HOME|é;`id`|\n" if LANGUAGES[language].prints_arguments else ""
        assert run[1]["stdout"].startswith(f"hello\n{line}from")

    @shows("ordinary")
    def test_own_files(self, run):
        assert "\nfrom a file ☃\n" in run[1]["stdout"]

    @shows("ordinary")
    def test_several_source_files_and_unicode(self, run):
        assert "\nhéllo ☃ from sub\n" in run[1]["stdout"]

    @shows("raise")
    def test_uncaught_exception(self, run, language):
        _, result = run
        status, how = LANGUAGES[language].raises
        assert (result["status"], result["signal" if status == "signal" else "exit_code"]) == \
            (status, how)
        assert LANGUAGES[language].boom in result["stderr"]

    @shows("sleep")
    def test_time_limit(self, run, language):
        code, result = run
        assert (code, result["status"]) == (124, "wall_time")
        assert result["stdout"] == "before\n"  # what was written is kept
        assert result["limit"]["name"] == "wall_ms"
        assert LANGUAGES[language].sleep_ms <= result["usage"]["wall_ms"] < 60000

    @shows("memory")
    def test_memory_limit(self, run, language):
        code, result = run
        status, exit_code, words = LANGUAGES[language].memory
        assert (result["status"], result["exit_code"]) == (status, exit_code), result
        assert words in result["stderr"]
        if status == "memory":
            assert code == 137
            assert result["limit"]["name"] == "memory_bytes"
            assert result["limit"]["value"] == 128 * MIB

    @shows("flood")
    def test_output_limit(self, run):
        code, result = run
        assert (code, result["status"]) == (123, "output")
        assert len(result["stdout"]) == 100000
        assert result["stdout"].startswith("flood")
        assert result["limit"]["name"] == "stdout_bytes"

    @shows("bad")
    def test_what_does_not_compile(self, run, language):
        code, result = run
        if LANGUAGES[language].compiled:
            assert (code, result["status"], result["exit_code"]) == (1, "compile_error", None)
            compiler = result["compile"]
            assert "bad." in (compiler["stderr"] + compiler["stdout"]).lower()
        else:
            assert result["status"] == "exit"
            assert result["exit_code"] not in (0, None)
            assert result["stderr"]


def test_every_language_is_here():
    shipped = {path.stem for path in (ROOT / "runtimes").glob("*.yaml")}
    assert shipped == set(LANGUAGES)
    assert {path.name for path in PROGRAMS.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("user", USERS)
def test_a_limit_hit_while_compiling_names_the_stage(user):
    # Macros that double thirty times: no compiler gets through.
    doubling = "".join(f"#define M{i + 1} M{i} M{i}\n" for i in range(30))
    code = f"#define M0 int x(void);\n{doubling}M30\nint main(void) {{ return 0; }}"
    request = {"language": "c", "code": code, "compile": {"limits": {"wall_ms": 1500}}}
    _, result = run_request(user, request)
    # Whichever of the compile stage's limits comes first on this machine.
    assert result["status"] in ("wall_time", "cpu_time", "memory"), result["message"]
    assert result["limit"]["stage"] == "compile"
    assert result["exit_code"] is None
