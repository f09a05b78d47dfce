"""The command line: options, exit codes, live streams, signals, help, completion, doctor."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from program import CELLA, IS_ROOT, ROOT, valid


def cella(*args, stdin=b"", **more):
    """Runs cella to its end; output as bytes."""
    return subprocess.run([CELLA, *args], input=stdin, capture_output=True, timeout=60, **more)


def start(*args, **more):
    streams = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return subprocess.Popen([CELLA, *args], **{**streams, **more})


def python(code, *args, **more):
    return cella("run", "-l", "python", "-c", code, *args, **more)


def without_notes(stderr):
    return b"".join(
        line for line in stderr.splitlines(True) if not line.startswith(b"cella: note: no control")
    )


def error_lines(done):
    return done.stderr.decode().splitlines()


# ---- options ----


@pytest.mark.parametrize(
    "args, text, hint",
    [
        ([], "no command given", "cella help"),
        (["rnu"], "unknown command 'rnu'", "did you mean 'cella run'?"),
        (["zzzzzzzz"], "unknown command 'zzzzzzzz'", "'cella help' lists the commands"),
        (["run", "--memroy", "1m"], "'cella run' has no option --memroy", "did you mean --memory?"),
        (
            ["doctor", "--memory", "1m"],
            "'cella doctor' has no option --memory",
            "'cella help doctor' lists its options",
        ),
        (["run", "-z"], "'cella run' has no option -z", "arguments of the program follow --"),
        (["run", "--time"], "--time needs a value: TIME", None),
        (["run", "-l"], "-l needs a value: LANG", None),
        (["run", "--memory", "-l", "python"], "--memory needs a value: SIZE", None),
        (["doctor", "x"], "'cella doctor' takes no argument 'x'", None),
        (["version", "--", "x"], "'cella version' takes no argument 'x'", None),
        (["run", "--mem", "1g"], "'cella run' has no option --mem", "did you mean --memory?"),
        (
            ["run", "-l", "python", "-c", "1", "--file", "a" * 1025],
            "--file: the name is too long",
            None,
        ),
        (
            ["run", "-l", "python", "-c", "1", "--memory", "lots"],
            "--memory 'lots' is not a size such as 64k, 256m or 1.5g",
            None,
        ),
        (
            ["run", "-l", "python", "-c", "1", "--cpus", "1g"],
            "--cpus '1g' is not a number such as 2 or 0.5",
            None,
        ),
        (["run", "--json=1", "x"], "--json takes no value", None),
        (["run"], "nothing to run", "give a FILE, - for standard input, or -l LANG -c CODE"),
        (
            ["run", "-c", "1"],
            "-c needs a language: -l LANG",
            "cella run -l python -c 'print(6*7)'",
        ),
        (
            ["run", "-l", "command", "ls"],
            "'-l command' runs the program that is named after --",
            "cella run -l command -- PROGRAM [ARGS...]",
        ),
        (
            ["run", "-l", "python", "-c", "1", "two"],
            "unexpected argument 'two'",
            "arguments of the program follow --",
        ),
        (
            ["run", "a.py", "two"],
            "unexpected argument 'two'",
            "arguments of the program follow --",
        ),
        (
            ["run", "--request", "x.json", "-l", "python"],
            "--request says already what to run",
            "put language, code and arguments into the request itself",
        ),
        (["run", "missing.py"], "cannot open missing.py: No such file or directory", None),
        (["run", "/usr"], "/usr is a directory", "name the files in it, one by one"),
        (
            ["run", "-l", "python", "-c", "1", "--file", "/nowhere/x"],
            "cannot open /nowhere/x: No such file or directory",
            None,
        ),
        (
            ["run", "-l", "python", "-c", "1", "--stdin", "/nowhere/x"],
            "cannot open /nowhere/x: No such file or directory",
            None,
        ),
        (
            ["run", "-l", "python", "-c", "1", "--stdin", "/usr"],
            "/usr is a directory",
            "name the files in it, one by one",
        ),
    ],
)
def test_refused_command_line(args, text, hint, tmp_path):
    done = cella(*args, cwd=tmp_path)
    lines = error_lines(done)
    assert lines[0] == f"cella: {text}"
    assert lines[1:] == ([f"  hint: {hint}"] if hint else [])
    assert done.stdout == b""
    assert done.returncode == 126


def test_a_time_needs_its_unit():
    done = cella("run", "--time", "2", "-l", "bash", "-c", ":")
    assert error_lines(done) == ["cella: --time '2' has no unit",
                                 "  hint: 10s is ten seconds, 10ms are milliseconds"]
    assert done.returncode == 126


def test_code_file_at_and_over_its_size(tmp_path):
    mib = 1024 * 1024
    program = tmp_path / "big.py"
    program.write_bytes(b"print(1)\n#" + b"x" * (16 * mib - 10))
    assert program.stat().st_size == 16 * mib
    done = cella("run", str(program))
    assert (done.stdout, done.returncode) == (b"1\n", 0)
    with program.open("ab") as file:
        file.write(b"x")
    done = cella("run", str(program))
    assert error_lines(done)[0] == f"cella: {program} is larger than 16 MiB"
    assert done.returncode == 126
    # The same through a pipe, whose size nobody knows before it was read.
    done = cella("run", "-l", "python", "-", stdin=program.read_bytes())
    assert error_lines(done)[0] == "cella: standard input is larger than 16 MiB"
    assert done.returncode == 126


# ---- help, manual, completion ----

COMMANDS = "run explain languages doctor version help completion manual".split()


def test_version():
    for args in (["version"], ["--version"], ["-V"]):
        done = cella(*args)
        assert re.fullmatch(rb"cella \d+\.\d+\.\d+\n", done.stdout)
        assert done.returncode == 0


def test_help_lists_every_command():
    done = cella("help")
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"\n  {name} " in done.stdout.decode()] == COMMANDS
    assert cella("--help").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = cella("help", command)
    assert done.stdout.startswith(f"Usage: cella {command} ".encode())
    assert done.returncode == 0
    if command != "help":
        assert cella(command, "--help").stdout == done.stdout


def test_help_of_an_unknown_command():
    done = cella("help", "docter")
    assert error_lines(done) == [
        "cella: unknown command 'docter'",
        "  hint: did you mean 'cella help doctor'?",
    ]
    assert done.returncode == 126


@pytest.mark.parametrize("words", [["help"], ["languages"], ["version"], ["manual"],
                                   ["explain", "-l", "bash", "-c", ":"]])
def test_what_cannot_be_written_is_an_error(words):
    """Whether it fits into stdio's buffer or not."""
    with open("/dev/full", "w") as full:
        done = start(*words, stdout=full)
        assert done.communicate(timeout=30)[1].startswith(b"cella: cannot write to standard output")
    assert done.returncode == 125


