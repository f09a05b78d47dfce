#!/usr/bin/python3
"""Holds the rules of CONTRIBUTING.md that no compiler knows: banned functions, long files and lines,
files that do not say what they are for, and words that have no place in the tree.

The length of functions is clang-tidy's to hold (readability-function-size in .clang-tidy).
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600
LINE_MAX = 100

# Each has a successor that cannot overrun, cannot fail unseen, or starts no shell.
BANNED = ("strcpy strcat sprintf vsprintf strncpy strncat atoi atol atof strtok system popen alloca "
          "gets signal usleep mktemp tmpnam").split()
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")

# Paths of the machine that somebody wrote on mean nothing on any other.  (Tests ask for paths of
# homes that nobody has.)
FOREIGN = re.compile(r"(?<![\w.])/(?:home/(?!me\b|x\b)\w|work/|Users/)")

COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                               re.DOTALL)


def without_comments(text):
    """The same lines with comments and strings blanked."""
    return COMMENT_OR_STRING.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def check_c(name, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}"
    if not text.startswith("/*"):
        yield f"{name}:1: does not open with a comment that says what the file is for"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            yield f"{name}:{number}: {len(line)} characters, at most {LINE_MAX}"
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for match in BANNED_CALL.finditer(line):
            yield f"{name}:{number}: {match[1]}() is banned"


def check_any(name, text):
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() and not name.endswith(".md"):
            yield f"{name}:{number}: white space at the end"
        if FOREIGN.search(line):
            yield f"{name}:{number}: a path of one machine"


def files_of_tree():
    """What git would commit, corpora and licence apart: they are not ours to format."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                             stdout=subprocess.PIPE, text=True, check=False).stdout.split("\n")
    names = [name for name in listing if name and (ROOT / name).is_file()]
    if not names:  # a released archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if path.is_file() and not path.relative_to(ROOT).parts[0].startswith(("build", "."))]
    return [name for name in names
            if not name.startswith("fuzz/corpus/") and name not in ("LICENSE", "tests/style.py")]


def check():
    problems = []
    for name in sorted(files_of_tree()):
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            problems.append(f"{name}: not UTF-8 text")
            continue
        problems += check_any(name, text)
        if name.endswith((".c", ".h")) and not name.startswith("tests/languages/"):
            problems += check_c(name, text)
    return problems


if __name__ == "__main__":
    found = check()
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
