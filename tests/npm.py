"""Packages of npm's registry that are clients in tests: fetched once, at these versions, into a
directory of the user's own outside of the tree."""
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 120


def npm_modules(*packages):
    """The directory in which node finds them; the test is skipped when they cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    cache = Path(os.environ.get("CELLA_TEST_CACHE") or Path.home() / ".cache" / "cella-tests")
    name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    directory = cache / "npm" / name
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--prefix", str(directory), "--ignore-scripts", "--no-audit",
             "--no-fund", "--no-save", *packages],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {' '.join(packages)}: {done.stdout[-400:]}")
        (directory / "complete").touch()
    return directory / "node_modules"


def run_node(modules, script, *args, seconds=60):
    """Standard output of a script that requires them."""
    done = subprocess.run(
        ["node", "-e", script, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=seconds, check=False,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules)})
    assert done.returncode == 0, done.stderr
    return done.stdout
