"""Programs that may write to the host: warm where the keeper is root, and held as cold ones are."""
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from ceiling import under
from client import Client, zygotes
from program import IS_ROOT, NOBODY, USERS
from test_warm_isolation import probe

OWNER, ANOTHER = 12345, 12346
POLICY = """
limits: {disk_bytes: {default: 8m}, file_bytes: {default: 1g}}
mounts:
  - {path: SHARED, at: /workspace, access: writable}
  - {path: SHARED-2, at: /data/two, access: writable}
  - {path: SHARED-3, at: /data/three}
"""
root_only = pytest.mark.skipif(not IS_ROOT, reason="a mount for each sandbox is root's to make")


class Setting:
    def __init__(self, place, user):
        self.place, self.user = place, user
        self.shared = place / "shared"
        self.owner = NOBODY if user == "user" and IS_ROOT else OWNER if IS_ROOT else os.geteuid()
        for path in [self.shared, place / "shared-2", place / "shared-3"]:
            self.make(path)
        policies = place / "config" / "cella" / "policies"
        policies.mkdir(parents=True)
        (policies / "p.yaml").write_text(POLICY.replace("SHARED", str(self.shared)))
        for path in [place / "config", policies.parent, policies, policies / "p.yaml"]:
            if user == "user" and IS_ROOT:
                os.chown(path, NOBODY, NOBODY)
        self.clients = []

    def make(self, path):
        path.mkdir()
        if IS_ROOT:
            os.chown(path, self.owner, self.owner)

    def client(self, start):
        text = (f"mount writable {self.shared}\nmount writable {self.shared}-2\n"
                f"mount read_only {self.shared}-3\n")
        cover = self.place / f"etc-{len(self.clients)}"
        cover.mkdir()
        wrap = (lambda words: under(cover, text, words)) if self.user == "root" else (lambda words: words)
        client = Client(self.user, start, {"XDG_CONFIG_HOME": str(self.place / "config"),
                                           "XDG_CACHE_HOME": "/proc/none"}, wrap)
        self.clients.append(client)
        return client

    def close(self):
        for client in self.clients:
            client.close()


@pytest.fixture(params=USERS)
def setting(request):
    place = Path(tempfile.mkdtemp(prefix="cella-mounts-", dir="/var/tmp"))
    place.chmod(0o755)
    made = Setting(place, request.param)
    yield made
    made.close()
    shutil.rmtree(place)


def of_root(test):
    return root_only(pytest.mark.parametrize("setting", ["root"], indirect=True)(test))


def run(client, code, **fields):
    result = client.run(code=code, policy="p", **fields)
    if "cannot map owners" in result["message"]:
        pytest.skip(result["message"])
    return result


def ok(result):
    assert result["status"] == "ok", (result["message"], result["stderr"])
    return result["stdout"].strip()


def owner_of(path):
    return path.stat().st_uid, path.stat().st_gid


@of_root
def test_a_warm_program_finds_what_an_earlier_one_left(setting):
    warm = setting.client("warm")
    for turn in range(4):  # of which many more are run, until one is warm
        ok(run(warm, f"import os\nopen('made-{turn}', 'w').write('by {turn}')\nopen('/data/two/x', 'a').write('x')\n"
                     "open('/tmp/own', 'x'); open('/dev/shm/own', 'x'); os.mkdir('/program/own')\n"
                     "assert os.stat('/workspace').st_dev == os.stat('/data/two').st_dev\n"
                     "assert os.stat('/workspace').st_uid == os.stat('/data/two/x').st_uid == os.getuid() == 1000"))
        assert ok(run(warm, "import os\nprint(os.getcwd(), sorted(os.listdir()), open(f'made-0').read(), __file__,"
                            "os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('/program'))")) == \
            f"/workspace {sorted(f'made-{i}' for i in range(turn + 1))} by 0 /program/main.py [] [] ['main.py']"
        assert owner_of(setting.shared / f"made-{turn}") == (OWNER, OWNER)
    assert owner_of(setting.place / "shared-2" / "x") == (OWNER, OWNER)
    (setting.shared / "from outside").write_text("hello")
    assert ok(run(warm, "print(open('from outside').read())")) == "hello"


