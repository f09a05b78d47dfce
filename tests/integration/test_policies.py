"""Each key of a policy has its effect in a real sandbox, as root and as an ordinary user.

What needs /etc/cella/ceiling.conf runs where it says so, see ceiling.py.
"""
import base64
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import ceiling
import pytest
from program import CELLA, IS_ROOT, NOBODY, ROOT, USERS, valid

WHO = list(USERS)
as_each = pytest.mark.parametrize("who", WHO)
root_only = pytest.mark.skipif(not IS_ROOT, reason="needs root")

OWNER = 12345  # of writable directories: neither root nor nobody


@pytest.fixture
def place():
    """A directory that everybody can reach, and that a run may see: of /tmp it has its own."""
    path = Path(tempfile.mkdtemp(prefix="cella-policies-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Setting:
    """A user, his policies, and how Cella is run for him."""

    def __init__(self, place, who):
        self.place, self.who = place, who
        self.config = place / f"config-{who}"
        (self.config / "cella" / "policies").mkdir(parents=True)
        self.variables = {}
        self.ceiling = None  # the text of ceiling.conf
        self.after = ":"  # a command between writing it and running Cella
        self._own(self.config)

    def _own(self, path):
        for each in [path, *path.rglob("*")]:
            if self.who == "user" and IS_ROOT:
                os.chown(each, NOBODY, NOBODY)

    def policy(self, name, text):
        path = self.config / "cella" / "policies" / f"{name}.yaml"
        path.write_text(text)
        self._own(path)
        return name

    def command(self, *words):
        words = [*USERS[self.who], CELLA, *words]
        if self.ceiling is None:
            return words
        cover = self.place / "cover"
        cover.mkdir(exist_ok=True)
        return ceiling.under(cover, self.ceiling, words, self.after)

    def call(self, *words, given=None):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.place), "LANG": "C.UTF-8",
                       "XDG_CONFIG_HOME": str(self.config), **self.variables}
        return subprocess.run(self.command(*words), input=given, capture_output=True, text=True,
                              timeout=120, env=environment, cwd="/")

    def run(self, **request):
        done = self.call("run", "--json", "--request", "-", given=json.dumps(request))
        try:
            return valid(json.loads(done.stdout))
        except ValueError:
            raise AssertionError(f"{done.stdout!r} {done.stderr!r}") from None

    def python(self, code, policy="p", **fields):
        return self.run(language="python", code=code, policy=policy, **fields)


@pytest.fixture
def setting(place, who):
    return Setting(place, who)


def ok(result):
    if "cannot map owners" in result["message"]:
        pytest.skip(result["message"])
    assert result["status"] == "ok", (result["status"], result["message"], result["stderr"],
                                      result["refused_calls"])
    return result["stdout"].strip()


def refused(result, text, hint=""):
    assert result["status"] == "refused", (result["status"], result["message"])
    assert text in result["error"]["text"], result["error"]
    assert hint in (result["error"]["hint"] or ""), result["error"]
    return result


# ---- what may be run ----

@as_each
def test_languages(setting):
    setting.policy("p", "languages: [bash]\n")
    assert ok(setting.run(language="bash", code="echo hi", policy="p")) == "hi"
    refused(setting.python("1"), "policy 'p' does not allow the language 'python'")
    assert ok(setting.run(command=["/bin/echo", "hi"], policy="p")) == "hi"  # that is no language


@as_each
def test_commands(setting):
    setting.policy("p", "commands: ['/usr/bin/e*', /workspace/run]\n")
    assert ok(setting.run(command=["/usr/bin/echo", "hi"], policy="p")) == "hi"
    script = {"path": "run", "content": "#!/bin/sh\necho own\n", "executable": True}
    assert ok(setting.run(command=["/workspace/run"], files=[script], policy="p")) == "own"
    for path in ["/usr/bin/true", "/bin/echo", "/usr/bin/../bin/echo"]:
        refused(setting.run(command=[path], policy="p"), "does not allow the command")
    refused(setting.run(command=["echo"], policy="p"), "does not allow the command 'echo'",
            "by its absolute path")
    # What it does not promise: the program itself may execute anything.
    assert ok(setting.run(command=["/usr/bin/env", "true"], policy="p")) == ""


