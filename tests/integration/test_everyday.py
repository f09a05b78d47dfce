"""Programs as people write them, in every language, that simply work: libraries, threads, processes,
sockets, modules.

They are in tests/languages/NAME/everyday, a file each or a directory of several.  What a program must
print is in a comment at its end, after "Output:", or some lines of it after "Output has:".
"""
import base64
import concurrent.futures
import functools
import re

import pytest
from program import ROOT, USERS, run_request
from test_languages import AT_ONCE, CHOSEN, PATIENT

PROGRAMS = [path for path in sorted((ROOT / "tests" / "languages").glob("*/everyday/*"))
            if path.parts[-3] in CHOSEN]
CASES = [pytest.param(user, path, id=f"{user}-{path.parts[-3]}-{path.stem}")
         for path in PROGRAMS for user in USERS]

# Where no control group counts: see docs/protections.md.
REFUSED_TO_USERS = {"mmap", "memfd_create", "shmget", "vmsplice"}
# By which the C library asks for the host's addresses when a name is looked up; it goes on without.
REFUSED_TO_ALL = {"network.js": {"socket"}}


def entry_of(path):
    if not path.is_dir():
        return path
    (entry,) = path.glob("main.*")
    return entry


def request_of(path):
    files = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
    directory = path if path.is_dir() else path.parent
    return {
        "language": path.parts[-3],
        "entry": entry_of(path).name,
        "files": [{"path": str(file.relative_to(directory)), "content": file.read_text()}
                  for file in files],
        "limits": PATIENT,
        "compile": {"limits": PATIENT},
        "collect": ["plot.png"],
    }


def expected_of(path):
    """Lines, and whether they are all that there is."""
    head, mark, tail = entry_of(path).read_text().rpartition("Output")
    assert mark, f"{path} does not say what it prints"
    # Each line has what the last one before it opens a comment by; block comments have nothing.
    prefix = re.search(r"[^\n]*\Z", head)[0]
    prefix = "" if prefix.strip() in ("(*", "{") else prefix
    first, *lines = tail.rstrip("\n").split("\n")
    lines = [line.removeprefix(prefix) for line in lines if line.strip() not in ("*)", "}")]
    return lines, first == ":"


@functools.cache
def started(pool, user, path):
    return pool.submit(run_request, user, request_of(path))


@pytest.fixture(scope="module")
def pool(request):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        for item in request.session.items:
            parameters = getattr(getattr(item, "callspec", None), "params", {})
            if item.module is request.module and "path" in parameters:
                started(executor, parameters["user"], parameters["path"])
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.mark.parametrize("user,path", CASES)
def test_everyday(pool, user, path):
    _, result = started(pool, user, path).result()
    assert result["status"] == "ok", (result["stderr"], result["compile"], result["message"])
    lines, all_of_it = expected_of(path)
    printed = [line.rstrip() for line in result["stdout"].rstrip("\n").split("\n")]
    if all_of_it:
        assert printed == lines
    else:
        assert [line for line in lines if line not in printed] == []
    refused = {call["name"] for call in result["refused_calls"]}
    without_groups = result["mechanisms"]["memory_bytes"] == "supervision"
    assert refused - REFUSED_TO_ALL.get(path.name, set()) <= \
        (REFUSED_TO_USERS if without_groups else set())
    if path.stem == "matplotlib_png":
        (file,) = result["files"]
        picture = base64.b64decode(file["content"])
        assert picture.startswith(b"\x89PNG\r\n\x1a\n") and picture.endswith(b"IEND\xaeB`\x82")


def run(language, code="", files=None, user="user", **more):
    request = {"language": language, "limits": PATIENT, **more}
    request["compile"] = {"limits": PATIENT, **request.get("compile", {})}
    if code:
        request["code"] = code
    request["files"] = [{"path": name, "content": text} for name, text in (files or {}).items()]
    return run_request(user, request)[1]


def only_with(language):
    """There is no such test where the language is not among CELLA_TEST_LANGUAGES."""
    return lambda function: function if language in CHOSEN else None


# ---- TypeScript ----

