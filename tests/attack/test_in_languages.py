"""The attacks again, each by a program in a language: two that are compiled, two interpreters.

The attack is the program's own: its process makes the calls.  What a language brings with it —
mounts, environment, limits by its nature, threads — must not make any of them possible.  All of it
is under the default policy; what stops what is test_matrix.py's.
"""
import harness
import pytest
from harness import IN_LANGUAGES, WHO, attack_request_in, attacks, run

# "shared" is a runtime of its own, and interpreters have descriptors of their own (that none of ours
# is among them, the audit from outside looks).
ROWS = [attack for attack in attacks()
        if attack.argument != "shared" and attack.name != "find_descriptors"]
NAMES = [attack.name for attack in ROWS]

# Programs of take.c that take too much, with the verdict on each.
ROOM = {"memory_bytes": 512 * harness.MIB}  # for 32 copies of an interpreter
TAKES = [("fork", "processes", ROOM), ("vfork", "processes", ROOM), ("clone", "processes", ROOM),
         ("threads", "processes", ROOM), ("heap", "memory", {}), ("dev_shm", "memory", {}),
         ("ignore", "wall_time", {"wall_ms": 500}), ("stop", "wall_time", {"wall_ms": 500}),
         ("spin", "cpu_time", {"cpu_ms": 500}), ("spin_threads", "cpu_time", {"cpu_ms": 500}),
         ("disk", "disk", {}), ("large_file", "file_size", {"file_bytes": 2 * harness.MIB})]


@pytest.fixture(scope="module")
def outcomes(world, pool):
    """Every attempt, started at once."""
    return {(language, attack.name, who): pool.submit(attempt_in, language, attack, world, who)
            for language in IN_LANGUAGES for attack in ROWS for who in WHO}


def attempt_in(language, attack, world, who):
    request = attack_request_in(language, attack.name, world.argument(attack.argument))
    result = run(request, who, preexec=world.inherited if who == "root" else None)
    return harness.verdict_on(result)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("language", IN_LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_is_refused(outcomes, name, language, who):
    verdict = outcomes[language, name, who].result()
    if verdict.word == "absent":
        pytest.skip(verdict.evidence)
    assert verdict.word == "refused", verdict
    call = next(attack.call for attack in ROWS if attack.name == name)
    if call:
        assert call in verdict.calls, f"the result does not name {call}: {verdict}"


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("language", IN_LANGUAGES)
@pytest.mark.parametrize(("name", "status", "limits"), TAKES, ids=[take[0] for take in TAKES])
def test_taking_too_much_has_its_verdict(name, status, limits, language, who):
    number = 16 if name == "spin_threads" else 0
    result = run(attack_request_in(language, "take", name, str(number), limits=limits), who)
    if result["mechanisms"]["memory_bytes"] == "supervision" and name == "dev_shm" and \
            result["status"] == "exit":
        assert result["stdout"].endswith(" ENOSPC\n"), result.explain()  # as large as the limit
        return
    assert result["status"] == status, result.explain()
    assert result["limit"]["stage"] == "run", result["limit"]