@as_each
def test_output_limit_binds(setting):
    setting.policy("p", "on_output_limit: stop\n")
    refused(setting.python("1", on_output_limit="truncate"), "ends a run at its output limit")
    result = setting.python("while True: print('x' * 1000)")
    assert (result["status"], result["limit"]["name"]) == ("output", "stdout_bytes")


# ---- environment ----

SHOW_ENV = "import os, json; print(json.dumps(dict(os.environ)))"


@as_each
def test_environment(setting):
    setting.policy("p", "env: {set: {FIXED: one, LANG: C}, pass: [PASSED, ABSENT], "
                        "allow: [MINE, PASSED]}\n")
    setting.variables = {"PASSED": "from outside", "SECRET": "not to be seen"}
    found = json.loads(ok(setting.python(SHOW_ENV, env={"MINE": "x"})))
    assert found["FIXED"] == "one" and found["LANG"] == "C"
    assert found["PASSED"] == "from outside" and found["MINE"] == "x"
    assert "SECRET" not in found and "ABSENT" not in found
    found = json.loads(ok(setting.python(SHOW_ENV, env={"PASSED": "mine"})))
    assert found["PASSED"] == "mine"
    refused(setting.python("1", env={"FIXED": "two"}), "sets the variable 'FIXED' itself")
    refused(setting.python("1", env={"LD_PRELOAD": "/x"}), "does not let a request set")


@as_each
def test_judge_gives_the_same_each_time(setting):
    code = "import os; print(hash('x'), {'a', 'b', 'c', 'd'}, len(os.sched_getaffinity(0)))"
    first = ok(setting.python(code, policy="judge"))
    assert first == ok(setting.python(code, policy="judge"))
    assert first.endswith(" 1")
    perl = {"language": "perl", "code": 'print join(" ", keys %{{map { $_ => 1 } "a".."z"}})'}
    if shutil.which("perl") and (ROOT / "runtimes" / "perl.yaml").exists():
        assert ok(setting.run(policy="judge", **perl)) == ok(setting.run(policy="judge", **perl))


# ---- one processor ----

ALL_PROCESSORS = """
import os
mine = os.sched_getaffinity(0)
try:
    os.sched_setaffinity(0, range(64))
    print("widened", len(os.sched_getaffinity(0)))
except OSError as error:
    print("refused", error.errno)
import subprocess, threading
child = subprocess.run(["/usr/bin/python3", "-c", "import os; print(*os.sched_getaffinity(0))"],
                       capture_output=True, text=True).stdout.strip()
assert child == " ".join(map(str, mine)), child
"""


@as_each
def test_one_processor(setting):
    setting.policy("p", "one_processor: true\n")
    result = setting.python(ALL_PROCESSORS)
    assert ok(result) == "refused 1"
    assert {call["name"] for call in result["refused_calls"]} == {"sched_setaffinity"}
    assert "one_processor" in result["protections"]
    setting.policy("q", "one_processor: false\n")
    result = setting.python(ALL_PROCESSORS.replace("assert child", "0 and child"), policy="q")
    assert ok(result) == f"widened {len(os.sched_getaffinity(0))}"
    assert "one_processor" not in result["protections"]


# ---- system calls ----

SOCKET_AND_PTRACE = """
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
try:
    socket.socket(socket.AF_UNIX)
    print("socket", end=" ")
except OSError:
    print("no socket", end=" ")
print("ptrace" if libc.ptrace(0, 0, 0, 0) == 0 else "no ptrace")
"""


@as_each
@pytest.mark.parametrize(("rules", "expected", "calls"), [
    ("{}", "socket no ptrace", {"ptrace"}),
    ("{allow: [ptrace]}", "socket ptrace", set()),
    ("{deny: [socket]}", "no socket no ptrace", {"socket", "ptrace"}),
    ("{allow: [ptrace], deny: [socket]}", "no socket ptrace", {"socket"}),
    ("{allow: [ptrace], deny: [socket, ptrace]}", "no socket no ptrace", {"socket", "ptrace"}),
    ("{set: strict, allow: [ptrace]}", "no socket ptrace", {"socket"}),
])
def test_calls(setting, rules, expected, calls):
    setting.policy("p", f"syscalls: {rules}\n")
    result = setting.python(SOCKET_AND_PTRACE)
    assert ok(result) == expected
    assert {call["name"] for call in result["refused_calls"]} == calls


