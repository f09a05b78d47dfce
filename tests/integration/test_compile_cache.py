"""Compilations that are used again: when, by whom, and that nothing else changes with them."""
import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import ceiling
import pytest
from language_programs import LANGUAGES, request_of
from program import CELLA, IS_ROOT, NOBODY, USERS, valid

HELLO = '#include <stdio.h>\nint main(int n, char **v) { int unused; puts(n > 1 ? v[1] : "hello"); }\n'
COMPILED = [name for name, language in LANGUAGES.items() if language.compiled]


@contextlib.contextmanager
def directory_of(user):
    """One that belongs to the user; not in /tmp, of which a run has its own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        if IS_ROOT and user == "user":
            os.chown(directory, NOBODY, NOBODY)
        yield Path(directory)


class Home:
    """Runs requests with the user's own directories of cache and configuration."""

    def __init__(self, user, place):
        self.user, self.place = user, place
        self.cache = place / "cache"
        self.before = []  # words before the command

    def run(self, *options, cache=None, user=None, **request):
        request = {"language": "c", "code": HELLO} | request
        request = {name: value for name, value in request.items() if value is not None}
        done = subprocess.run(
            self.before + USERS[user or self.user] + [CELLA, "run", "--json", *options, "--request", "-"],
            input=json.dumps(request).encode(), capture_output=True, timeout=300,
            env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache or self.cache),
                 "XDG_CONFIG_HOME": str(self.place)})
        assert done.stdout, done.stderr
        return valid(json.loads(done.stdout))

    def cached(self, *options, **request):
        """Whether it was compiled before; the program must do well in any case."""
        result = self.run(*options, **request)
        assert result["status"] == "ok", result
        return result["compile"]["cached"]

    def entries(self):
        return sorted((self.cache / "cella" / "compiled").iterdir())

    def policy(self, name, text):
        place = self.place / "cella" / "policies"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.yaml").write_text(text)
        if IS_ROOT and self.user == "user":
            for path in place.parent, place, place / f"{name}.yaml":
                os.chown(path, NOBODY, NOBODY)


@pytest.fixture(params=list(USERS))
def home(request):
    with directory_of(request.param) as place:
        yield Home(request.param, place)


def without(result, *names):
    return {name: value for name, value in result.items() if name not in names}


@pytest.mark.parametrize("language", COMPILED)
def test_every_compiled_language(home, language):
    """The second time it is the same, but for what it took."""
    request = {"code": None} | request_of(language, "ordinary")
    first, second = home.run(**request), home.run(**request)
    assert (first["compile"]["cached"], second["compile"]["cached"]) == (False, True)
    varying = ["id", "queued_at", "started_at", "finished_at", "usage", "message", "compile",
               "limits_hit"]
    assert without(first, *varying) == without(second, *varying)
    varying = ["usage", "message", "cached"]
    assert without(first["compile"], *varying) == without(second["compile"], *varying)
    assert first["usage"]["wall_ms"] > 0 and second["usage"]["wall_ms"] > 0
    assert second["compile"]["usage"]["wall_ms"] == 0


def test_warnings_are_told_again(home):
    first, second = home.run(), home.run()
    assert "unused variable" in first["compile"]["stderr"]
    assert second["compile"]["stderr"] == first["compile"]["stderr"]
    assert second["compile"]["message"] == "compiled before"


def test_what_does_not_matter(home):
    assert not home.cached()
    assert home.cached(args=["other"], stdin="input", tag="mine", collect=["*.txt"])
    assert home.run(args=["other"])["stdout"] == "other\n"
    assert home.cached(limits={"wall_ms": 5000})


@pytest.mark.parametrize("change", [
    {"code": HELLO + "\n"},
    {"compile": {"args": ["-O1"]}},
    {"compile": {"limits": {"wall_ms": 20000}}},
    {"files": [{"path": "other.h", "content": ""}]},
    {"env": {"CPATH": "/usr/include"}},
    {"policy": "judge"},
    {"language": "cpp", "code": '#include <cstdio>\nint main() { puts("hello"); }'},
    {"entry": "other.c"},
], ids=lambda change: next(iter(change)))
def test_what_matters(home, change):
    assert not home.cached()
    assert not home.cached(**change)
    assert home.cached(**change)
    assert home.cached()


def test_data_of_one_file_or_the_other(home):
    """What follows from two files is told from what follows from their bytes in a row."""
    def files(one, other):
        return {"files": [{"path": "a.h", "content": one}, {"path": "b.h", "content": other}]}
    assert not home.cached(**files("//x\n", "//y\n"))
    assert not home.cached(**files("//x\n//y\n", ""))
    assert not home.cached(**files("//y\n", "//x\n"))


def test_failures_are_compiled_again(home):
    for _ in range(2):
        result = home.run(code="int main(void) { return x; }")
        assert (result["status"], result["compile"]["cached"]) == ("compile_error", False)
        assert result["diagnosis"]["line"] == 1
    for _ in range(2):  # more is said than is kept
        assert not home.cached(compile={"limits": {"stderr_bytes": 10}})
    assert not (home.cache / "cella" / "compiled").exists()


