"""Packages of PyPI that tests need: fetched once, at these versions and without what they depend on,
into a directory of the user's own outside of the tree."""
import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest


def pypi_directory(*packages):
    """Where they are importable from; the test is skipped when they cannot be had."""
    cache = Path(os.environ.get("CELLA_TEST_CACHE") or Path.home() / ".cache" / "cella-tests")
    name = " ".join([*packages, sys.version])
    directory = cache / "pypi" / hashlib.sha256(name.encode()).hexdigest()[:16]
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--only-binary", ":all:", "--no-deps", "--target", str(directory), *packages],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=180, check=False)
        if done.returncode != 0:
            pytest.skip(f"pip cannot install {' '.join(packages)}: {done.stdout[-400:]}")
        (directory / "complete").touch()
    return directory


def pypi_modules(*packages):
    """Makes them importable here."""
    directory = pypi_directory(*packages)
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
        importlib.invalidate_caches()
