"""Every language in its ordinary uses, as root and as an ordinary user.

The programs (tests/language_programs.py) run a few at a time in a pool, started by the first test
that wants a result: CELLA_TEST_LANGUAGES names the languages when it should not be all.
"""
import concurrent.futures
import functools
import os
import tempfile
from pathlib import Path

import pytest
from language_programs import INPUT, LANGUAGES, MIB, PATIENT, PROGRAMS, request_of
from program import ROOT, USERS, make_caches, run_request

AT_ONCE = 3
CHOSEN = os.environ.get("CELLA_TEST_LANGUAGES", " ".join(LANGUAGES)).split()
CASES = [(user, language) for language in CHOSEN for user in USERS]


# ---- the programs, a few at a time ----

caches = {}  # by user: each program is compiled once for its many runs


@functools.cache
def started(pool, user, language, what):
    return pool.submit(run_request, user, request_of(language, what), caches[user])


def shows(what):
    """The test looks at that run of each language's program."""
    def mark(function):
        function.what = what
        return function
    return mark


@pytest.fixture(scope="module")
def pool(request):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor, \
            tempfile.TemporaryDirectory() as directory:
        caches.update(make_caches(Path(directory)))
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


@pytest.mark.parametrize("user", USERS)
def test_names_that_a_shell_would_take_apart(user):
    """The recipe of OCaml goes through a shell: what is not compiled must not look like a success,
    and what is beside it must not matter."""
    code = 'let () = print_endline "hello"'
    beside = [{"path": "a -pp false/x.txt", "content": ""}, {"path": "b.ml", "content": "let b = 1"}]
    _, result = run_request(user, {"language": "ocaml", "code": code, "files": beside})
    assert result["status"] == "ok" and result["stdout"] == "hello\n", result
    _, result = run_request(user, {"language": "ocaml", "code": code, "entry": "[b].ml",
                                   "files": beside})
    assert result["status"] == "ok" and result["stdout"] == "hello\n", result
    _, result = run_request(user, {"language": "ocaml", "code": code, "entry": "a b.ml"})
    assert result["status"] == "compile_error", result
    assert result["diagnosis"]["message"] == \
        "a source file of OCaml has no space in its name: a b.ml"


@pytest.mark.parametrize("user", USERS)
def test_a_hundred_at_once(user):
    """Each compiles and runs on its own, and none gets another's output."""
    code = '#include <stdio.h>\nint main(int n, char **v) { return printf("%s\\n", v[n - 1]) < 0; }'

    def one(number):
        return run_request(user, {"language": "c", "code": code, "args": [str(number)],
                                  "limits": PATIENT, "compile": {"limits": PATIENT}})[1]
    with concurrent.futures.ThreadPoolExecutor(100) as executor:
        results = list(executor.map(one, range(100)))
    assert [(result["status"], result["stdout"]) for result in results] == \
        [("ok", f"{number}\n") for number in range(100)]
