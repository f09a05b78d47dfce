"""The trusted side does not trust what the guest made, nor what the caller wrote.

Collected files of every kind, files written out to the caller's directory, names and strings of a
request, and what a compile stage leaves for the run.
"""
import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import harness
import pytest
from harness import MIB, WHO, command_line, environment, python, run

by_who = pytest.mark.parametrize("who", WHO)

PLANT = r"""
import os, socket
os.symlink("/etc/passwd", "link")
os.symlink("/", "root")
os.symlink("/proc/self/exe", "magic")
os.symlink("/proc/1/root/etc/passwd", "magic_root")
os.symlink("/proc/self/fd/0", "magic_fd")
os.symlink("loop", "loop")
os.mkfifo("fifo")
s = socket.socket(socket.AF_UNIX); s.bind("socket")
open("plain", "w").write("plain")
os.link("plain", "hard")
os.mkdir("dir"); open("dir/inside", "w").write("inside")
open("new\nline", "w").write("x")
open("escape\x1b[2J", "w").write("x")
open(b"not-utf8-\xff", "w").write("x")
open("unreadable", "w").write("x"); os.chmod("unreadable", 0)
print("planted")
"""


def files_of(result):
    return {file["path"]: file for file in result["files"]}


@by_who
def test_only_regular_files_with_good_names_are_collected(who):
    result = python(PLANT, who, collect=["*", "**/*", "root/etc/*", "link/*", "dir/*"])
    assert result["status"] == "ok", result.explain()
    files = files_of(result)
    with_content = {path for path, file in files.items() if file["content"] is not None}
    assert with_content - {"main.py"} >= {"plain", "hard", "dir/inside"}, files
    assert with_content <= {"plain", "hard", "dir/inside", "main.py", "unreadable"}, files
    for path in ("link", "root", "magic", "magic_root", "magic_fd", "loop", "fifo", "socket"):
        assert path not in files or files[path]["skipped"], files[path]
    assert not any(path.startswith(("root/", "link/", "/")) for path in files), files
    assert "root:" not in json.dumps(result["files"])
    assert "\n" not in "".join(files) and "\x1b" not in "".join(files)


@by_who
def test_a_sparse_file_costs_no_more_than_its_limit(who):
    name = harness.policy("limits:\n  file_bytes: {default: 1024g, cap: 1024g}\n")
    code = "import os; f = os.open('s', os.O_CREAT | os.O_WRONLY); os.ftruncate(f, 1 << 39)"
    result = python(code, who, policy=name, collect=["s"])
    assert result["status"] == "ok", result.explain()
    file = files_of(result)["s"]
    assert file["content"] is None and file["skipped"] and file["size"] == 1 << 39, file


@by_who
@pytest.mark.parametrize(("over", "kept"), [(-1, True), (0, True), (1, False)])
def test_collect_bytes_at_under_and_over(who, over, kept):
    result = python(f"open('f', 'w').write('x' * ({MIB} + {over}))", who, collect=["f"],
                    limits={"collect_bytes": MIB})
    file = files_of(result)["f"]
    assert (file["content"] is not None) == kept, (file["size"], file["skipped"])


@by_who
@pytest.mark.parametrize(("count", "kept"), [(4, 4), (5, 5), (6, 5)])
def test_collect_files_at_under_and_over(who, count, kept):
    code = f"for i in range({count}): open(f'f{{i}}', 'w').write('x')"
    result = python(code, who, collect=["f*"], limits={"collect_files": 5})
    contents = [file for file in result["files"] if file["content"] is not None]
    assert len(contents) == kept, result["files"]
    assert result["status"] == "ok", result.explain()


@by_who
def test_a_directory_swapped_while_files_are_collected(who):
    """The swapper ignores what it can and races to the end; it must be dead before collection."""
    code = r"""
import os, signal, sys
os.mkdir("d"); open("d/passwd", "w").write("mine"); os.symlink("/etc", "e")
if os.fork() == 0:
    os.setsid()
    for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(s, signal.SIG_IGN)
    while True:
        os.rename("d", "t"); os.rename("e", "d"); os.rename("d", "e"); os.rename("t", "d")
import time; time.sleep(0.05)
"""
    for _ in range(10):
        result = python(code, who, collect=["*/passwd", "d/*"])
        assert result["status"] == "ok", result.explain()
        for file in result["files"]:
            assert file["content"] in (None, "mine"), file


