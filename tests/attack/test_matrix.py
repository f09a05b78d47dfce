"""Attacks × protections.

For each attack of the attack program:
  default   under the default policy it is refused, as root and as an ordinary user, and where the
            filter refuses it the result names the call;
  alone     with all the protections that stop it waived but one, that one refuses it;
  off       with all of them waived it is achieved.  Where one of them is structural and cannot be
            waived, that one refuses alone, and the attack is achieved bare, outside any sandbox.

A kernel without the thing that is attacked makes the row absent: then nothing is shown, and the
test is skipped.

docs/attacks.md is made from the table: CELLA_WRITE_DOCS=1 writes it, otherwise it must be so.
"""
import os

import harness
import pytest
from harness import IS_ROOT, ROOT, STRUCTURAL, WHO, attempt, attempt_bare, attacks, waiving

DOCUMENT = ROOT / "docs" / "attacks.md"
INTRODUCTION = ROOT / "tests" / "attack" / "attacks.md.in"

NAMES = [attack.name for attack in attacks()]
by_attack = pytest.mark.parametrize("attack", attacks(), ids=NAMES)


@pytest.fixture(scope="module")
def outcomes(world, pool):
    """Every cell, started at once: (attack, what) → future of a verdict."""
    futures = {}
    for attack in attacks():
        for who in WHO:
            futures[attack, "default", who] = pool.submit(attempt, attack, world, "default", who)
        if not IS_ROOT:
            continue
        futures[attack, "off"] = pool.submit(attempt, attack, world, waiving(attack.waivable))
        if attack.structural:
            futures[attack, "bare"] = pool.submit(attempt_bare, attack, world)
        for kept in attack.waivable:
            others = [name for name in attack.waivable if name != kept]
            futures[attack, "alone", kept] = pool.submit(attempt, attack, world, waiving(others))
    return futures


def baseline(outcomes, attack):
    """Without protections.  A device that even the host does not have is absent."""
    verdict = outcomes[attack, "bare" if attack.structural else "off"].result()
    if verdict.evidence == "refused: ENOENT" and attack.structural and not attack.argument:
        verdict.word = "absent"
    return verdict


@pytest.mark.parametrize("who", WHO)
@by_attack
def test_is_refused_by_default(outcomes, attack, who):
    verdict = outcomes[attack, "default", who].result()
    if verdict.word == "absent":
        pytest.skip(verdict.evidence)
    assert verdict.word == "refused", verdict
    if attack.call:
        assert attack.call in verdict.calls, f"the result does not name {attack.call}: {verdict}"


@pytest.mark.skipif(not IS_ROOT, reason="protections are waived one by one as root")
@by_attack
def test_succeeds_without_protections(outcomes, attack):
    verdict = baseline(outcomes, attack)
    if harness.is_absent(verdict):
        pytest.skip(verdict.evidence)
    assert verdict.word == "achieved", f"an attack that cannot succeed shows nothing: {verdict}"


CELLS = [(attack, kept) for attack in attacks() for kept in attack.stoppers]


@pytest.mark.skipif(not IS_ROOT, reason="protections are waived one by one as root")
@pytest.mark.parametrize(("attack", "kept"), CELLS,
                         ids=[f"{attack.name}-{kept}" for attack, kept in CELLS])
def test_each_protection_stops_it_alone(outcomes, attack, kept):
    if harness.is_absent(baseline(outcomes, attack)):
        pytest.skip("this kernel has no such thing")
    # A structural one is alone when all that can be waived is.
    key = (attack, "off") if kept in STRUCTURAL else (attack, "alone", kept)
    verdict = outcomes[key].result()
    assert verdict.word == "refused", f"{kept} alone does not stop it: {verdict}"


# ---- the document ----

def cell(attack, protection):
    if protection not in attack.stoppers:
        return ""
    if protection in STRUCTURAL:
        return "◆"
    # Behind a structural one another can only be seen where it says itself that it refused.
    seen = not attack.structural or (protection == "seccomp" and attack.call)
    return "●" if seen else "○"


def document():
    columns = []
    for attack in attacks():
        columns += [name for name in attack.stoppers if name not in columns]
    rows = []
    for attack in attacks():
        alone = " (one layer)" if len(attack.stoppers) == 1 else ""
        stops = ", ".join(f"{cell(attack, name)} {name}" for name in attack.stoppers)
        rows.append(f"| {attack.category} | `{attack.name}` | {attack.what} | {stops}{alone} |")
    counts = []
    for name in sorted(columns):
        marks = [cell(attack, name) for attack in attacks()]
        only = sum(attack.stoppers == (name,) for attack in attacks())
        counts.append(f"| {name} | {sum(map(bool, marks))} | {only} |")
    return (INTRODUCTION.read_text()
            + "\n| | attack | what it tries | what stops it |\n|---|---|---|---|\n"
            + "\n".join(rows)
            + "\n\n## What each protection stops\n\n"
            + "| protection | attacks it stops | of these, alone |\n|---|---|---|\n"
            + "\n".join(counts) + "\n" + document_of_policies())


def document_of_policies():
    rows = [f"| `{attack.name}` | {attack.what} | {', '.join(attack.stoppers)} |"
            for attack in attacks("policy")]
    return ("\n## What policies give and take\n\n"
            "`tests/attack/test_policy_attacks.py` tries each of these under a policy that denies, hides, or\n"
            "lets be written, and under the same policy without the protection, as root and as an\n"
            "ordinary user. It also plants links for later runs, and exchanges a mount's source for a\n"
            "link while it is mounted.\n\n"
            "| attack | what it tries | what stops it |\n|---|---|---|\n" + "\n".join(rows) + "\n")


def test_the_document_is_up_to_date():
    if os.environ.get("CELLA_WRITE_DOCS"):
        DOCUMENT.write_text(document())
    assert DOCUMENT.read_text() == document(), "make it anew with CELLA_WRITE_DOCS=1"


@pytest.mark.skipif(not IS_ROOT, reason="protections are waived one by one as root")
def test_prints_the_matrix(outcomes, capsys):
    """What this host showed: + refused by that one alone, ! not refused, - absent here."""
    lines = []
    for attack in attacks():
        absent = harness.is_absent(baseline(outcomes, attack))
        marks = []
        for name in attack.stoppers:
            key = (attack, "off") if name in STRUCTURAL else (attack, "alone", name)
            word = outcomes[key].result().word
            marks.append(("-" if absent else "+" if word == "refused" else "!") + name)
        single = "  (one layer)" if len(attack.stoppers) == 1 else ""
        lines.append(f"{attack.name:24} {' '.join(marks)}{single}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
