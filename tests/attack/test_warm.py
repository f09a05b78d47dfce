"""The attacks once more, by programs that a zygote has borne: what a warm run may do is what a cold
one may.  Every result must say that it was warm."""
import json
import os
import subprocess
import tempfile
import threading

import harness
import pytest
from harness import (BY_WORDS, IS_ROOT, WHO, attack_request_in, attacks, environment, run,
                     verdict_on, waiving)
from program import BUILD, NOBODY, USERS, valid

LANGUAGES = ["python", "ruby", *BY_WORDS]
ROWS = [attack for attack in attacks()
        if attack.argument != "shared" and attack.name != "find_descriptors"]
NAMES = [attack.name for attack in ROWS]
WAIVED = [("seccomp",), ("landlock_files", "landlock_network", "landlock_scope"),
          ("no_new_privileges",)]  # and what needs it

ROOM = {"memory_bytes": 2048 * harness.MIB}  # for 32 copies of an interpreter
TAKES = [("fork", "processes", ROOM), ("vfork", "processes", ROOM), ("clone", "processes", ROOM),
         ("threads", "processes", ROOM), ("heap", "memory", {}), ("dev_shm", "memory", {}),
         # The derived limit on processor time would be reached at the same moment.
         ("ignore", "wall_time", {"wall_ms": 500, "cpu_ms": 5000}),
         ("stop", "wall_time", {"wall_ms": 500, "cpu_ms": 5000}),
         ("spin", "cpu_time", {"cpu_ms": 500}), ("spin_threads", "cpu_time", {"cpu_ms": 500}),
         ("disk", "disk", {}), ("large_file", "file_size", {"file_bytes": 2 * harness.MIB})]


class Warm:
    """A warm_client that has what a run would inherit if Cella let it."""

    def __init__(self, who, world):
        inherited = world.inherited if who == "root" and harness.IS_ROOT else None
        self.lock = threading.Lock()
        self.cache = tempfile.TemporaryDirectory()  # what is compiled is compiled once
        if harness.IS_ROOT and who == "user":
            os.chown(self.cache.name, NOBODY, NOBODY)
        self.process = subprocess.Popen(
            [*USERS[who], str(BUILD / "warm_client"), "warm"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**environment(who), "XDG_CACHE_HOME": self.cache.name},
            cwd="/", preexec_fn=inherited)

    def run(self, request):
        with self.lock:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        result = harness.Result(valid(json.loads(line)))
        assert result["start"] == "warm", result["message"]
        return result

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()
        self.cache.cleanup()


@pytest.fixture(scope="module")
def warm(world):
    clients = {who: Warm(who, world) for who in WHO}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_is_refused(warm, world, name, language, who):
    attack = next(attack for attack in ROWS if attack.name == name)
    verdict = verdict_on(warm[who].run(
        attack_request_in(language, attack.name, world.argument(attack.argument))))
    if verdict.word == "absent":
        pytest.skip(verdict.evidence)
    assert verdict.word == "refused", verdict
    if attack.call:
        assert attack.call in verdict.calls, f"the result does not name {attack.call}: {verdict}"


@pytest.mark.skipif(not IS_ROOT, reason="protections are waived as root")
@pytest.mark.parametrize("waived", WAIVED, ids=["+".join(names) for names in WAIVED])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_protection_it_is_as_cold(warm, world, name, waived):
    attack = next(attack for attack in ROWS if attack.name == name)
    request = attack_request_in("python", attack.name, world.argument(attack.argument),
                                policy=waiving(waived))
    results = [run(request, preexec=world.inherited), warm["root"].run(request)]
    cold, found = map(verdict_on, results)
    assert found.word == cold.word, (cold, found)
    for key in ("protections", "waived"):
        assert results[0][key] == results[1][key], key
    if set(attack.stoppers) <= set(waived) and not harness.is_absent(cold):
        assert found.word == "achieved", f"it is not only {waived} that stops it: {found}"


@pytest.mark.parametrize("who", WHO)
def test_a_traced_program_holds_nobody_up(warm, who):
    result = warm[who].run({"language": "python", "code": harness.TRACED, "policy": "open",
                            "limits": {"wall_ms": 20000}})
    assert (result["status"], result["exit_code"]) == ("exit", 7), result.explain()
    assert result["usage"]["wall_ms"] < 10000
    after = {"language": "python", "code": "print(1)", "policy": "open"}
    assert warm[who].run(after)["stdout"] == "1\n"


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "status", "limits"), TAKES, ids=[take[0] for take in TAKES])
def test_taking_too_much_has_its_verdict(warm, name, status, limits, language, who):
    number = 16 if name == "spin_threads" else 0
    result = warm[who].run(attack_request_in(language, "take", name, str(number), limits=limits))
    if result["mechanisms"]["memory_bytes"] == "supervision" and name == "dev_shm" and \
            result["status"] == "exit":
        assert result["stdout"].endswith(" ENOSPC\n"), result.explain()  # as large as the limit
        return
    assert result["status"] == status, result.explain()
    assert result["limit"]["stage"] == "run", result["limit"]