@as_each
def test_a_denied_fork_is_denied(setting):
    setting.policy("p", "syscalls: {deny: [fork, vfork]}\n")
    result = setting.python("import ctypes; print(ctypes.CDLL(None).syscall(57), end='')")
    assert result["stdout"] == "-1", result
    assert {call["name"] for call in result["refused_calls"]} == {"fork"}


NOTHING = "int main(void) { return 0; }"


@as_each
def test_no_call_that_can_be_denied_hangs_a_run(setting, place):
    """Init answers for what it denies, so it must need none of it: each in turn, in a run that ends
    by itself, well or badly, and soon."""
    program = place / "nothing"
    subprocess.run(["gcc", "-static", "-o", program, "-x", "c", "-"], input=NOTHING, text=True,
                   check=True)
    header = (place / "calls.c")
    header.write_text('#include <sys/syscall.h>\n')
    names = subprocess.run(["gcc", "-E", "-dM", header], capture_output=True, text=True,
                           check=True).stdout
    calls = sorted(line.split()[1][len("SYS_"):] for line in names.splitlines()
                   if line.startswith("#define SYS_"))
    content = base64.b64encode(program.read_bytes()).decode()
    file = {"path": "nothing", "content": content, "encoding": "base64", "executable": True}
    deniable = []
    for call in calls:
        setting.policy("p", f"syscalls: {{deny: [{call}]}}\n")
        done = setting.call("policy", "check", "p")
        if done.returncode == 0:
            deniable.append(call)
        else:
            assert "cannot be denied" in done.stderr or "is no system call" in done.stderr
    assert len(deniable) > 250
    for i in range(0, len(deniable), 30):
        setting.policy("p", f"syscalls: {{deny: [{', '.join(deniable[i:i + 30])}]}}\n")
        result = setting.run(command=["/workspace/nothing"], files=[file], policy="p",
                             collect=["*"], limits={"wall_ms": 20000})
        assert result["status"] in ("ok", "exit", "signal"), (deniable[i:i + 30], result)


# ---- mounts ----

def ceiling_for(setting, *lines):
    if setting.who == "root":
        setting.ceiling = "".join(f"{line}\n" for line in lines)


@pytest.fixture
def shared(place, setting):
    """A directory with a file, which an account of its own owns, or the user himself."""
    path = place / "shared"
    (path / "sub").mkdir(parents=True)
    (path / "data.txt").write_text("some data")
    (path / "sub" / "deep.txt").write_text("deep")
    owner = OWNER if setting.who == "root" else NOBODY
    for each in [path, *path.rglob("*")]:
        if IS_ROOT:
            os.chown(each, owner, owner)
    return path


@as_each
def test_read_only_mount(setting, shared):
    setting.policy("p", f"mounts:\n  - {{path: {shared}}}\n  - {{path: {shared}/sub, at: /data}}\n")
    ceiling_for(setting, f"mount read_only {shared}")
    code = f"""
print(open("{shared}/data.txt").read(), open("/data/deep.txt").read())
for path in ["{shared}/data.txt", "{shared}/new", "/data/new"]:
    try:
        open(path, "w")
        print("written", path)
    except OSError as error:
        print(error.errno)
"""
    result = setting.python(code)
    lines = ok(result).splitlines()
    assert lines[0] == "some data deep"
    assert set(lines[1:]) <= {"30", "13"}, lines
    assert "disk_limit" in result["protections"]
    assert result["mechanisms"]["disk_bytes"] == "tmpfs"


@as_each
def test_writable_mount(setting, shared):
    setting.policy("p", f"mounts: [{{path: {shared}, at: /out, access: writable}}]\n")
    ceiling_for(setting, f"mount writable {shared}")
    code = """
import os
open("/out/new.txt", "w").write("x" * 2_000_000)
open("/out/data.txt", "a").write(", and more")
os.mkdir("/out/made")
print(os.stat("/out/new.txt").st_uid, os.stat("/out/data.txt").st_uid)
"""
    result = setting.python(code)
    assert ok(result) == "1000 1000"
    owner = OWNER if setting.who == "root" else os.stat(shared).st_uid
    for name in ["new.txt", "made"]:
        found = (shared / name).stat()
        assert (found.st_uid, found.st_gid) == (owner, owner)
    assert (shared / "data.txt").read_text() == "some data, and more"
    # What no tmpfs limits is looked at.
    assert "disk_limit" in result["protections"]
    assert result["mechanisms"]["disk_bytes"] == "tmpfs, and supervision of writable mounts"
    # A compiler sees it, and cannot write there.
    plan = setting.call("explain", "-l", "python", "-c", "1", "--policy", "p").stdout
    assert "/out" in plan and "writable, disk_bytes by supervision" in plan


