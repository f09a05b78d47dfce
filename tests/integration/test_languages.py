"""Every language in its ordinary uses, as root and as an ordinary user."""
import json
import subprocess

import pytest
from program import CELLA, USERS, valid

# For each language: programs by what they show.
PROGRAMS = {
    "python": {
        "hello": "print('hello')",
        "echo": "import sys; sys.stdout.write(sys.stdin.read())",
        "args": "import sys; print('|'.join(sys.argv[1:]))",
        "files": "import pathlib; print(pathlib.Path('data/in.txt').read_text(), end='')",
        "exit": "import sys; sys.exit(3)",
        "raise": "raise ValueError('boom é')",
        "sleep": "import time; print('before', flush=True); time.sleep(60)",
        "memory": "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "unicode": "print('héllo ☃')",
    },
    "javascript": {
        "hello": "console.log('hello')",
        "echo": "process.stdin.pipe(process.stdout)",
        "args": "console.log(process.argv.slice(2).join('|'))",
        "files": "process.stdout.write(require('fs').readFileSync('data/in.txt'))",
        "exit": "process.exit(3)",
        "raise": "throw new Error('boom é')",
        "sleep": "console.log('before'); setTimeout(() => {}, 60000)",
        "memory": "const x = []; while (true) x.push(Buffer.alloc(1 << 20, 1))",
        "unicode": "console.log('héllo ☃')",
    },
    "bash": {
        "hello": "echo hello",
        "echo": "cat",
        "args": 'IFS="|"; echo "$*"',
        "files": "cat data/in.txt",
        "exit": "exit 3",
        "raise": "set -u; echo $boom_é; echo $boom",
        "sleep": "echo before; sleep 60",
        "memory": "x=x; while true; do x=$x$x; done",
        "unicode": "echo 'héllo ☃'",
    },
    "ruby": {
        "hello": "puts 'hello'",
        "echo": "print STDIN.read",
        "args": "puts ARGV.join('|')",
        "files": "print File.read('data/in.txt')",
        "exit": "exit 3",
        "raise": "raise 'boom é'",
        "sleep": "puts 'before'; STDOUT.flush; sleep 60",
        "memory": "x = []; loop { x << 'x' * (1 << 20) }",
        "unicode": "puts 'héllo ☃'",
    },
    "c": {
        "hello": '#include <stdio.h>\nint main(void) { puts("hello"); }',
        "echo": "#include <stdio.h>\nint main(void) { int c; while ((c = getchar()) != EOF) putchar(c); }",
        "args": '#include <stdio.h>\nint main(int n, char **v) { for (int i = 1; i < n; i++) printf("%s%s", i > 1 ? "|" : "", v[i]); puts(""); }',
        "files": '#include <stdio.h>\nint main(void) { FILE *f = fopen("data/in.txt", "r"); int c; while ((c = getc(f)) != EOF) putchar(c); }',
        "exit": "int main(void) { return 3; }",
        "raise": "#include <stdlib.h>\nint main(void) { abort(); }",
        "sleep": '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("before"); fflush(stdout); sleep(60); }',
        "memory": "#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }",
        "unicode": '#include <stdio.h>\nint main(void) { puts("héllo ☃"); }',
    },
}
CASES = [(user, language) for user in USERS for language in PROGRAMS]


def run_request(user, request):
    done = subprocess.run(
        USERS[user] + [CELLA, "run", "--json", "--request", "-"],
        input=json.dumps(request).encode(),
        capture_output=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.stdout, done.stderr
    return done.returncode, valid(json.loads(done.stdout))


def run(user, language, program, **request):
    return run_request(user, {"language": language, "code": PROGRAMS[language][program], **request})


@pytest.mark.parametrize("user,language", CASES)
class TestLanguage:
    def test_hello(self, user, language):
        code, result = run(user, language, "hello")
        assert (code, result["status"], result["stdout"]) == (0, "ok", "hello\n")
        assert result["stderr"] == ""
        assert result["language"]["name"] == language
        assert result["language"]["path"].startswith(("/usr/bin/", "/bin/"))
        assert result["language"]["version"]

    def test_standard_input(self, user, language):
        text = "one\ntwo ☃\n" * 1000
        _, result = run(user, language, "echo", stdin=text)
        assert (result["status"], result["stdout"]) == ("ok", text)

    def test_arguments(self, user, language):
        _, result = run(user, language, "args", args=["a b", "$HOME", "é;`id`", ""])
        assert result["stdout"] == "a b|$HOME|é;`id`|\n"

    def test_own_files(self, user, language):
        files = [{"path": "data/in.txt", "content": "from a file ☃\n"}]
        _, result = run(user, language, "files", files=files)
        assert (result["status"], result["stdout"]) == ("ok", "from a file ☃\n")

    def test_exit_code(self, user, language):
        code, result = run(user, language, "exit")
        assert (code, result["status"], result["exit_code"]) == (3, "exit", 3)

    def test_uncaught_exception(self, user, language):
        code, result = run(user, language, "raise")
        if language == "c":
            assert (code, result["status"], result["signal"]) == (134, "signal", "SIGABRT")
        else:
            assert (code, result["status"]) == (1, "exit")
            assert "boom" in result["stderr"]

    def test_time_limit(self, user, language):
        code, result = run(user, language, "sleep", limits={"wall_ms": 1000})
        assert (code, result["status"]) == (124, "wall_time")
        assert result["stdout"] == "before\n"  # what was written is kept
        assert result["limit"]["name"] == "wall_ms"
        assert 1000 <= result["usage"]["wall_ms"] < 3000

    def test_memory_limit(self, user, language):
        code, result = run(user, language, "memory", limits={"memory_bytes": 128 << 20})
        assert (code, result["status"]) == (137, "memory")
        assert result["limit"]["name"] == "memory_bytes"
        assert result["limit"]["value"] == 128 << 20

    def test_unicode(self, user, language):
        _, result = run(user, language, "unicode")
        assert result["stdout"] == "héllo ☃\n"


@pytest.mark.parametrize("user", USERS)
def test_a_compile_error_is_not_a_crash(user):
    code, result = run_request(user, {"language": "c", "code": "int main(void) { return x; }"})
    assert (code, result["status"], result["exit_code"]) == (1, "compile_error", None)
    assert "'x' undeclared" in result["compile"]["stderr"].replace("‘", "'").replace("’", "'")


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
