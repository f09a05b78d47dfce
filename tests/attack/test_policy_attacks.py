"""Attacks on what policies give and take (policy.c), each under a policy that has the protection and
under one that has not: a test that cannot fail shows nothing.  And what a run leaves behind in a
directory of the host, against the runs after it.

As an ordinary user the ceiling is what that user may do; as root it is a file, see ceiling.py.
"""
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import ceiling
import harness
import pytest
from harness import (IS_ROOT, NOBODY, WHO, attack_request, attacks, command_line, environment,
                     policy)
from program import valid

OWNER = 12345  # of what root shares: neither root nor the ordinary user

WRITABLE = "mounts: [{{path: {shared}, at: /out, access: writable}}]\n"
SHOWN = "mounts: [{{path: {shared}, at: /out}}]\n"
# attack, argument, policy with the protection, policy without; {shared} is a directory of the host.
# The compile-time filter and Landlock are waived, which only a test build may.
ROWS = [
    ("denied_call", "", "syscalls: {{deny: [socket]}}\n", "syscalls: {{deny: []}}\n"),
    ("denied_by_int80", "", "syscalls: {{deny: [socket]}}\n", "waive: [seccomp]\n"),
    ("denied_by_x32", "", "syscalls: {{deny: [socket]}}\n", "waive: [seccomp]\n"),
    ("allowed_by_x32", "", "syscalls: {{allow: [ptrace]}}\n", "waive: [seccomp]\n"),
    ("widen_affinity", "", "one_processor: true\n", "one_processor: true\nwaive: [seccomp]\n"),
    ("set_uid_file", "/out", WRITABLE, WRITABLE + "waive: [seccomp]\n"),
    ("plant_link", "/out", WRITABLE, WRITABLE + "waive: [landlock_files]\n"),
    ("plant_pipe", "/out", WRITABLE, WRITABLE + "waive: [landlock_files]\n"),
    ("plant_socket", "/out", WRITABLE, WRITABLE + "waive: [landlock_files]\n"),
    ("write_shown", "/out/file", SHOWN, WRITABLE),
    ("read_hidden", "/out/sub/file",
     SHOWN.replace("]", ", {{path: /out/sub, access: none}}]"), SHOWN),
    ("add_filter", "", WRITABLE, WRITABLE + "waive: [seccomp]\n"),
]
by_row = pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
by_who = pytest.mark.parametrize("who", WHO)


@pytest.fixture
def host(who):
    """A directory of the host with a file that everybody may write, and whoever owns it."""
    path = Path(tempfile.mkdtemp(prefix="attack-policies-", dir="/var/tmp"))
    shared = path / "shared"
    (shared / "sub").mkdir(parents=True)
    for file in [shared / "file", shared / "sub" / "file"]:
        file.write_text("canary")
        file.chmod(0o666)
    owner = OWNER if who == "root" else NOBODY
    for each in [shared, *shared.rglob("*")]:
        if IS_ROOT:
            os.chown(each, owner, owner)
    path.chmod(0o755)
    (path / "cover").mkdir()
    yield path
    shutil.rmtree(path)


def run(host, who, request):
    words = command_line(who, "run", "--json", "--request", "-")
    if who == "root":
        words = ceiling.under(host / "cover", f"mount writable {host}\n", words)
    done = subprocess.run(words, input=json.dumps(request), capture_output=True, text=True,
                          timeout=60, env=environment(who), cwd="/", check=False)
    try:
        result = valid(json.loads(done.stdout))
    except ValueError:
        raise AssertionError(f"{done.stdout!r} {done.stderr!r}") from None
    if "cannot map owners" in result["message"]:
        pytest.skip(result["message"])
    return result


def attempt(host, who, name, argument, text):
    request = attack_request(name, argument, policy=policy(text.format(shared=host / "shared")))
    return harness.verdict_on(run(host, who, request))


@by_who
@by_row
def test_is_refused_with_the_protection(host, who, row):
    name, argument, protected, _ = row
    verdict = attempt(host, who, name, argument, protected)
    if verdict.word == "absent":
        pytest.skip(verdict.evidence)
    assert verdict.word == "refused", verdict
    attack = next(each for each in attacks("policy") if each.name == name)
    if attack.call:
        assert attack.call in verdict.calls, verdict


@by_who
@by_row
def test_succeeds_without_it(host, who, row):
    name, argument, _, unprotected = row
    verdict = attempt(host, who, name, argument, unprotected)
    if harness.is_absent(verdict):
        pytest.skip(verdict.evidence)
    assert verdict.word == "achieved", verdict


@by_who
def test_a_device_cannot_be_left_behind(host, who):
    """No protection that can be waived stands before the kernel's own."""
    verdict = attempt(host, who, "plant_device", "/out", WRITABLE + "waive: [landlock_files, seccomp]")
    assert verdict.word == "refused", verdict


def test_every_attack_has_a_row():
    assert {attack.name for attack in attacks("policy")} == {row[0] for row in ROWS} | {"plant_device"}


@by_who
def test_one_processor_is_not_claimed_where_it_can_be_left(host, who):
    code = "import os; print(len(os.sched_getaffinity(0)))"
    for waived, held in [("[]", True), ("[seccomp]", False)]:
        result = python(host, who, code, f"one_processor: true\nwaive: {waived}\n")
        assert result["stdout"] == "1\n", result
        assert ("one_processor" in result["protections"]) == held


# ---- what one run leaves behind, and the next one finds ----

def python(host, who, code, text, **fields):
    return run(host, who, {"language": "python", "code": code, "policy": policy(text), **fields})