def test_times_of_compiling(home):
    code = '#include <stdio.h>\nint main(void) { puts(__DATE__ " " __TIME__); }'
    for _ in range(2):
        assert not home.cached(code=code)
        assert not home.cached(code='#include "when.h"', files=[{"path": "when.h", "content": code}])


def test_a_policy_says(home):
    home.policy("anew", "extends: default\ncompile_cache: none\n")
    home.policy("all", "extends: default\nloosen: true\ncompile_cache: shared\n")
    for _ in range(2):
        assert not home.cached(policy="anew")
    assert not home.cached(policy="all")
    assert home.cached(policy="all")


@pytest.mark.skipif(not IS_ROOT, reason="only root can set the keeper's ceiling")
def test_files_of_the_host_that_change():
    """What the compiler could read there has no sign of its change."""
    code = '#include <stdio.h>\n#include "/data/number.h"\nint main(void) { puts(NUMBER); }'
    with directory_of("root") as place, tempfile.TemporaryDirectory() as cover:
        place.chmod(0o755)
        data = place / "data"
        data.mkdir(mode=0o755)
        home = Home("root", place)
        home.policy("ours", "extends: default\nloosen: true\nmounts:\n"
                    f"  - {{path: {data}, at: /data}}\n")
        home.before = ceiling.under(cover, f"mount read_only {data}\n", [])
        for number in "12":
            (data / "number.h").write_text(f'#define NUMBER "{number}"\n')
            result = home.run(code=code, policy="ours")
            assert (result["stdout"], result["compile"]["cached"]) == (f"{number}\n", False)
        assert not home.cached()
        assert home.cached()  # the ceiling is not why


@pytest.mark.alone
@pytest.mark.skipif(not IS_ROOT, reason="only root can install something")
def test_something_is_installed():
    with directory_of("root") as place:
        home = Home("root", place)
        assert not home.cached()
        assert home.cached()
        with tempfile.TemporaryDirectory(dir="/usr/local/lib"):
            assert not home.cached()
            assert home.cached()
        assert not home.cached()


def test_options(home):
    assert not home.cached("--no-compile-cache")
    assert not home.cache.exists() or not (home.cache / "cella" / "compiled").exists()
    assert not home.cached()
    assert not home.cached("--no-compile-cache")
    assert home.cached()


def change_bytes(path):
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    return bytes(text)


@pytest.mark.parametrize("poison", [
    change_bytes, lambda path: path.read_bytes()[:-1], lambda path: path.read_bytes() + b"x",
    lambda path: b"", lambda path: b"\x7fELF" * 1000,
], ids=["bit", "short", "long", "empty", "other"])
def test_damage(home, poison):
    assert not home.cached()
    entry, = home.entries()
    changed = poison(entry)
    entry.chmod(0o600)
    entry.write_bytes(changed)
    entry.chmod(0o400)
    result = home.run()
    assert (result["stdout"], result["compile"]["cached"]) == ("hello\n", False)
    assert home.cached()


def test_one_entry_in_place_of_another(home):
    assert not home.cached()
    first, = home.entries()
    assert not home.cached(code='#include <stdio.h>\nint main(void) { puts("evil"); }')
    other, = set(home.entries()) - {first}
    other.rename(first)
    assert home.run()["stdout"] == "hello\n"


@pytest.mark.skipif(not IS_ROOT, reason="only root can run as another")
def test_users_share_nothing():
    """Neither reads what the other could have written."""
    with directory_of("root") as ours, directory_of("user") as theirs:
        root, user = Home("root", ours), Home("user", theirs)
        assert not root.cached() and not user.cached()
        theirs.chmod(0o755)
        ours.chmod(0o755)
        for one, cache in (root, user.cache), (user, root.cache):
            for _ in range(2):
                assert not one.cached(cache=cache)
        # Nor an entry alone, when it is not ours.
        entry, = root.entries()
        os.chown(entry, NOBODY, NOBODY)
        assert not root.cached()


def test_no_place_for_it(home):
    for _ in range(2):
        assert not home.cached(cache="/proc/nowhere")
        assert not home.cached(cache="relative")


def test_the_program_cannot_see_it(home):
    assert not home.cached()
    code = ('#include <stdio.h>\n#include <sys/stat.h>\nint main(void) { struct stat s; '
            f'puts(stat("{home.cache}", &s) ? "no" : "there"); }}')
    assert home.run(code=code)["stdout"] == "no\n"


def test_many_at_once(home):
    """They may all compile; each gives the right result, and one entry is there."""
    asked = [subprocess.Popen(
        USERS[home.user] + [CELLA, "run", "-q", "-l", "c", "-c", HELLO],
        stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(home.cache)})
        for _ in range(8)]
    assert {process.communicate(timeout=120)[0] for process in asked} == {b"hello\n"}
    assert len(home.entries()) == 1
    assert home.cached()