@root_only
@pytest.mark.parametrize("who", ["root"])
def test_a_writable_mount_of_roots(setting, shared):
    """It is root alone who can say that this is meant."""
    os.chown(shared, 0, 0)
    setting.policy("p", f"mounts: [{{path: {shared}, at: /out, access: writable}}]\n")
    ceiling_for(setting, f"mount writable {shared}")
    result = setting.python("open('/out/x', 'w')")
    assert result["status"] == "internal" and "belongs to root" in result["error"]["text"]
    ceiling_for(setting, f"mount writable_of_root {shared}")
    assert setting.python("open('/out/x', 'w').write('x')")["status"] == "ok"
    assert (shared / "x").stat().st_uid == 0
    for name in ["/out/y"]:
        result = setting.python(f"import os\nopen('{name}', 'w')\nos.chmod('{name}', 0o4755)")
        assert "PermissionError" in result["stderr"]


@as_each
@pytest.mark.parametrize("how", ["file", "unlinked", "allocated", "hidden", "many"])
def test_disk_use_of_a_writable_mount(setting, shared, how):
    """Whatever the files are, the file system is looked at."""
    setting.policy("p", "limits: {disk_bytes: {default: 8m}, inodes: {default: 100},\n"
                        "  file_bytes: {default: 1g}}\n"
                        f"mounts: [{{path: {shared}, at: /out, access: writable}}]\n")
    ceiling_for(setting, f"mount writable {shared}")
    write = "for i in range(64): f.write(b'x' * (1 << 20)); f.flush()"
    code = {"file": f"f = open('/out/big', 'wb')\n{write}",
            "unlinked": f"f = open('/out/big', 'wb')\nos.unlink('/out/big')\n{write}",
            "allocated": "f = open('/out/big', 'wb')\nos.posix_fallocate(f.fileno(), 0, 64 << 20)",
            "hidden": f"os.mkdir('/out/d')\nf = open('/out/d/big', 'wb')\nos.chmod('/out/d', 0)\n{write}",
            "many": "for i in range(2000): open(f'/out/{i}', 'w')"}[how]
    result = setting.python(f"import os, time\n{code}\ntime.sleep(20)")
    assert result["status"] == "disk", result
    assert result["limit"]["name"] == ("inodes" if how == "many" else "disk_bytes")
    assert result["usage"]["wall_ms"] < 15000
    if how == "hidden":
        os.chmod(shared / "d", 0o700)
    # One that is too quick to be seen at it is told of it.
    if how == "allocated":
        (shared / "big").unlink()
        result = setting.python(f"import os\n{code}")
        assert "disk" in [result["status"], *result["limits_hit"]], result


@as_each
def test_workspace_of_the_operators(setting, shared):
    """Files of programs are kept there, and the request's are not among them."""
    setting.policy("p", f"mounts: [{{path: {shared}, at: /workspace, access: writable}}]\n")
    ceiling_for(setting, f"mount writable {shared}")
    code = "import os, helper\nprint(os.getcwd(), sorted(os.listdir()), helper.X, __file__)\n" \
           "open('made.txt', 'w').write('by a program')"
    result = setting.python(code, files=[{"path": "helper.py", "content": "X = 5"}])
    assert ok(result) == "/workspace ['data.txt', 'sub'] 5 /program/main.py"
    owner = OWNER if setting.who == "root" else os.stat(shared).st_uid
    assert (shared / "made.txt").stat().st_uid == owner
    result = setting.python("print(open('made.txt').read()); open('/program/x', 'w'); 1 / 0",
                            collect=["made*"])
    assert (result["stdout"], result["status"]) == ("by a program\n", "exit")
    assert [file["path"] for file in result["files"]] == ["made.txt"]
    assert result["diagnosis"]["file"] == "main.py" and "ZeroDivision" in result["diagnosis"]["class"]
    assert "disk_limit" in result["protections"]
    # Neither links nor pipes for whoever looks there.
    for call in ["os.symlink('/etc/passwd', 'l')", "os.mkfifo('p')", "os.link('made.txt', '/tmp/l')"]:
        assert setting.python(f"import os\n{call}")["status"] == "exit", call
    assert sorted(path.name for path in shared.iterdir()) == ["data.txt", "made.txt", "sub"]
    refused(setting.run(language="c", code="int main(void){}", policy="p"),
            "policy 'p' has a request's files apart from the workspace, where 'c' needs them to be")
    for policy in ["mounts: [{path: /usr/share, at: /workspace}]", "mounts: [{path: /usr, at: /program}]"]:
        setting.policy("q", policy + "\n")
        assert "is a place that the sandbox makes for itself" in \
            setting.call("policy", "check", "q").stderr


