"""A warm_client: one engine that many requests go through, started cold or warm."""
import json
import subprocess

from program import BUILD, USERS, valid


class Client:
    def __init__(self, user, start, environment=None):
        self.start = start
        self.process = subprocess.Popen(
            [*USERS[user], str(BUILD / "warm_client"), start], text=True, bufsize=1,
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