@only_with("typescript")
def test_typescript_errors_are_at_the_line_of_their_file():
    files = {
        "main.ts": "interface A { x: number }\n\nimport { fail } from './lib/fail';\n\nfail();\n",
        "lib/fail.ts": "type T = {\n  a: string;\n};\n\nexport function fail(): never {\n"
                       "  throw new TypeError('boom');\n}\n",
    }
    result = run("typescript", files=files)
    assert (result["status"], result["exit_code"]) == ("exit", 1)
    assert "/workspace/lib/fail.ts:6:9" in result["stderr"]
    assert "/workspace/main.ts:5:1" in result["stderr"]
    files["main.ts"] = "await null;\n" + files["main.ts"]  # an ES module now
    result = run("typescript", files=files)
    assert "/workspace/lib/fail.ts:6:9" in result["stderr"]
    assert "/workspace/main.ts:6:1" in result["stderr"]


@only_with("typescript")
def test_typescript_refuses_what_is_no_typescript():
    result = run("typescript", "let a = 1;\nlet x: number = ;")
    assert result["status"] == "compile_error"
    assert "main.ts:2:16" in result["compile"]["stderr"]
    result = run("typescript", "import './missing';")
    assert result["status"] == "compile_error"
    assert 'Could not resolve "./missing"' in result["compile"]["stderr"]


@only_with("typescript")
def test_typescript_checks_types_on_request():
    bad = "import * as fs from 'fs';\nconst x: number = 'a';\nconsole.log(x, fs.constants.R_OK);"
    assert run("typescript", bad)["stdout"] == "a 4\n"
    result = run("typescript", bad, compile={"args": ["--check"]})
    assert result["status"] == "compile_error"
    assert "main.ts(2,7): error TS2322" in result["compile"]["stdout"]
    good = bad.replace("'a'", "process.argv.length")
    result = run("typescript", good, compile={"args": ["--check"]})
    assert (result["status"], result["stdout"]) == ("ok", "2 4\n"), result["compile"]
    result = run("typescript", bad, {"tsconfig.json": '{"compilerOptions": {"types": []}}'},
                 compile={"args": ["--check"]})
    assert "main.ts(2,7): error TS2322" in result["compile"]["stdout"]


# ---- compile arguments ----

@only_with("javascript")
def test_javascript_modules_by_package():
    files = {"package.json": '{"type": "module"}', "lib/é.js": "export const name = 'é';",
             "main.js": "import { name } from './lib/é.js';\nconsole.log(await name);"}
    assert run("javascript", files=files)["stdout"] == "é\n"
    files = {"node_modules/greeter/index.js": "module.exports = () => 'hello';",
             "main.js": "console.log(require('greeter')());"}
    assert run("javascript", files=files)["stdout"] == "hello\n"


@only_with("c")
def test_c_compile_arguments():
    code = "#include <stdio.h>\nint main(void) { printf(\"%d %ld\\n\", N, __STDC_VERSION__); }"
    result = run("c", code, compile={"args": ["-DN=5", "-std=c99"]})
    assert result["stdout"] == "5 199901\n"
    result = run("c", code)
    assert result["status"] == "compile_error"


@only_with("ocaml")
def test_ocaml_compile_arguments():
    code = "let f x = match x with Some y -> y\nlet () = print_int (f (Some 3))"
    assert run("ocaml", code)["stdout"] == "3"
    result = run("ocaml", code, compile={"args": ["-w", "+a", "-warn-error", "+8"]})
    assert result["status"] == "compile_error"
    assert "this pattern-matching is not exhaustive" in result["compile"]["stderr"]


@only_with("go")
def test_go_tests():
    files = {
        "main.go": "package main\n\nfunc twice(n int) int { return 2 * n }\n\nfunc main() {}\n",
        "main_test.go": "package main\n\nimport \"testing\"\n\nfunc TestTwice(t *testing.T) {\n"
                        "\tif twice(2) != 5 {\n\t\tt.Error(\"not five\")\n\t}\n}\n",
    }
    result = run("go", files=files, compile={"args": ["--test"]}, args=["-test.v"])
    assert (result["status"], result["exit_code"]) == ("exit", 1)
    assert "--- FAIL: TestTwice" in result["stdout"] and "main_test.go:7: not five" in result["stdout"]
    files["main_test.go"] = files["main_test.go"].replace("5", "4")
    result = run("go", files=files, compile={"args": ["--test"]})
    assert (result["status"], result["stdout"]) == ("ok", "PASS\n")