@as_each
def test_files_apart(setting):
    setting.policy("p", "files_apart: true\n")
    for language, code in [("python", "import os; print(os.listdir('/workspace'), os.getcwd())"),
                           ("bash", "echo \"$(ls -A) $PWD $0\"; echo x > y; cat y"),
                           ("javascript", "console.log(require('fs').readdirSync('.'), __filename)"),
                           ("ruby", "p Dir.children('.'), __FILE__"), ("perl", "print -e 'x', $0, qq(\n)")]:
        result = setting.run(language=language, code=code, policy="p")
        assert result["status"] == "ok", result
        assert "main" not in result["stdout"].replace("/program/main", ""), result["stdout"]


@as_each
def test_writable_mount_is_read_only_to_a_compiler(setting, shared):
    setting.policy("p", f"mounts: [{{path: {shared}, at: /out, access: writable}}]\n")
    ceiling_for(setting, f"mount writable {shared}")
    result = setting.run(language="c", code="int main(void){return 0;}", policy="p",
                         compile={"args": ["-save-temps", "-dumpdir", "/out/"]})
    assert result["status"] == "compile_error", result
    assert [path.name for path in shared.iterdir() if path.suffix in (".i", ".s", ".o")] == []


@as_each
def test_hidden_places(setting):
    setting.policy("p", "mounts:\n  - {path: /usr/lib/os-release, access: none}\n"
                        "  - {path: /usr/share/doc, access: none}\n"
                        "  - {path: /etc/alternatives, access: none}\n"
                        "  - {path: /srv/nothing/there, access: none}\n")
    code = """
import os
print(os.listdir("/usr/share/doc"), os.path.exists("/etc/alternatives"),
      os.path.getsize("/usr/lib/os-release"), repr(open("/usr/lib/os-release").read()))
for way in ["/proc/self/root/usr/share/doc", "/proc/self/cwd/../usr/share/doc",
            "/usr/share/../share/doc", "/bin/../share/doc"]:
    print(len(os.listdir(way)), end=" ")
try:
    open("/usr/share/doc/x", "w")
except OSError as error:
    print(error.errno)
"""
    lines = ok(setting.python(code)).splitlines()
    assert lines == ["[] False 0 ''", "0 0 0 0 30"] or lines == ["[] False 0 ''", "0 0 0 0 13"]


@as_each
def test_a_hidden_place_by_a_link_is_refused(setting):
    if not os.path.islink("/bin"):
        pytest.skip("/bin is a directory here")
    setting.policy("p", "mounts: [{path: /bin/true, access: none}]\n")
    result = setting.python("1")
    assert result["status"] == "internal"
    assert "cannot hide /bin/true" in result["error"]["text"]
    assert "name the real path" in result["error"]["hint"]


@as_each
def test_mounts_that_cannot_be(setting, shared, place):
    (place / "link").symlink_to(shared)
    ceiling_for(setting, f"mount writable {place}")
    rows = [
        (f"path: {place}/absent", f"cannot find {place}/absent", ""),
        (f"path: {place}/link", f"cannot find {place}/link", "name the real path"),
        (f"path: {shared}/data.txt, at: /x, access: writable", "is no directory",
         "name the directory"),
    ]
    for mount, text, hint in rows:
        setting.policy("p", f"mounts: [{{{mount}}}]\n")
        result = setting.python("1")
        assert result["status"] == "internal", result
        assert text in result["error"]["text"] and hint in (result["error"]["hint"] or "")


@root_only
@pytest.mark.parametrize("who", ["root"])
def test_roots_own_directory_is_not_writable(setting, place):
    (place / "roots").mkdir()
    setting.policy("p", f"mounts: [{{path: {place}/roots, access: writable}}]\n")
    setting.ceiling = f"mount writable {place}\n"
    result = setting.python("1")
    assert result["status"] == "internal"
    assert "belongs to root, and what" in result["error"]["text"]
    assert "chown ACCOUNT:GROUP" in result["error"]["hint"]
    os.chown(place / "roots", 65534, 0)
    assert "belongs to the group root, and what" in setting.python("1")["error"]["text"]


