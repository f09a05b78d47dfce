"""Programs of Debian packages that are not to be installed, since they would bring a daemon with
them: fetched by apt-get once, into a cache outside of the tree, and unpacked there."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def debian_program(package, path):
    """The program at that path of the package; skips when it cannot be had."""
    cache = Path(os.environ.get("CELLA_TEST_CACHE") or Path.home() / ".cache" / "cella-tests")
    directory = cache / "debian" / package
    if not (directory / path).exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            pytest.skip(f"without apt-get and dpkg {package} cannot be fetched")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        done = subprocess.run(["apt-get", "download", package], cwd=directory, text=True, timeout=300,
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        files = list(directory.glob("*.deb"))
        if done.returncode != 0 or not files:
            pytest.skip(f"apt-get cannot fetch {package}: {done.stdout[-400:]}")
        subprocess.run(["dpkg", "-x", files[0], directory], check=True, timeout=300)
        files[0].unlink()
    return directory / path
