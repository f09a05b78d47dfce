#!/usr/bin/python3
"""What runs may leave on a host, and must not: processes, mounts, control groups, locks, files.

  before = leaks.snapshot();  ...;  leaks.assert_nothing_new(before)

As a program it prints what is there now, one thing a line.
"""
import glob
import os
import re
import sys
import time
from pathlib import Path

UID_FIRST, UID_COUNT = 1900000000, 65536  # src/isolate/uids.h
LEASES = Path("/run/cella/uids")
SETTLE_SECONDS = 3  # a killed keeper's sandboxes end by the kernel's hand, a moment later


def processes():
    """Everything with a uid that only runs have, and everything of ours by name."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            status = (directory / "status").read_text()
        except OSError:
            continue  # it ended meanwhile
        fields = dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))
        name, uids = fields["Name"], [int(uid) for uid in fields["Uid"].split()]
        if fields["State"].startswith("Z") and fields["PPid"] == "1":
            continue  # ended; the host's init takes its time to ask how
        of_a_run = any(UID_FIRST <= uid < UID_FIRST + UID_COUNT for uid in uids)
        if of_a_run or name.startswith("cella"):
            yield f"process {directory.name} {name} (uid {uids[0]})"


def mounts():
    """Every mount that this process sees: a leak need not have our name."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        yield f"mount {fields[4]} (id {fields[0]}, {fields[fields.index('-') + 1]})"


def control_groups():
    for parent, directories, _ in os.walk("/sys/fs/cgroup"):
        for directory in directories:
            if directory.startswith("cella-"):
                yield f"control group {parent}/{directory}"


def locks():
    """Leases of uids that somebody holds: locks on the lease file."""
    try:
        status = LEASES.stat()
    except OSError:
        return
    inode = f":{status.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "->" not in fields and fields[5].endswith(inode):
            yield f"lock {LEASES} byte {fields[6]}"


def files():
    for directory in ("/tmp", "/var/tmp", "/dev/shm", "/run"):
        for path in glob.glob(f"{directory}/*cella*") + glob.glob(f"{directory}/.*cella*"):
            if Path(path) != LEASES.parent:
                yield f"file {path}"
    for path in Path("/dev/shm").iterdir():
        yield f"file {path}"


def snapshot():
    return {thing for kind in (processes, mounts, control_groups, locks, files) for thing in kind()}


def new_since(before):
    """What was not there before and does not go away by itself.  What comes up only while we look
    is somebody else's: another run on this host."""
    deadline = time.monotonic() + SETTLE_SECONDS
    left = snapshot() - before
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left &= snapshot()
    return sorted(left)


def assert_nothing_new(before):
    left = new_since(before)
    assert not left, "left behind:\n  " + "\n  ".join(left)


if __name__ == "__main__":
    things = sorted(thing for thing in snapshot() if not thing.startswith("mount "))
    print("\n".join(things), end="\n" if things else "")
    sys.exit(0)