def test_manual_in_the_tree_is_up_to_date():
    assert (ROOT / "man" / "cella.1").read_bytes() == cella("manual").stdout


def test_manual_is_good_troff():
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z"], input=cella("manual").stdout, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_good_shell(shell, tmp_path):
    script = tmp_path / "completion"
    script.write_bytes(cella("completion", shell).stdout)
    assert b"stdout-limit" in script.read_bytes()
    done = subprocess.run([shell, "-n", str(script)], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def complete_in_bash(*words):
    script = f"""
        source <("$0" completion bash)
        PATH={os.path.dirname(CELLA)}:$PATH
        COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
        _cella
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, CELLA, *words], capture_output=True, check=True)
    return done.stdout.decode().split()


def test_completion_in_bash():
    assert complete_in_bash("cella", "do") == ["doctor"]
    assert complete_in_bash("cella", "run", "--std") == ["--stdin", "--stdout-limit", "--stderr-limit"]
    assert complete_in_bash("cella", "completion", "f") == ["fish"]
    assert complete_in_bash("cella", "run", "-l", "py") == ["pypy3", "python"]
    assert complete_in_bash("cella", "run", "--stdin", "/etc/host")[0].startswith("/etc/host")
    assert complete_in_bash("cella", "doctor", "--") == ["--json", "--help"]


def test_completion_in_fish():
    script = f"""
        {CELLA} completion fish | source
        complete -C 'cella do'
        complete -C 'cella run --memor'
    """
    done = subprocess.run(["fish", "-c", script], capture_output=True, check=True)
    words = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
    assert words == ["doctor", "--memory"]


def test_completion_of_an_unknown_shell():
    done = cella("completion", "tcsh")
    assert error_lines(done)[0] == "cella: there is completion for bash, zsh and fish"
    assert done.returncode == 126


# ---- languages, doctor ----


def test_languages():
    listed = json.loads(cella("languages", "--json").stdout)["languages"]
    by_name = {language["name"]: language for language in listed}
    assert {"bash", "c", "javascript", "python", "ruby"} <= set(by_name)
    assert list(by_name) == sorted(by_name)
    assert by_name["python"]["path"] == "/usr/bin/python3"
    assert by_name["python"]["present"] is True
    assert {"py", "python3"} <= set(by_name["python"]["aliases"])
    assert (by_name["python"]["entry"], by_name["python"]["extensions"]) == ("main.py", [".py"])
    assert (by_name["python"]["compiled"], by_name["c"]["compiled"]) == (False, True)
    real = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True).stdout.decode()
    assert by_name["python"]["version"] in real and by_name["python"]["version"] != ""
    assert cella("languages", "--names").stdout.decode().split() == list(by_name)
    text = cella("languages").stdout.decode()
    assert re.search(r"^python +3\.[0-9.]+ +/usr/bin/python3 +also py, python3$", text, re.M)
    present = sum(language["present"] for language in listed)
    assert f"{len(listed)} languages, {present} of them installed\n" in text
    directory = pathlib.Path(by_name["python"]["file"]).parent
    assert text.endswith(f"  {len(listed)} described in {directory}\n")


def test_languages_that_are_absent_say_how_to_get_them(tmp_path):
    directory = tmp_path / "cella" / "runtimes"
    directory.mkdir(parents=True)
    (directory / "absent.yaml").write_text(
        "package: a-package\npath: [/usr/bin/absent]\nentry: a\nrun: [a]\n")
    env = {"PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path)}
    text = cella("languages", env=env).stdout.decode()
    assert re.search(r"^absent +- +apt install a-package *$", text, re.M)
    assert f"  1 described in {directory}\n" in text
    listed = json.loads(cella("languages", "--json", env=env).stdout)["languages"]
    (absent,) = [language for language in listed if language["name"] == "absent"]
    assert (absent["present"], absent["path"], absent["version"]) == (False, None, None)


def test_languages_check(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("package: p\npath: [/usr/bin/true]\nentry: a\nrun: ['{path}']\n")
    done = cella("languages", "check", str(good))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{good}: ok: good by /usr/bin/true\n"
    good.write_text("package: pq\npath: [/usr/bin/absent]\nentry: a\nrun: ['{path}']\n")
    done = cella("languages", "check", str(good))
    assert done.returncode == 0
    assert done.stdout.decode() == \
        f"{good}: ok: good, which is not installed here: apt install pq\n"
    good.write_text("pakage: p\nrun:\n  - '{cpu}'\n")
    done = cella("languages", "check", str(good))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"cella: {good}:1:1: pakage is not a field\n  hint: did you mean 'package'?\n"
        f"cella: {good}:3:5: run[0] has an unknown name in braces\n")


def test_languages_check_executes_nothing_of_the_file(tmp_path):
    mark = tmp_path / "mark"
    file = tmp_path / "x.yaml"
    file.write_text("package: p\npath: [/usr/bin/touch]\nentry: a\nrun: [a]\n"
                    f"version: [/usr/bin/touch, '{mark}']\n")
    assert cella("languages", "check", str(file)).returncode == 0
    assert not mark.exists()


@pytest.mark.parametrize("words,code,message", [
    (["check", "/nonexistent/x.yaml"], 126, "/nonexistent/x.yaml cannot be opened: No such file"),
    (["check", "x.yml"], 126, "x.yml is no name for a language's file"),
    (["check"], 126, "lists them, or checks one file of a language"),
    (["chek", "x.yaml"], 126, "lists them, or checks one file of a language"),
    (["check", "a.yaml", "b.yaml"], 126, "lists them, or checks one file of a language"),
    (["--json", "check", "a.yaml"], 126, "lists them, or checks one file of a language"),
])
def test_languages_check_refuses(words, code, message):
    done = cella("languages", *words)
    assert done.returncode == code
    assert message in done.stderr.decode()


def test_doctor():
    done = cella("doctor", "--json")
    report = json.loads(done.stdout)
    findings = {finding["name"]: finding for finding in report["findings"]}
    for finding in findings.values():
        assert finding["state"] in ("ok", "warn", "missing")
        assert finding["found"], finding
        # Every gap says what it means; none that is there says so.
        assert (finding["meaning"] is None) == (finding["state"] == "ok"), finding
    assert findings["a run"]["state"] in ("ok", "warn"), findings["a run"]
    assert findings["languages"]["state"] == "ok", findings["languages"]
    assert done.returncode == (1 if report["state"] == "missing" else 0)
    text = cella("doctor").stdout.decode()
    assert all(f"{name}: " in text for name in findings)


def test_doctor_sees_user_namespaces_missing():
    """In a user namespace that may have none below it, each gap is seen and has its remedy."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" doctor --json'
    done = subprocess.run(["unshare", "-r", "sh", "-c", script, CELLA], capture_output=True)
    findings = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    assert findings["user namespaces"]["state"] == "missing"
    assert findings["user namespaces"]["remedy"] == "sysctl -w user.max_user_namespaces=65536"
    assert findings["a run"]["state"] == "missing"
    assert done.returncode == 1


def doctor_with(files, tmp_path):
    """The findings on a host whose files have these contents, in a mount namespace."""
    commands = []
    for number, (path, text) in enumerate(files.items()):
        (tmp_path / str(number)).write_text(text)
        commands.append(f"mount --bind {tmp_path}/{number} {path}")
    script = " && ".join([*commands, 'exec "$0" doctor --json'])
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, CELLA], capture_output=True)
    return {f["name"]: f for f in json.loads(done.stdout)["findings"]}


