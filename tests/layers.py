#!/usr/bin/python3
"""Holds src/layers.txt: which module of src/ may include which.

Also: no rule allows what its module does not include, fronts use the public headers and, where a
rule says so, base, jansson comes in through base/json.h alone, and no module depends on itself by
way of others.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
FOR_FRONTS = {"cella/host.h", "cella/policy.h", "cella/repeat.h", "cella/wire.h"}
GENERATED = {"filters.h"}  # made by the build, part of isolate/native


def read_rules(text):
    """{module: set of modules that it may include}, in the order of the file."""
    rules = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        module, colon, allowed = line.partition(":")
        if not colon or module in rules:
            raise ValueError(f"src/layers.txt:{number}: not a rule, or a second one: {line}")
        rules[module] = set(allowed.split())
    for module, allowed in rules.items():
        if allowed - rules.keys():
            raise ValueError(f"src/layers.txt: {module} may include unknown modules: "
                             + " ".join(sorted(allowed - rules.keys())))
    return rules


def module_of(path, rules):
    """The longest module name that `path` (from src/) is, or lies under; None for none."""
    names = [path, *map(str, Path(path).parents)]
    return next((name for name in names if name in rules), None)


def find_cycle(graph):
    """A list of modules that leads back to its first, or None."""
    done = set()

    def walk(module, trail):
        if module in trail:
            return trail[trail.index(module):] + [module]
        if module in done:
            return None
        for following in sorted(graph.get(module, ())):
            cycle = walk(following, trail + [module])
            if cycle:
                return cycle
        done.add(module)
        return None

    return next(filter(None, (walk(module, []) for module in graph)), None)


def check_file(path, text, rules, used):
    """Yields what is wrong with one file's includes; adds what it needs to `used`."""
    module = module_of(path, rules)
    if module is None:
        yield f"src/{path}: belongs to no module of src/layers.txt"
        return
    is_front = path.startswith("front/")
    for match in INCLUDE.finditer(text):
        ours, other = match.groups()
        line = text.count("\n", 0, match.start(1) if ours else match.start(2)) + 1
        if other is not None:
            if other == "jansson.h" and path != "base/json.h":
                yield f"src/{path}:{line}: <jansson.h> is included by base/json.h alone"
            if other in FOR_FRONTS and not is_front and module != "engine":
                yield f"src/{path}:{line}: <{other}> is for engine and front"
            continue
        if ours in GENERATED:
            continue
        if not (SRC / ours).is_file():
            yield f"src/{path}:{line}: no header {ours} in src/ (include from src/)"
            continue
        target = module_of(ours, rules)
        if target == module:
            continue
        if target not in rules[module] and (is_front or target != "base"):
            yield f"src/{path}:{line}: {module} may not include {ours} (of {target})"
        used.setdefault(module, set()).add(target)


def check():
    rules = read_rules((SRC / "layers.txt").read_text())
    used = {}
    problems = []
    for path in sorted(SRC.rglob("*.[ch]")):
        name = str(path.relative_to(SRC))
        problems += check_file(name, path.read_text(), rules, used)
    for module, allowed in rules.items():
        problems += [f"src/layers.txt: {module} does not include {name}: the rule is too wide"
                     for name in sorted(allowed - used.get(module, set()))]
    cycle = find_cycle(used)
    if cycle:
        problems.append("modules include each other in a circle: " + " -> ".join(cycle))
    return problems


if __name__ == "__main__":
    try:
        found = check()
    except ValueError as wrong_rule:
        found = [str(wrong_rule)]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