@by_who
def test_a_link_that_was_planted_leads_nowhere(host, who):
    """Without Landlock a run can plant one; the next run and its collection meet it."""
    writable = WRITABLE.format(shared=host / "shared") + "waive: [landlock_files]\n"
    planted = python(host, who, """
import os
os.symlink("/etc/shadow", "/out/shadow"); os.symlink("/etc", "/out/etc"); os.symlink("/", "/out/root")
""", writable)
    assert planted["status"] == "ok", planted
    found = python(host, who, """
import os
for path in ["/out/shadow", "/out/etc/shadow", "/out/root/etc/shadow"]:
    try:
        print(open(path).read())
    except OSError as error:
        print(error.errno)
print(open("/out/etc/passwd").read())
os.symlink("/out/etc", "etc"); os.symlink("/out/file", "file"); os.link
""", writable, collect=["**/*", "etc/*", "file"])
    assert found["status"] == "ok", found
    lines = found["stdout"].splitlines()
    assert lines[:3] == ["2", "2", "2"], lines
    assert lines[3:] == [*PASSWD_INSIDE, ""] or lines[3:] == PASSWD_INSIDE
    for file in found["files"]:
        assert file["content"] is None or file["path"] == "main.py", file


PASSWD_INSIDE = ["root:x:0:0:root:/nonexistent:/usr/sbin/nologin",
                 "sandbox:x:1000:1000:sandbox:/workspace:/bin/sh",
                 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]


@by_who
def test_a_source_in_a_writable_mount_exchanged_for_a_link(host, who):
    """Two policies: one may write to a directory, the other shows a directory below it."""
    shared = host / "shared"
    below = f"mounts: [{{path: {shared}/sub, at: /data}}]\n"
    assert python(host, who, "print(open('/data/file').read())", below)["stdout"] == "canary\n"
    swapped = python(host, who, """
import os
os.rename("/out/sub", "/out/old"); os.symlink("/etc", "/out/sub")
""", WRITABLE.format(shared=shared) + "waive: [landlock_files]\n")
    assert swapped["status"] == "ok", swapped
    result = python(host, who, "import os; print(os.listdir('/data'))", below)
    assert result["status"] == "internal"
    assert f"cannot find {shared}/sub" in result["error"]["text"]


RENAME_EXCHANGE = 2
SYS_RENAMEAT2, AT_FDCWD = 316, -100


@by_who
def test_a_source_swapped_for_a_link_while_it_is_mounted(host, who):
    """Whoever may write above the source races with the keeper; no run sees where the link leads."""
    (host / "up").mkdir()
    (host / "up" / "source").mkdir()
    (host / "up" / "source" / "file").write_text("canary")
    secret = host / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    (host / "up" / "link").symlink_to(secret)
    for each in [host / "up" / "source", host / "up" / "source" / "file"]:
        if IS_ROOT:
            os.chown(each, OWNER if who == "root" else NOBODY, OWNER if who == "root" else NOBODY)
    libc = ctypes.CDLL(None, use_errno=True)
    names = [str(host / "up" / name).encode() for name in ("source", "link")]
    over = threading.Event()

    def swap():
        while not over.is_set():
            libc.syscall(SYS_RENAMEAT2, AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = []
    try:
        for i in range(30):
            access = "writable" if i % 2 else "read_only"
            text = f"mounts: [{{path: {host}/up/source, at: /data, access: {access}}}]\n"
            result = python(host, who, "print(open('/data/file').read(), end='')", text)
            seen.append(result["stdout"] if result["status"] == "ok" else result["status"])
    finally:
        over.set()
        swapper.join()
    assert set(seen) <= {"canary", "internal"}, seen


@by_who
def test_what_a_run_writes_is_its_owners(host, who):
    """Not another owner's file, and not by the group that the run has on the host."""
    other = host / "shared" / "others"
    other.write_text("another's")
    other.chmod(0o600)
    if IS_ROOT:
        os.chown(other, OWNER + 1, OWNER + 1)
        result = python(host, who, """
for mode in "r", "w":
    try:
        open("/out/others", mode); print("opened")
    except OSError as error:
        print(error.errno)
""", WRITABLE.format(shared=host / "shared"))
        assert result["stdout"].split() == ["13", "13"], result


# ---- the request against the policy ----

@by_who
@pytest.mark.parametrize("variables", [
    {"LD_PRELOAD": "/workspace/evil.so"}, {"CELLA_FAULT": "seccomp"},
    {"CELLA_KEEPER": "/workspace/evil"}, {"XDG_CONFIG_HOME": "/workspace"},
    {"LD_LIBRARY_PATH": "/workspace", "GCONV_PATH": "/workspace", "BASH_ENV": "/workspace/x"}])
def test_no_variable_loosens_anything(host, who, variables):
    """What a request sets comes to the program alone: init is static and has no environment."""
    plain = python(host, who, "print(1)", "languages: [python]\n")
    result = python(host, who, "print(1)", "languages: [python]\n", env=variables)
    assert result["stdout"] == plain["stdout"] == "1\n", result
    assert result["protections"] == plain["protections"]
    assert result["waived"] == plain["waived"] == []


@by_who
def test_no_field_of_a_request_says_what_a_policy_does(host, who):
    for field, value in [("waive", ["seccomp"]), ("mounts", [{"path": "/etc"}]),
                         ("syscalls", {"allow": ["ptrace"]}), ("one_processor", False),
                         ("control_groups", "preferred"), ("extends", "open"), ("loosen", True)]:
        result = run(host, who, {"language": "python", "code": "1", field: value})
        assert result["status"] == "refused", result
        assert f"{field} is not a field" in result["error"]["text"]
    for name in ["../open", "/etc/passwd", "open/../open", str(host / "p.yaml")]:
        result = run(host, who, {"language": "python", "code": "1", "policy": name})
        assert result["status"] == "refused", result