needs_root = pytest.mark.skipif(not IS_ROOT, reason="mounts over files of the host")


@needs_root
@pytest.mark.parametrize(
    "path, line, claimed",
    [
        ("/etc/subuid", "joe:1899934464:65536", False),  # ends right below the range
        ("/etc/subuid", "joe:1899934464:65537", True),
        ("/etc/subuid", "joe:1900065535:1", True),
        ("/etc/subuid", "joe:1900065536:65536", False),  # begins right above it
        ("/etc/subuid", "joe:0:4294967295", True),
        ("/etc/subuid", "joe:1900000000:0", False),
        ("/etc/passwd", "joe:x:1899999999:1::/:/bin/sh", False),
        ("/etc/passwd", "joe:x:1900000000:1::/:/bin/sh", True),
        ("/etc/passwd", "joe:x:1900065535:1::/:/bin/sh", True),
        ("/etc/passwd", "joe:x:1900065536:1::/:/bin/sh", False),
    ],
)
def test_doctor_sees_claimed_uids(path, line, claimed, tmp_path):
    text = "root:x:0:0::/:/bin/sh\n" if path == "/etc/passwd" else "al:100000:65536\n"
    finding = doctor_with({path: text + line + "\n"}, tmp_path)["uids for runs"]
    assert finding["state"] == ("missing" if claimed else "ok")
    if claimed:
        assert finding["found"] == f"joe of {path} lies in 1900000000 to 1900065535"


@needs_root
@pytest.mark.parametrize(
    "pattern, words", [("core", "go to a file"), ("|/bin/handler %P", "but for runs: /bin/handler")]
)
def test_doctor_sees_core_dumps_that_go_to_a_program(pattern, words, tmp_path):
    finding = doctor_with({"/proc/sys/kernel/core_pattern": pattern + "\n"}, tmp_path)["core dumps"]
    assert finding["state"] == "ok" and words in finding["found"]


