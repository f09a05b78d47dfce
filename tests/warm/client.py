"""A warm_client: one engine that many requests go through, started cold or warm."""
import json
import subprocess
from pathlib import Path

from program import BUILD, USERS, valid


def own_levels():
    return Path("/proc/self/status").read_text().partition("NSpid:")[2].partition("\n")[0].split()


def zygotes(keeper):
    """Interpreters in the keeper's care that are in no sandbox, but in the nest around them."""
    found = []
    for child in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        try:
            status = Path(f"/proc/{child}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        levels = len(status.partition("NSpid:")[2].partition("\n")[0].split())
        if "Name:\tpython3" in status and levels == len(own_levels()) + 1:
            found.append(int(child))
    return found


class Client:
    def __init__(self, user, start, environment=None, wrap=lambda words: words):
        self.start = start
        self.process = subprocess.Popen(
            wrap([*USERS[user], str(BUILD / "warm_client"), start]), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", **(environment or {})})

    def run(self, language="python", **fields):
        """The result, and for `warm` that of a run that was."""
        request = {"language": language, **fields} if language else fields
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"warm_client has ended with {self.process.wait(10)}"
        result = valid(json.loads(line))
        if self.start != "any":
            assert result["start"] == self.start, result["message"]
        return result

    def keeper(self):
        """Its pid."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children, encoding="ascii") as file:
            return int(file.read().split()[0])

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


COMPARED = ("status", "exit_code", "signal", "stdout", "stderr", "files", "limit", "limits_hit",
            "diagnosis", "refused_calls", "protections", "waived", "mechanisms", "error")


def assert_same(cold, warm, language, entry):
    """`entry`: a program, or one and the other fields of its request."""
    code, fields = entry if isinstance(entry, tuple) else (entry, {})
    if code is not None:
        fields = {"code": code, **fields}
    expected = cold.run(language, **fields)
    found = warm.run(language, **fields)
    for key in COMPARED:
        assert found[key] == expected[key], key


def assert_random(warm, language, code):
    """The program prints words that must differ from run to run."""
    runs = [warm.run(language, code=code)["stdout"].split() for _ in range(12)]
    assert len({len(run) for run in runs}) == 1
    for values in zip(*runs):
        assert len(set(values)) == len(values), values