@root_only
@as_each
def test_mounts_below_a_source_do_not_come_along(setting, shared):
    ceiling_for(setting, f"mount read_only {shared}")
    setting.ceiling = setting.ceiling or ""
    setting.after = f"mount -t tmpfs none {shared}/sub"
    setting.policy("p", f"mounts: [{{path: {shared}}}]\n")
    result = setting.python("1")
    assert result["status"] == "internal"
    assert "has other file systems mounted below it" in result["error"]["text"]
    setting.after = f"mount -t tmpfs none {shared}/sub && mount -t proc proc {shared}/sub"
    setting.policy("p", f"mounts: [{{path: {shared}/sub, at: /x}}]\n")
    result = setting.python("1")
    assert "is one of the kernel's file systems" in result["error"]["text"]


@root_only
@pytest.mark.parametrize("who", ["root"])
def test_a_file_system_that_cannot_map_owners(setting, shared):
    setting.policy("p", f"mounts: [{{path: {shared}, access: writable}}]\n")
    setting.ceiling = f"mount writable {shared}\n"
    # An overlay of a lower layer that is mapped by nobody: not all kernels can map it.
    setting.after = (f"mount -t ramfs none {shared} && chown {OWNER}:{OWNER} {shared}")
    result = setting.python("open('%s/x', 'w')" % shared)
    if result["status"] == "ok":
        pytest.skip("this kernel maps ramfs")
    assert "cannot map owners" in result["error"]["text"], result
    assert "put the directory on ext4" in result["error"]["hint"]


# ---- the ceiling ----

@root_only
@pytest.mark.parametrize("who", ["root"])
def test_ceiling_of_a_privileged_keeper(setting, shared):
    setting.policy("p", f"mounts: [{{path: {shared}}}]\n")
    setting.policy("w", f"mounts: [{{path: {shared}, access: writable}}]\n")
    refused(setting.python("1"), f"no run may see {shared}",
            f"add the line 'mount read_only {shared}' to /etc/cella/ceiling.conf")
    setting.ceiling = f"# here\nmount read_only {shared.parent}\n"
    ok(setting.python("1"))
    refused(setting.python("1", policy="w"), f"no run may write to {shared}",
            f"'mount writable {shared}'")
    for bad, text in [("mount readonly /srv\n", "line 1: a mount is"),
                      (f"mount read_only {shared}\nfoo\n", "line 2: must be")]:
        setting.ceiling = bad
        refused(setting.python("1"), text, "mend the file")
        assert ok(setting.python("print(1)", policy="default")) == "1"
        assert text in setting.call("doctor").stdout
    setting.ceiling = f"mount read_only {shared}\nnetwork host\n"
    assert f"widens it: network host; mount read_only {shared}" in setting.call("doctor").stdout
    for after, text in [("chmod g+w /etc/cella/ceiling.conf", "can be written by others than root"),
                        ("chmod o+w /etc/cella", "/etc/cella can be written by others"),
                        (f"chown {OWNER} /etc/cella/ceiling.conf", "is not owned by root"),
                        ("mv /etc/cella/ceiling.conf /etc/cella/x; "
                         "ln -s x /etc/cella/ceiling.conf", "cannot be opened"),
                        ("rm /etc/cella/ceiling.conf; mkdir /etc/cella/ceiling.conf",
                         "is not a regular file")]:
        setting.after = after
        refused(setting.python("1"), text)


# ---- the host's network ----

@pytest.fixture
def server():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)

        def serve():
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.sendall(b"from the host")
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def connect(port):
    return (f"import socket; print(socket.create_connection(('localhost', {port}), 5)"
            ".recv(100).decode())")


@as_each
def test_host_network(setting, server):
    code = connect(server)
    setting.policy("p", "network: {host: true}\n")
    ceiling_for(setting, "network host")
    result = setting.python(code, network="host")
    assert ok(result) == "from the host"
    assert "network_namespace" not in result["protections"]
    assert "landlock_network" not in result["protections"]
    assert "network_namespace" not in result["waived"]
    # It must be asked for, and the one that was not asked has its own.
    result = setting.python(code)
    assert result["status"] == "exit"
    assert "network_namespace" in result["protections"]
    for policy in ["default", "strict", "judge", "data"]:
        refused(setting.python(code, policy=policy, network="host"),
                f"policy '{policy}' does not allow the host's network")
    refused(setting.python(code, policy="p", network={"allow": ["localhost:1"]}),
            "lists of allowed addresses are not available")