# ---- what is run ----


def test_code():
    done = python("print(6*7)")
    assert (done.stdout, without_notes(done.stderr), done.returncode) == (b"42\n", b"", 0)


def test_file_by_extension_keeps_its_name(tmp_path):
    program = tmp_path / "solve.py"
    program.write_text("import sys; print(sys.argv)")
    done = cella("run", str(program), "--", "a b", "--time", "-c")
    assert done.stdout.decode().strip().endswith("solve.py', 'a b', '--time', '-c']")
    assert done.returncode == 0


def test_file_by_shebang(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/usr/bin/env python3\nprint('by its first line')\n")
    assert cella("run", str(program)).stdout == b"by its first line\n"


def test_code_from_standard_input_leaves_no_input():
    done = cella("run", "-l", "python", "-", stdin=b"import sys; print([sys.stdin.read()])")
    assert done.stdout == b"['']\n"


def test_request_from_standard_input():
    request = {"language": "python", "code": "print(input())", "stdin": "from the request"}
    done = cella("run", "--request", "-", stdin=json.dumps(request).encode())
    assert (done.stdout, done.returncode) == (b"from the request\n", 0)


def test_options_go_on_top_of_a_request(tmp_path):
    request = tmp_path / "request.json"
    request.write_text('{"language": "python", "code": "while True: pass"}')
    done = cella("run", "--request", str(request), "--time", "300ms")
    assert done.returncode == 124


def test_command():
    done = cella("run", "-l", "command", "--", "/bin/echo", "-n", "$HOME; x")
    assert (done.stdout, done.returncode) == (b"$HOME; x", 0)


def test_standard_input_is_passed_on():
    data = bytes(range(256)) * 4096
    done = cella("run", "-l", "command", "--", "/bin/cat", stdin=data)
    assert done.stdout == data
    assert done.returncode == 0


def test_a_pipe_whose_writer_has_gone_has_an_end(tmp_path):
    """poll() does not tell of it to who opens the pipe anew."""
    os.mkfifo(tmp_path / "fifo")
    script = 'exec 3<>"$1"; echo ab >&3; exec <"$1" 3<&-; shift; exec "$@"'
    done = subprocess.run(["sh", "-c", script, "sh", tmp_path / "fifo", CELLA, "run", "-l", "python",
                           "-c", "import sys; print(sys.stdin.read())"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"ab\n\n")


def test_standard_input_from_a_file():
    done = cella("run", "--stdin", "/etc/os-release", "-l", "command", "--", "/bin/cat")
    assert done.stdout == pathlib.Path("/etc/os-release").read_bytes()


def test_closed_standard_streams():
    done = subprocess.run(
        ["sh", "-c", '"$0" run -l command -- /bin/cat <&-; echo $?', CELLA], capture_output=True
    )
    assert done.stdout == b"0\n"
    done = subprocess.run(
        ["sh", "-c", '"$0" run -l command -- /bin/echo x >&- 2>&-; echo $?', CELLA],
        capture_output=True,
    )
    assert done.stdout == b"0\n"


def test_files_and_environment(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("own name")
    code = "import os; print(open('data.txt').read(), open('sub/x').read(), os.environ['A'])"
    done = python(code, "--file", str(data), f"--file=sub/x={data}", "-e", "A=b=c")
    assert done.stdout == b"own name own name b=c\n"


@pytest.mark.parametrize(
    "program, path, name",
    [
        ("main.py", "lib/x", "lib/x"),
        ("./main.py", "lib/x", "lib/x"),
        ("main.py", ".//lib/x", "lib/x"),
        ("main.py", "lib/../x", "x"),
        ("main.py", "../there/x", "x"),
        ("lib/main.py", "lib/x", "x"),
        ("lib/main.py", "lib/sub/x", "sub/x"),
        ("lib/main.py", "lib2/x", "x"),
        ("{}/main.py", "{}/lib/x", "lib/x"),
        ("{}/lib/main.py", "{}/x", "x"),
        (None, "lib/x", "lib/x"),
        (None, "{}/lib/x", "x"),
    ],
)
def test_a_file_lies_where_the_program_looks_for_it(tmp_path, program, path, name):
    here = tmp_path / "here"
    for file in ["lib/x", "lib/sub/x", "lib2/x", "x", "../there/x"]:
        (here / file).parent.mkdir(parents=True, exist_ok=True)
        (here / file).write_text("")
    code = "import glob; print(*[p for p in glob.glob('**', recursive=True) if p.endswith('x')])"
    source = ["-l", "python", "-c", code]
    if program is not None:
        source = [program.format(here)]
        (here / source[0]).write_text(code)
    done = cella("run", *source, "--file", path.format(here), cwd=here)
    assert done.stdout.decode() == name + "\n"


def test_a_language_that_is_named_takes_the_files_own_name(tmp_path):
    for name, language, shown in [
        ("own.py", "python", "own.py"),
        ("own.PY", "py", "own.PY"),
        ("own.txt", "python", "main.py"),
        ("own", "python", "main.py"),
        ("a b.py", "python", "a b.py"),
    ]:
        program = tmp_path / name
        program.write_text("import sys; print(sys.argv[0])")
        done = cella("run", "-l", language, str(program))
        assert done.stdout.decode() == shown + "\n", done.stderr
    done = cella("run", "-l", "nonesuch", str(tmp_path / "own.py"))
    assert error_lines(done)[0].startswith("cella: unknown language 'nonesuch'")


def test_too_little_memory_for_a_sandbox():
    done = python("", "--memory", "64")
    assert error_lines(done) == [
        "cella: a sandbox needs at least 2 MiB of memory_bytes",
        "  field: limits.memory_bytes",
        "  hint: 64m is 64 MiB, and a number without a unit is bytes",
    ]


@pytest.mark.parametrize("args, hint", [
    (["--network", "host"], "a policy that has `network: host`"),
    (["--memory", "1t"], "a policy that allows more"),
])
def test_what_the_policy_refuses_says_what_to_do(args, hint):
    done = python("", *args)
    assert done.returncode == 126
    assert error_lines(done)[2].startswith("  hint: ") and hint in error_lines(done)[2]


def test_a_limit_that_the_program_survived_is_noted():
    code = ("import os, time\ntry:\n  while True:\n    if os.fork() == 0:\n      time.sleep(60)\n"
            "except OSError:\n  pass")
    done = python(code, "--processes", "8")
    assert done.returncode == 0
    note = "cella: note: a limit was reached, and the program went on: processes"
    assert error_lines(done)[-1] == note


def test_executable_file_stays_executable(tmp_path):
    script = tmp_path / "hello"
    script.write_text("#!/bin/bash\necho hi\n")
    script.chmod(0o755)
    done = cella("run", "-f", str(script), "-l", "command", "--", "./hello")
    assert done.stdout == b"hi\n"


# ---- exit codes ----


@pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
def test_own_exit_code_says_nothing_else(code):
    done = python(f"raise SystemExit({code})")
    assert (done.returncode, without_notes(done.stderr)) == (code, b"")


@pytest.mark.parametrize(
    "code, args, word, exit_code",
    [
        ("import time; time.sleep(60)", ["--time", "300ms"], "wall_time", 124),
        ("while True: pass", ["--cpu-time", "200ms"], "cpu_time", 124),
        ("x = bytearray(10**9)", ["--memory", "64m"], "memory", 137),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", [], "signal", 139),
    ],
)
def test_verdict_and_exit_code(code, args, word, exit_code):
    done = python(code, *args)
    last = error_lines(done)[-1] if "note" not in error_lines(done)[-1] else error_lines(done)[-2]
    assert last.startswith(f"cella: {word}: ")
    assert done.returncode == exit_code
    quiet = python(code, "--quiet", *args)
    assert b"cella:" not in quiet.stderr
    assert quiet.returncode == exit_code
    answer = python(code, "--json", *args)
    assert valid(json.loads(answer.stdout))["status"] == word
    assert (answer.returncode, answer.stderr) == (exit_code, b"")


def test_compile_error(tmp_path):
    program = tmp_path / "bad.c"
    program.write_text("int main(void) { return nonsense; }\n")
    done = cella("run", str(program))
    assert "nonsense" in done.stderr.decode()
    assert "cella: compile_error: " in done.stderr.decode()
    assert (done.stdout, done.returncode) == (b"", 1)


def test_unknown_language():
    done = cella("run", "-l", "pyton", "-c", "1")
    assert "pyton" in error_lines(done)[0]
    assert "python" in done.stderr.decode()
    assert done.returncode == 127


def test_over_the_policy():
    done = python("1", "--memory", "20g")
    assert error_lines(done)[1] == "  field: limits.memory_bytes"
    assert done.returncode == 126


def test_refused_as_json():
    done = cella("run", "--json", "-l", "python", "-c", "1", "--memory", "20g")
    result = valid(json.loads(done.stdout))
    assert result["status"] == "refused"
    assert (done.returncode, done.stderr) == (126, b"")


def test_json_holds_what_is_not_text():
    done = python("import os; os.write(1, b'\\xff\\x00')", "--json")
    result = json.loads(done.stdout)
    assert (result["stdout"], result["stdout_encoding"]) == ("/wA=", "base64")
    assert done.stdout.count(b"\n") == 1 and done.stdout.endswith(b"\n")


def test_cut_output_is_said():
    done = python("print('x' * 5000)", "--stdout-limit", "1k")
    assert done.stdout == b"x" * 1024
    assert "cella: note: standard output was cut after 1 KiB; the program wrote 5001 bytes" in (
        error_lines(done)
    )
    assert done.returncode == 0


# ---- collected files ----

WRITES = "import os; os.makedirs('d/e'); open('d/e/x.txt', 'w').write('new'); open('y', 'w')"


def test_output_dir(tmp_path):
    out = tmp_path / "out"
    done = python(WRITES, "--collect", "**/*.txt", "--output-dir", str(out))
    assert done.returncode == 0, done.stderr
    assert (out / "d/e/x.txt").read_text() == "new"
    assert sorted(p.name for p in out.rglob("*")) == ["d", "e", "x.txt"]


def test_output_dir_never_writes_over_a_file_without_force(tmp_path):
    target = tmp_path / "d" / "e"
    target.mkdir(parents=True)
    (target / "x.txt").write_text("old")
    args = ["--collect", "**/*.txt", "-o", str(tmp_path)]
    done = python(WRITES, *args)
    assert f"cella: cannot write {tmp_path}/d/e/x.txt: File exists" in error_lines(done)
    assert "  hint: --force replaces files that exist" in error_lines(done)
    assert done.returncode == 125
    assert (target / "x.txt").read_text() == "old"
    assert python(WRITES, *args, "--force").returncode == 0
    assert (target / "x.txt").read_text() == "new"


def test_output_dir_follows_no_link(tmp_path):
    outside = tmp_path / "outside"
    out = tmp_path / "out"
    (outside / "e").mkdir(parents=True)
    out.mkdir()
    (out / "d").symlink_to(outside)
    done = python(WRITES, "--collect", "**/*.txt", "-o", str(out), "--force")
    assert done.returncode == 125
    assert list((outside / "e").iterdir()) == []
    # A link in the place of the file itself is replaced, what it points to is not written.
    (out / "d").unlink()
    (out / "d" / "e").mkdir(parents=True)
    (outside / "secret").write_text("kept")
    (out / "d" / "e" / "x.txt").symlink_to(outside / "secret")
    assert python(WRITES, "--collect", "**/*.txt", "-o", str(out), "--force").returncode == 0
    assert (outside / "secret").read_text() == "kept"
    assert (out / "d" / "e" / "x.txt").read_text() == "new"


@pytest.mark.parametrize("how, problem", [
    ("file", "Not a directory"), ("file/below", "Not a directory"),
    ("missing/out", "No such file or directory"), ("closed/out", "Permission denied"),
    ("closed", "Permission denied"), ("closed/", "Permission denied"), ("", "No such file")])
@pytest.mark.parametrize("as_json", [False, True])
def test_output_dir_that_cannot_be_is_found_out_before_the_run(how, problem, as_json, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "closed").mkdir(mode=0o555)
    out = f"{tmp_path}/{how}" if how else ""
    words = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if IS_ROOT else []
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        [*words, CELLA, "run", "-l", "python", "-c", "print('ran')", "--collect", "*", "-o", out,
         *(["--json"] if as_json else [])], capture_output=True, timeout=30)
    text = f"cannot write collected files to {out}: {problem}"
    assert done.returncode == 126, done.stderr
    if as_json:
        result = valid(json.loads(done.stdout))
        assert result["status"] == "refused" and result["error"]["text"].startswith(text)
    else:
        assert done.stdout == b"" and error_lines(done)[0].startswith("cella: " + text)


def test_output_dir_that_will_be_made_is_made(tmp_path):
    for name in ("one", "two/"):
        assert python(WRITES, "--collect", "y", "-o", f"{tmp_path}/{name}").returncode == 0
        assert (tmp_path / name / "y").exists()
    done = python("print('ran')", "--collect", "*", "-o", "three", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "three").is_dir()


def test_collected_files_without_a_place():
    done = python(WRITES, "--collect", "y")
    assert error_lines(done)[-1].startswith("cella: note: collected files are in the result alone")
    result = json.loads(python(WRITES, "--collect", "y", "--json").stdout)
    assert [file["path"] for file in result["files"]] == ["y"]


def test_patterns_that_match_nothing_are_named(tmp_path):
    args = ["--collect", "*.png", "--collect", "d/**", "--collect", "z*", "-o", str(tmp_path)]
    said = ["cella: note: no file matches '*.png', which was to be collected",
            "cella: note: no file matches 'z*', which was to be collected"]
    done = python(WRITES, *args)
    assert done.returncode == 0
    assert [line for line in error_lines(done) if "no file" in line] == said
    (tmp_path / "d/e/x.txt").unlink()
    done = python(WRITES + "; import sys; sys.exit(3)", *args)
    assert (done.returncode, [x for x in error_lines(done) if "no file" in x]) == (3, said)
    for option in ("--quiet", "--json"):
        done = python(WRITES, *args, option, "--force")
        assert done.returncode == 0 and b"no file" not in done.stderr
    # Nothing is known of what was not searched, or not to the end.
    done = python("import os\nfor i in range(9): open(f'{i}', 'w')", "--collect", "*", "--collect",
                  "*.png", "--collect-files", "3", "-o", str(tmp_path))
    assert b"no file" not in done.stderr
    done = cella("run", "-l", "c", "-c", "int main(", "--collect", "*.png")
    assert done.returncode == 1 and b"no file" not in done.stderr


# ---- live ----


def read_some(fd, seconds=20):
    ready, _, _ = select.select([fd], [], [], seconds)
    assert ready, "nothing came"
    return os.read(fd, 65536)


def test_output_comes_as_it_is_written():
    code = "print('first', flush=True); input(); print('second')"
    process = start("run", "-l", "python", "-c", code, stdin=subprocess.PIPE)
    assert read_some(process.stdout.fileno()) == b"first\n"
    assert process.poll() is None
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.stdout.read() == b"second\n"
    assert process.wait(30) == 0
    process.stdout.close()
    process.stderr.close()


def test_both_streams_stay_apart():
    done = python("import sys; print('out'); print('err', file=sys.stderr)")
    assert (done.stdout, without_notes(done.stderr)) == (b"out\n", b"err\n")


def test_slow_reader_neither_stops_the_clock_nor_loses_output():
    size = 4 * 1024 * 1024
    code = f"import sys, time; sys.stdout.write('x' * {size}); sys.stdout.flush(); time.sleep(60)"
    process = start(
        "run", "-l", "python", "-c", code, "--time", "1s", "--stdout-limit", "8m"
    )
    began = time.monotonic()
    time.sleep(3)  # longer than the limit, without reading a byte
    data = process.stdout.read()
    assert len(data) == size
    assert process.wait(30) == 124
    assert b"wall_time" in process.stderr.read()
    assert time.monotonic() - began < 15
    process.stdout.close()
    process.stderr.close()


def test_reader_that_goes_away_ends_the_run_quietly():
    code = "import itertools\nfor i in itertools.count(): print(i)"
    process = start("run", "-l", "python", "-c", code, "--time", "1m", "--stdout-limit", "100m")
    assert read_some(process.stdout.fileno()).startswith(b"0\n1\n")
    process.stdout.close()
    assert process.wait(30) == 130
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("stream, name", [("stdout", "output"), ("stderr", "error")])
def test_output_that_cannot_be_written_is_an_error(stream, name):
    """A full device is no reader that has gone: silence would look like success."""
    code = f"import sys, time\nprint('x', file=sys.{stream}, flush=True)\ntime.sleep(60)"
    with open("/dev/full", "w") as full:
        process = start("run", "-l", "python", "-c", code, "--time", "1m", **{stream: full})
        out, err = process.communicate(timeout=30)
    assert process.returncode == 125
    if stream == "stdout":
        text = f"cella: cannot pass on the program's standard {name}: No space left on device\n"
        assert without_notes(err) == text.encode()


@pytest.mark.parametrize("code", [0, 3])
def test_a_result_that_cannot_be_written_is_an_error(code):
    with open("/dev/full", "w") as full:
        process = start("run", "--json", "-l", "bash", "-c", f"exit {code}", stdout=full)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 125
    assert err == b"cella: cannot write the result: No space left on device\n"
    with open("/dev/full", "w") as full:
        process = start("run", "--json", "-l", "nonsense", "-c", "", stdout=full)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 127 and b"cannot write the result: No space left" in err


REAPER = """
import ctypes, os, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True)
try:
    print(os.waitpid(-1, 0))
except ChildProcessError:
    print("none")
"""


@pytest.mark.parametrize("words", [["run", "--bogus"], ["run", "--help"], ["run", "/nonexistent.py"],
                                   ["run", "-l", "command", "--", "/bin/true"]])
def test_nothing_is_left_for_somebody_else_to_reap(words):
    done = subprocess.run(["/usr/bin/python3", "-c", REAPER, CELLA, *words], capture_output=True,
                          timeout=30, check=True)
    assert done.stdout == b"none\n"


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_nobody_elses(closed):
    """What would be opened next must not become the program's stream, nor the keeper's socket."""
    done = subprocess.run(
        ["/bin/bash", "-c", f'"$0" run -l command -- /bin/sh -c "ls /proc/self/fd" {closed}<&-', CELLA],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 0
    assert done.stdout.split() == ([] if closed == 1 else [b"0", b"1", b"2", b"3"])


def test_inherited_descriptors_stay_blocking():
    """O_NONBLOCK belongs to the open file, which our caller shares."""
    for_in, to_in = os.pipe()
    for_out, to_out = os.pipe()
    process = start("run", "-l", "command", "--", "/bin/cat", stdin=for_in, stdout=to_out)
    os.write(to_in, b"x")
    assert read_some(for_out) == b"x"
    assert not fcntl.fcntl(for_in, fcntl.F_GETFL) & os.O_NONBLOCK
    assert not fcntl.fcntl(to_out, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(to_in)
    assert process.wait(30) == 0
    for fd in (for_in, for_out, to_out):
        os.close(fd)
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_cancels_and_the_verdict_is_given(number):
    code = "print('begun', flush=True)\nimport time\ntime.sleep(60)"
    process = start("run", "-l", "python", "-c", code, "--time", "1m")
    assert read_some(process.stdout.fileno()) == b"begun\n"
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(30) == 130
    assert time.monotonic() - began < 5
    assert b"cella: cancelled: " in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_signal_with_json_still_gives_the_result():
    code = "print('begun', flush=True)\nimport time\ntime.sleep(60)"
    process = start("run", "--json", "-l", "python", "-c", code, "--time", "1m")
    time.sleep(1.5)  # nothing is to be seen before the result
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    result = json.loads(out)
    assert (result["status"], result["stdout"]) == ("cancelled", "begun\n")


def test_second_signal_does_not_wait_for_the_reader():
    code = (
        "import sys, time\nprint('x' * 10**6, flush=True)\n"
        "print('written', file=sys.stderr)\ntime.sleep(60)"
    )
    process = start("run", "-l", "python", "-c", code, "--time", "1m")
    assert b"written" in read_some(process.stderr.fileno())
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # its output waits for us
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    process.stdout.close()
    process.stderr.close()


def test_ignored_signal_stays_ignored():
    code = "print('begun', flush=True)\nimport time\ntime.sleep(2)\nprint('ended')"
    process = start(
        "run", "-l", "python", "-c", code,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert read_some(process.stdout.fileno()) == b"begun\n"
    process.send_signal(signal.SIGHUP)
    assert process.stdout.read() == b"ended\n"
    assert process.wait(30) == 0
    process.stdout.close()
    process.stderr.close()


# ---- on a terminal ----


class Terminal:
    """cella on a terminal of its own."""

    def __init__(self, *args, **environment):
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(CELLA, [CELLA, *args], env)
        self.text = b""
        while os.readlink(f"/proc/{self.pid}/exe") != os.path.realpath(CELLA):
            time.sleep(0.01)  # still us: a signal now would be Python's

    def read(self, end):
        """What is there by the time `end`; a program that says nothing until then has failed."""
        ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            os.kill(self.pid, signal.SIGKILL)
        assert ready, self.text
        return os.read(self.fd, 4096)

    def read_until(self, wanted, seconds=30):
        end = time.monotonic() + seconds
        while wanted not in self.text:
            self.text += self.read(end)

    def finish(self, seconds=30):
        end = time.monotonic() + seconds
        try:
            while data := self.read(end):
                self.text += data
        except OSError:  # EIO: the other side is closed
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_terminal_input_is_passed_line_by_line():
    terminal = Terminal("run", "-l", "python", "-c", "print('<' + input() + '>')")
    os.write(terminal.fd, b"hello\n")
    terminal.read_until(b"<hello>")
    assert terminal.finish() == 0


def test_program_never_has_the_terminal():
    code = "import os\nprint([os.isatty(i) for i in range(3)])\ntry: open('/dev/tty')\nexcept OSError: print('none')"
    terminal = Terminal("run", "-l", "python", "-c", code)
    terminal.read_until(b"none")
    assert b"[False, False, False]" in terminal.text
    assert terminal.finish() == 0


SLEEP = ["run", "-l", "python", "-c", "import time; time.sleep(60)", "--time", "300ms"]


def test_verdict_is_coloured_on_a_terminal_alone():
    terminal = Terminal(*SLEEP)
    assert terminal.finish() == 124
    assert b"cella: \x1b[1;31mwall_time\x1b[0m: " in terminal.text
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        terminal = Terminal(*SLEEP, **environment)
        assert terminal.finish() == 124
        assert b"cella: wall_time: " in terminal.text
        assert b"\x1b" not in terminal.text
    assert b"\x1b" not in cella(*SLEEP, env={**os.environ, "TERM": "xterm"}).stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_we_say_on_a_terminal_begins_on_a_line_of_its_own(stream):
    code = f"import sys, time; sys.{stream}.write('unfinished'); sys.{stream}.flush(); time.sleep(60)"
    words = ["run", "-l", "python", "--time", "500ms", "-c", code]
    terminal = Terminal(*words, NO_COLOR="1")
    assert terminal.finish() == 124
    assert b"unfinished\r\ncella: wall_time: " in terminal.text
    # What is finished needs nothing, nor does a program about which there is nothing to say.
    terminal = Terminal(*words[:-1], code.replace("unfinished", "finished\\n"), NO_COLOR="1")
    assert terminal.finish() == 124
    assert b"finished\r\ncella: wall_time: " in terminal.text
    terminal = Terminal(*words[:-1], code.replace("time.sleep(60)", "0"), "--quiet")
    assert terminal.finish() == 0
    assert terminal.text == b"unfinished"


def test_what_we_say_elsewhere_breaks_no_line(tmp_path):
    """Only where both go to the same terminal is the program's line ours to end."""
    code = "import time; print('unfinished', end='', flush=True); time.sleep(60)"
    for redirection, file_has, terminal_has in [("2>", b"cella: wall_time: ", b"unfinished"),
                                                (">", b"unfinished", b"cella: wall_time: ")]:
        words = f'"$0" run -l python --time 500ms -c "$1" {redirection} "$2"'
        pid, fd = pty.fork()
        if pid == 0:
            os.execve("/bin/sh", ["sh", "-c", words, CELLA, code, str(tmp_path / "file")],
                      {"PATH": os.environ["PATH"], "TERM": "dumb"})
        terminal = Terminal.__new__(Terminal)
        terminal.pid, terminal.fd, terminal.text = pid, fd, b""
        assert terminal.finish() == 124
        assert (tmp_path / "file").read_bytes().startswith(file_has)
        assert terminal.text.startswith(terminal_has)


def test_ctrl_c_on_a_terminal():
    code = "print('begun', flush=True)\nimport time\ntime.sleep(60)"
    terminal = Terminal("run", "-l", "python", "-c", code, "--time", "1m")
    terminal.read_until(b"begun")
    os.write(terminal.fd, b"\x03")
    assert terminal.finish() == 130
    assert b"cancelled" in terminal.text


def test_ctrl_c_while_the_code_is_typed():
    terminal = Terminal("run", "-l", "python", "-")
    os.write(terminal.fd, b"print(1)\n")
    terminal.read_until(b"print(1)")
    os.write(terminal.fd, b"\x03")
    assert terminal.finish() == -signal.SIGINT


def test_end_of_input_on_a_terminal():
    terminal = Terminal("run", "-l", "python", "-c", "import sys; print([sys.stdin.read()])")
    os.write(terminal.fd, b"a\n\x04")
    terminal.read_until(b"['a\\n']")
    assert terminal.finish() == 0


# ---- explain ----


def test_explain_runs_nothing(tmp_path):
    args = ["-l", "python", "-c", "print('ran')", "--memory", "100m"]
    done = cella("explain", *args)
    assert done.returncode == 0, done.stderr
    assert b"100 MiB" in done.stdout
    assert b"ran\n" not in done.stdout
    assert cella("run", "--explain", *args).stdout == done.stdout