@of_root
def test_it_is_held_as_a_cold_one(setting):
    expected, expected_probe = probe(setting.client("cold"), policy="p")
    found, found_probe = probe(setting.client("warm"), policy="p")
    for key in ("protections", "waived", "mechanisms", "refused_calls", "policy"):
        assert found[key] == expected[key], key
    assert int(found_probe["priority"].pop()) >= int(expected_probe["priority"].pop())
    for probed in (expected_probe, found_probe):
        del probed["mounts"]["/workspace"]  # below it lies the zygote's
    for key, value in expected_probe.items():
        assert found_probe[key] == value, key


@of_root
@pytest.mark.parametrize("call", [
    "open('f', 'w'); os.chmod('f', 0o4755)", "os.close(os.open('f', os.O_CREAT | os.O_WRONLY, 0o2755))",
    "os.mknod('f', 0o104755)", "os.symlink('/etc/passwd', 'l')", "os.mkfifo('p')", "open('/data/three/f', 'w')",
    "import ctypes; ctypes.CDLL(None, use_errno=True).syscall(437, -100, b'f', 0, 0) == -1 and "
    "ctypes.get_errno() == 38 and exit(1)"])
def test_what_may_not_be_left_there(setting, call):
    result = run(setting.client("warm"), f"import os\n{call}")
    assert result["status"] == "exit", result
    assert not any(path.is_symlink() or path.stat().st_mode & 0o6000 for path in setting.shared.iterdir())


@of_root
def test_disk_use_is_looked_at(setting):
    # Of the runs before the warm one nothing may be left that this one would write over.
    result = run(setting.client("warm"), "import tempfile, time\nf = tempfile.TemporaryFile(dir='/workspace')\n"
                 "for i in range(64): f.write(b'x' * (1 << 20)); f.flush()\ntime.sleep(20)")
    assert (result["status"], result["limit"]["name"]) == ("disk", "disk_bytes")
    assert result["usage"]["wall_ms"] < 15000


@of_root
def test_the_interpreter_itself_does_not_see_it(setting):
    """Else it would believe what programs leave there."""
    warm = setting.client("warm")
    for name in ["sitecustomize.py", "json.py", "encodings.py", "pyvenv.cfg"]:
        (setting.shared / name).write_text("raise SystemExit('believed')")
    assert ok(run(warm, "print(1)")) == "1"
    seen = [Path(f"/proc/{pid}/mountinfo").read_text() for pid in zygotes(warm.keeper())]
    assert seen and all(str(setting.place.name) + "/shared" not in text.replace("/shared-3", "")
                        for text in seen)
    assert "/shared-3" in seen[0]


def test_a_directory_in_its_place(setting):
    client = setting.client("warm" if setting.user == "root" else "any")
    for turn in range(3):
        for _ in range(4):
            ok(run(client, f"open('in-{turn}', 'w')"))
        assert [path.name for path in setting.shared.iterdir()] == [f"in-{turn}"]
        assert owner_of(setting.shared / f"in-{turn}") == (setting.owner, setting.owner)
        setting.shared.rename(setting.place / f"before-{turn}")
        if IS_ROOT and setting.user == "root":
            setting.owner = ANOTHER
        setting.make(setting.shared)
    (setting.place / "before-0").rename(setting.place / "again")
    setting.shared.rmdir()
    (setting.place / "again").rename(setting.shared)
    ok(run(client, "open('again', 'w')"))
    assert sorted(path.name for path in setting.shared.iterdir()) == ["again", "in-0"]


@pytest.mark.parametrize("language, code", [
    ("ruby", "puts File.read('it'); puts Dir.pwd"), ("php", "<?php echo file_get_contents('it'), getcwd(), PHP_EOL;"),
    ("javascript", "console.log(require('fs').readFileSync('it') + process.cwd())"), ("bash", "cat it; pwd")])
def test_other_languages(setting, language, code):
    """Warm or not, they get on."""
    (setting.shared / "it").write_text("is there\n")
    client = setting.client("any")
    starts = []
    for _ in range(6):
        result = run(client, code, language=language)
        if result["status"] == "refused" and "unknown" in result["message"] + str(result["error"]):
            pytest.skip(result["message"])
        assert ok(result) == "is there\n/workspace"
        starts.append(result["start"])
    if language in ("javascript", "bash") or setting.user != "root":
        assert set(starts) == {"cold"}