@as_each
def test_host_network_is_useful(setting):
    setting.policy("p", "network: {host: true}\n")
    ceiling_for(setting, "network host")
    code = """
import os, ssl
print(open("/etc/resolv.conf").read() == %r, "dns" in open("/etc/nsswitch.conf").read(),
      len(ssl.create_default_context().get_ca_certs()) > 0 or not os.path.isdir("/etc/ssl/certs"))
""" % Path("/etc/resolv.conf").read_text()
    expected_certificates = any(Path("/etc/ssl/certs").glob("*.pem"))
    words = ok(setting.python(code, network="host")).split()
    assert words[:2] == ["True", "True"]
    assert words[2] == "True" or not expected_certificates
    found = ok(setting.python("print(open('/etc/resolv.conf').read())"))
    assert found == ""  # without it the sandbox knows no server


@root_only
@pytest.mark.parametrize("who", ["root"])
def test_host_network_needs_the_ceiling(setting, server):
    setting.policy("p", "network: {host: true}\n")
    refused(setting.python(connect(server), network="host"), "the host's network is given to no run",
            "add the line 'network host' to /etc/cella/ceiling.conf")
    refused(setting.python(connect(server), policy="open", network="host"), "given to no run")


# ---- policies as commands ----

@as_each
def test_policy_commands(setting):
    listed = setting.call("policy", "list")
    assert listed.returncode == 0
    for name in ["default", "strict", "data", "judge", "open", "execute", "piston"]:
        assert f"\n{name} " in "\n" + listed.stdout
        assert f"share/policies/{name}.yaml" in listed.stdout
        assert setting.call("policy", "check", name).stdout == "ok\n"
    setting.policy("mine", "description: my own\nextends: strict\nlanguages: [python]\n")
    setting.policy("wrong", "limits:\n  memory: {cap: 1}\n")
    listed = json.loads(setting.call("policy", "list", "--json").stdout)["policies"]
    rows = {row["name"]: row for row in listed}
    assert rows["mine"]["description"] == "my own" and rows["mine"]["file"].endswith("mine.yaml")
    assert "wrong.yaml:2:3: limits.memory is not a limit" in rows["wrong"]["problem"]
    assert "wrong        wrong: " in setting.call("policy", "list").stdout
    names = setting.call("policy", "list", "--names").stdout.split()
    assert names == sorted(rows)


@as_each
def test_policy_check(setting, place):
    file = place / "p.yaml"
    rows = [
        ("limits: {wall_ms: {cap: 1s, defualt: 1s}}", ":1:29: limits.wall_ms.defualt is not a field",
         "did you mean 'default'?"),
        ("languages: [pyhton]", ":1:13: languages[0] is no language: 'pyhton'",
         "did you mean 'python'?"),
        ("languages: [py]", ":1:13: languages[0] is another name of 'python'", "write 'python'"),
        ("extends: strict\nlimits: {wall_ms: {cap: 1h}}",
         ":2:20: limits.wall_ms.cap gives more than the policy 'strict', which has 30 s",
         "loosen: true"),
        ("a: [", ":1:4: what '[' opens here goes wrong at line 2, column 1", ""),
    ]
    for text, problem, hint in rows:
        file.write_text(text + "\n")
        done = setting.call("policy", "check", str(file))
        assert done.returncode == 1 and done.stdout == "", done
        assert f"{file}{problem}" in done.stderr and hint in done.stderr
    file.write_text("extends: strict\nlanguages: [python]\n")
    assert setting.call("policy", "check", str(file)).stdout == "ok\n"
    done = setting.call("policy", "check", str(place / "absent.yaml"))
    assert "absent.yaml cannot be opened" in done.stderr
    done = setting.call("policy", "check", "strikt")
    assert "unknown policy 'strikt'" in done.stderr and "did you mean 'strict'?" in done.stderr