# ---- --output-dir ----

def run_with_output_directory(code, directory, *flags):
    return subprocess.run(
        command_line("root", "run", "-l", "python", "-c", code, "--collect", "**/*", "--output-dir",
                     str(directory), *flags),
        capture_output=True, text=True, timeout=30, env=environment("root"), cwd="/",
        stdin=subprocess.DEVNULL, check=False)


WRITE_OUT = "import os; os.makedirs('a/b'); open('a/b/out', 'w').write('guest'); " \
            "os.symlink('/etc/passwd', 'link')"


def test_files_are_written_beneath_the_output_directory(tmp_path):
    done = run_with_output_directory(WRITE_OUT, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert "out/a/b/out" in written and "out/link" not in written, written
    assert (tmp_path / "out/a/b/out").read_text() == "guest"


@pytest.mark.parametrize("flags", [[], ["--force"]])
@pytest.mark.parametrize("planted", ["a/b/out", "a/b", "a"])
def test_links_in_the_output_directory_are_not_followed(tmp_path, planted, flags):
    victim = tmp_path / "victim"
    if planted == "a/b/out":
        victim.write_text("victim")
    else:
        victim.mkdir()
    link = tmp_path / "out" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    run_with_output_directory(WRITE_OUT, tmp_path / "out", *flags)
    if planted == "a/b/out":
        assert victim.read_text() == "victim"
    else:
        assert list(victim.rglob("*")) == []


def test_a_file_that_exists_is_kept_without_force(tmp_path):
    target = tmp_path / "out" / "a" / "b" / "out"
    target.parent.mkdir(parents=True)
    target.write_text("the caller's")
    done = run_with_output_directory(WRITE_OUT, tmp_path / "out")
    assert target.read_text() == "the caller's"
    assert "a/b/out" in done.stderr, done.stderr
    run_with_output_directory(WRITE_OUT, tmp_path / "out", "--force")
    assert target.read_text() == "guest"


# ---- names and strings of the request ----

@pytest.mark.parametrize("name", [
    "..", "../x", "a/../../x", "/etc/passwd", "/", "", ".", "./a", "a/.", "a//b", "a/", "a\nb",
    "a\0b", "a\x7fb", "\u0085", "x" * 256, "/".join(["d" * 99] * 41), "a/" + "x" * 256],
    ids=lambda name: repr(name)[:20])
def test_bad_file_names_are_refused(name):
    result = run({"command": ["/bin/true"], "files": [{"path": name, "content": "x"}]})
    assert result["status"] == "refused" and result.code == 126, result.explain()
    assert result["error"]["field"] == "files[0].path", result["error"]


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")])
def test_files_that_exclude_each_other_are_refused(names):
    files = [{"path": name, "content": "x"} for name in names]
    result = run({"command": ["/bin/true"], "files": files})
    assert result["status"] == "refused" and result.code == 126, result.explain()
    assert result["error"]["field"].startswith("files["), result["error"]


def test_good_file_names_are_placed():
    names = ["x" * 255, "Case", "case", "-rf", "a b", "$(id)", ".hidden", "ü/é", "d/" + "y" * 255]
    files = [{"path": name, "content": "x"} for name in names]
    code = "import os; print(sorted(os.path.relpath(os.path.join(d, f)) " \
           "for d, _, fs in os.walk('.') for f in fs if f != 'main.py'))"
    result = python(code, files=files)
    assert result["stdout"] == str(sorted(names)) + "\n", result.explain()


@pytest.fixture(scope="module")
def open_directory():
    """Where every uid could leave a mark, by a short path."""
    directory = harness.scratch() / "open"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def payload(marker):
    touch = f"touch {marker}"
    return f"'\"; {touch}; $({touch}) `{touch}` | {touch} & > {marker} #"


@by_who
@pytest.mark.parametrize("ending", ["", "\n"], ids=["line", "newline"])
def test_shell_characters_are_only_characters(who, ending, open_directory):
    marker = open_directory / f"{who}{len(ending)}"
    text = payload(marker) + ending
    code = "import os, sys; print([sys.argv[1], os.environ['A'], sys.stdin.read()])"
    result = python(code, who, args=[text], env={"A": text}, stdin=text, tag=payload(marker))
    assert result["stdout"] == f"{[text, text, text]}\n", result.explain()
    assert result["tag"] == payload(marker)
    assert not marker.exists()


@pytest.mark.parametrize(("field", "value"), [
    ("language", "PAYLOAD"), ("policy", "PAYLOAD"), ("entry", "PAYLOAD"), ("collect", ["PAYLOAD"]),
    ("policy", "../../etc/passwd"), ("language", "../policies/default"), ("entry", "../x"),
    ("collect", ["../*"]), ("collect", ["/etc/*"]), ("env", {"PAYLOAD=": "x"}),
    ("env", {"": "x"})])
def test_strings_that_name_things_are_checked(field, value, open_directory):
    marker = open_directory / "names"
    text = json.dumps(value).replace("PAYLOAD", json.dumps(payload(marker) + "\n")[1:-1])
    result = run({"language": "python", "code": "print(1)", field: json.loads(text)})
    assert not marker.exists()
    assert result["status"] == "refused" and result.code in (126, 127), result.explain()
    assert field in result["error"]["field"] or field in result["error"]["text"], result["error"]


@pytest.mark.parametrize("change", [
    {"language": "pyth\0on"}, {"entry": "a\0b"}, {"args": ["a\0b"]}, {"env": {"A": "a\0b"}},
    {"env": {"A\0": "b"}}, {"policy": "a\0"}, {"collect": ["a\0"]}, {"tag": "a\0"}],
    ids=lambda change: next(iter(change)))
def test_nul_is_refused_where_a_string_ends_by_it(change):
    result = run({"language": "python", "code": "print(1)", **change})
    field = next(iter(change))
    assert result["status"] == "refused" and result.code == 126, result.explain()
    assert result["error"]["field"].startswith(field), result["error"]


def test_nul_in_bytes_is_kept():
    result = run({"language": "python", "code": "import sys; print(len(sys.stdin.buffer.read()))",
                  "stdin": "a\0b"})
    assert result["stdout"] == "3\n", result.explain()


# ---- the host's files in a sandbox ----

@by_who
def test_only_the_own_places_can_be_written(who):
    result = python("print(open('/proc/self/mountinfo').read())", who)
    writable = {line.split()[4] for line in result["stdout"].splitlines()
                if line and "rw" in line.split()[5].split(",")}
    assert writable == {"/tmp", "/workspace", "/dev/shm"}, result["stdout"]


@contextlib.contextmanager
def hostile_mounts(below):
    """A directory that a runtime mounts and in which somebody plants things, and a mount below it;
    yields the directory, one of a victim's, and the name of the runtime."""
    directory = Path(f"/opt/{harness.TOKEN}")
    victim = Path(f"/opt/{harness.TOKEN}-victim")
    directory.mkdir(mode=0o755)
    victim.mkdir()
    victim.chmod(0o777)
    name = f"{harness.TOKEN}-{below.replace('/', '-')}"
    harness.install("runtimes", name, "package: dash\npath: [/bin/sh]\nentry: main.sh\n"
                    "version: ['{path}', -c, 'echo 1.0']\nrun: ['{path}', '{entry}', '{args}']\n"
                    f"mounts: [{directory}, {directory}/{below}]\n")
    try:
        yield directory, victim, name
    finally:
        shutil.rmtree(directory)
        shutil.rmtree(victim)


@pytest.mark.skipif(not harness.IS_ROOT, reason="only root may make a directory in /opt")
@by_who
@pytest.mark.parametrize("planted", ["sub", "sub/x"])
def test_links_where_something_is_mounted_are_not_followed(who, planted):
    """The place of a mount lies in another mount, and leads elsewhere: refused, nothing touched."""
    with hostile_mounts("sub/x/y") as (directory, victim, name):
        (directory / planted).parent.mkdir(exist_ok=True)
        (directory / planted).symlink_to(victim)
        (victim / ("x/y" if planted == "sub" else "y")).mkdir(parents=True)
        before = sorted(victim.rglob("*"))
        result = run({"language": name, "code": "echo ran"}, who)
        assert result["status"] == "internal", result.explain()
        assert f"{directory}/sub/x/y" in result["message"], result["message"]
        assert sorted(victim.rglob("*")) == before


@pytest.mark.skipif(not harness.IS_ROOT, reason="only root may make a directory in /opt")
@by_who
def test_renames_while_mounts_are_made(who):
    """A directory becomes a link and a directory again while sandboxes are built: each run finds the
    real one or is refused, and nothing appears where the link leads."""
    with hostile_mounts("sub/x") as (directory, victim, name):
        (victim / "x").mkdir()
        (directory / "sub" / "x").mkdir(parents=True)
        (directory / "sub" / "x" / "real").write_text("real")
        (directory / "link").symlink_to(victim)
        swap = "import ctypes, sys\nrename = ctypes.CDLL(None).renameat2\n" \
               "while True: rename(-100, b'sub', -100, b'link', 2)"
        swapper = subprocess.Popen(["/usr/bin/python3", "-c", swap], cwd=directory)
        try:
            results = [run({"language": name, "code": f"ls {directory}/sub/x; ls {victim}"}, who)
                       for _ in range(40)]
        finally:
            swapper.kill()
            swapper.wait()
        left = [path.name for path in victim.rglob("*")]
    assert left == ["x"]
    assert {result["status"] for result in results} <= {"exit", "internal"}, results
    assert any("real" in result["stdout"] for result in results), results
    for result in results:
        assert str(victim) not in result["stdout"], result.explain()


# ---- from compiling to running ----

PLANTERS = {
    "link to a host file": "ln -s /etc/passwd program",
    "link to the guest's own": "printf '#!/bin/sh\\necho own' > p; chmod 755 p; ln -s p program",
    "magic link": "ln -s /proc/1/exe program",
    "fifo": "mkfifo program",
    "directory": "mkdir program",
    "nothing": ":",
}


@by_who
@pytest.mark.parametrize("how", PLANTERS)
def test_what_the_compiler_leaves_is_not_followed(who, how):
    """gcc runs what -wrapper names, so its stage is as hostile as any."""
    script = f"#!/bin/sh\ncd /workspace; rm -f program; {PLANTERS[how]}; exit 0\n"
    result = run({"language": "c", "code": "int main(void) { return 0; }",
                  "files": [{"path": "plant", "content": script, "executable": True}],
                  "compile": {"args": ["-wrapper", "/workspace/plant"]}}, who)
    assert result["status"] in ("compile_error", "refused", "exit"), result.explain()
    assert result["status"] != "internal" and "own" not in result["stdout"], result.explain()


@by_who
def test_a_compiler_cannot_replace_the_request_files(who):
    """Only its outputs go on to the run; the caller's other files come from the request again."""
    script = "#!/bin/sh\necho evil > /workspace/data\nln -sf /etc/passwd /workspace/more\n" \
             'exec "$@"\n'
    source = '#include <stdio.h>\nint main(void) { char b[9] = "";' \
             ' fgets(b, 9, fopen("data", "r"));' \
             ' printf("%s %d", b, fopen("more", "r") != NULL); return 0; }'
    result = run({"language": "c", "code": source,
                  "files": [{"path": "plant", "content": script, "executable": True},
                            {"path": "data", "content": "good"}],
                  "compile": {"args": ["-wrapper", "/workspace/plant"]}}, who)
    assert result["stdout"] == "good 0", result.explain()
