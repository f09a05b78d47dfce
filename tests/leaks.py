#!/usr/bin/python3
"""What runs may leave on a host, and must not: processes, mounts, control groups, locks, files.

  before = leaks.snapshot();  ...;  leaks.assert_nothing_new(before)

As a program it prints what is there now, one thing a line.  With words it runs them as a command
whose tests run beside others: of those leaks.snapshot() then takes no notice.
"""
import ctypes
import glob
import os
import re
import subprocess
import sys
import time
from pathlib import Path

UID_FIRST, UID_COUNT = 1900000000, 65536  # src/isolate/uids.h
LEASES = Path("/run/cella/uids")
SETTLE_SECONDS = 3  # a killed keeper's sandboxes end by the kernel's hand, a moment later
REAPER = os.environ.get("CELLA_TEST_REAPER")  # its pid, where tests run beside others
PR_SET_CHILD_SUBREAPER = 36


def processes():
    """Everything with a uid that only runs have, and everything of ours by name."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            status = (directory / "status").read_text()
        except OSError:
            continue  # it ended meanwhile
        found[directory.name] = dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))
    for pid, fields in found.items():
        name, uids = fields["Name"], [int(uid) for uid in fields["Uid"].split()]
        if fields["State"].startswith("Z") and fields["PPid"] in ("1", REAPER):
            continue  # ended; who is asked to reap it takes its time
        of_a_run = any(UID_FIRST <= uid < UID_FIRST + UID_COUNT for uid in uids)
        if (of_a_run or name.startswith("cella")) and not is_of_others(pid, found):
            yield f"process {pid} {name} (uid {uids[0]})"


def is_of_others(pid, found):
    """Whether it descends from somebody else than our reaper.  In doubt, since a parent has ended
    while we looked, it does not."""
    while REAPER and pid != REAPER and pid in found:
        pid = found[pid]["PPid"]
    return pid == "0"


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
    """Whose a mount, a control group or a file is cannot be told: where others run tests too, it is
    looked for when all have ended, by scripts/test."""
    kinds = (processes,) if REAPER else (processes, mounts, control_groups, locks, files)
    return {thing for kind in kinds for thing in kind()}


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


def reap_for(command):
    """Runs a command and returns its exit code; whoever it leaves alone becomes a child of ours, and
    not of the host's init."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ["CELLA_TEST_REAPER"] = str(os.getpid())
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command]) as process:
        while True:
            pid, status = os.wait()
            if pid == process.pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(reap_for(sys.argv[1:]))
    things = sorted(thing for thing in snapshot() if not thing.startswith("mount "))
    print("\n".join(things), end="\n" if things else "")
    sys.exit(0)