@only_with("go")
def test_go_modules_come_with_the_request_or_not_at_all():
    code = "package main\n\nimport _ \"example.org/absent\"\n\nfunc main() {}\n"
    result = run("go", code, {"go.mod": "module x\n\ngo 1.19\n\nrequire example.org/absent v1.0.0\n"})
    assert result["status"] == "compile_error"
    assert "main.go:3:8: missing go.sum entry" in result["compile"]["stderr"]


@only_with("rust")
def test_rust_tests():
    code = "fn main() {}\n#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n"
    result = run("rust", code, compile={"args": ["--test"]})
    assert result["status"] == "ok" and "test adds ... ok" in result["stdout"]


@only_with("java")
def test_java_finds_the_class_to_run():
    """Named after the file; else the one that has a main method, whatever it is called."""
    say = 'public static void main(String[] a) { System.out.println("%s"); }'
    public = f"package com.example; public class Hello {{ {say % 'package'} }}"
    cases = [
        ({"code": f"class Other {{ {say % 'other'} }} class Main {{ {say % 'main'} }}"}, "main\n"),
        ({"code": f"class Aux {{ int domain; }} class Hello {{ {say % 'hello'} }}"}, "hello\n"),
        ({"files": {"com/example/Hello.java": public}, "entry": "com/example/Hello.java"}, "package\n"),
        ({"files": {"Hello.java": public}, "entry": "Hello.java"}, "package\n"),
    ]
    for request, stdout in cases:
        result = run("java", **request)
        assert result["stdout"] == stdout, result


@only_with("haskell")
def test_arguments_are_the_programs_own():
    code = "import System.Environment\nmain = getArgs >>= print"
    assert run("haskell", code, args=["+RTS", "-s"])["stdout"] == '["+RTS","-s"]\n'
    if "java" in CHOSEN:
        code = "class Main { public static void main(String[] a) { System.out.println(a[0]); } }"
        assert run("java", code, args=["@x"])["stdout"] == "@x\n"


@only_with("sqlite")
def test_sqlite_opens_the_database_that_is_named():
    code = "CREATE TABLE t(x); INSERT INTO t VALUES (1);"
    result = run("sqlite", code, args=["data.db"], collect=["*.db"])
    assert result["files"][0]["path"] == "data.db"
    database = {**result["files"][0]}
    request = {"language": "sqlite", "code": "SELECT x + 1 FROM t;", "args": ["data.db"],
               "files": [{"path": "data.db", "content": database["content"],
                          "encoding": database["encoding"]}]}
    assert run_request("user", request)[1]["stdout"] == "2\n"


# ---- what an interpreter is told ----

TOLD = {
    "go": ("package main\nimport (\"fmt\"; \"os\"; \"runtime\"; \"runtime/debug\")\nfunc main() {"
           "_ = os.Args; fmt.Println(runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1) >> 20) }", "1 180"),
    "java": ("class Main { public static void main(String[] a) { System.out.println("
             "Runtime.getRuntime().availableProcessors() + \" \" + "
             "(Runtime.getRuntime().maxMemory() > 120 << 20 && "
             "Runtime.getRuntime().maxMemory() <= 140 << 20)); } }", "1 true"),
    "javascript": ("const v8 = require('v8');\nconsole.log("
                   "v8.getHeapStatistics().heap_size_limit >> 20 <= 256)", "true"),
    "python": ("import os\nprint(os.environ['OPENBLAS_NUM_THREADS'], os.cpu_count())", "1 1"),
}


@pytest.mark.parametrize("language", [language for language in TOLD if language in CHOSEN])
def test_interpreters_know_their_limits(language):
    code, output = TOLD[language]
    result = run(language, code, limits={**PATIENT, "memory_bytes": 200 << 20, "cpus": 1})
    assert result["stdout"] == output + "\n", result