@as_each
def test_policy_show_reads_back(setting, place):
    for name in ["default", "strict", "data", "judge", "open", "execute", "piston"]:
        shown = setting.call("policy", "show", name).stdout
        assert "extends" not in shown
        file = place / "again.yaml"
        file.write_text(shown)
        assert setting.call("policy", "show", str(file)).stdout == shown
        assert json.loads(setting.call("policy", "show", name, "--json").stdout)["limits"]
        setting.policy("again", shown)
        rows = json.loads(setting.call("policy", "list", "--json").stdout)["policies"]
        digests = {row["name"]: row["digest"] for row in rows}
        assert digests["again"] == digests[name]
        (setting.config / "cella" / "policies" / "again.yaml").unlink()


@as_each
def test_policy_test(setting, place):
    setting.policy("base", "limits:\n  memory_bytes: {cap: 1g}\nenv: {allow: [A]}\n")
    setting.policy("p", "extends: base\nlanguages: [python]\n"
                        "syscalls: {deny: [socket]}\nmounts: [{path: /usr/share/doc, access: none}]\n")
    request = place / "request.json"
    request.write_text(json.dumps({
        "language": "python", "code": "1", "env": {"A": "1", "B": "2"},
        "limits": {"memory_bytes": 2 ** 31, "wall_ms": 1000}}))
    done = setting.call("policy", "test", "p", "--request", str(request), "--json")
    assert done.returncode == 126, done
    found = json.loads(done.stdout)
    assert found["allowed"] is False
    rows = {row["what"]: row for row in found["decisions"]}
    assert rows["language"]["allowed"] and rows["language"]["key"] == "languages[0]"
    assert rows["language"]["file"].endswith("/p.yaml") and rows["language"]["line"] == 2
    memory = rows["limits.memory_bytes"]
    assert not memory["allowed"] and memory["asked"] == "2 GiB"
    assert "at most 1 GiB" in memory["text"]
    assert memory["file"].endswith("/base.yaml") and (memory["line"], memory["column"]) == (2, 18)
    assert rows["limits.wall_ms"]["allowed"] and rows["limits.wall_ms"]["file"] is None
    assert rows["env.A"]["allowed"] and rows["env.A"]["key"] == "env.allow[0]"
    assert not rows["env.B"]["allowed"]
    assert rows["system call socket"]["key"] == "syscalls.deny[0]"
    assert rows["mount /usr/share/doc"]["text"] == "hidden"
    done = setting.call("policy", "test", "p", "-l", "python", "-c", "1", "--memory", "512m")
    assert done.returncode == 0 and done.stdout.endswith("\nallowed\n")
    done = setting.call("policy", "test", "p", "-l", "bash", "-c", "1")
    assert done.returncode == 126 and done.stdout.endswith("\nrefused\n")
    assert "refused  language = bash" in done.stdout


@as_each
def test_nothing_of_a_request_steers_a_terminal(setting):
    value = "a\x1b]0;b\x7f\x9bc\xe9"
    for words in ("policy", "test", "default"), ("explain",):
        done = setting.call(*words, "-l", "command", "-e", f"A={value}", "--", f"/bin/{value}")
        assert done.returncode == 0, done
        assert not set("\x1b\x7f\x9b") & set(done.stdout), done
        assert "/bin/a?]0;b??c\xe9" in done.stdout or "/bin/a?]0;b???c\xe9" in done.stdout, done


@as_each
def test_policy_usage(setting):
    for words, text, hint in [
        ([], "which of them?", "cella policy list"),
        (["chek", "x"], "there is no 'cella policy chek'", "did you mean 'cella policy check'?"),
        (["check"], "'cella policy check' takes one name or file", "cella policy check FILE"),
        (["show", "a", "b"], "'cella policy show' takes one name or file", ""),
        (["list", "x"], "'cella policy list' takes nothing more", ""),
        (["list", "--time", "3s"], "'cella policy list' has no option --time", ""),
        (["check", "strict", "--json"], "'cella policy check' has no option --json", ""),
        (["test", "strict", "-l", "python", "-c", "1", "--names"],
         "'cella policy test' has no option --names", ""),
        (["test", "strict"], "nothing to run", ""),
    ]:
        done = setting.call("policy", *words)
        assert done.returncode == 126 and text in done.stderr and hint in done.stderr, done


def test_shipped_policies_are_read_by_everybody():
    for path in (ROOT / "policies").glob("*.yaml"):
        assert not path.stat().st_mode & stat.S_IWOTH
