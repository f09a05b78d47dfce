"""What runs calls for IPython, in their sandbox: one cell by once(), or those of a session as they
come, by serve().

What a cell prints is what IPython prints, without the numbers of its prompts, which count inputs.

How a session works.  The server writes a line for each cell to standard input, and what it counts:
the code, and what the code shall read.  While a cell runs, its standard streams are its own, also
those of its children; behind all that it has written comes a mark on both, which says what the
server has said in that line and nobody could guess.  SIGINT ends a cell.  Nothing here guards
anything: a cell can do all that this file can, and harms its own session with it.
"""
import contextlib
import fcntl
import os
import signal
import sys
import tempfile
import time
import traceback

os.environ["IPYTHONDIR"] = "/tmp/ipython"
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

KEPT = 64  # descriptors of ours are from here on, out of the way of cells that count on low ones
LATE = 1.0  # seconds that a SIGINT for the cell before may take


class Interrupts:
    """Each SIGINT is counted; while a cell runs it is raised."""

    def __init__(self):
        self.count = 0
        self.running = False
        self.came = False  # for the cell that runs

    def take(self, _signal, _frame):
        self.count += 1
        if self.running:
            self.came = True
            raise KeyboardInterrupt

    def begin(self):
        """For a cell, which may have set what it likes for the next one."""
        signal.signal(signal.SIGINT, self.take)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self.came = False
        self.running = True

    def wait_for(self, count):
        """One that was sent as the cell before ended is not for the next one."""
        end = time.monotonic() + LATE
        while self.count < count and time.monotonic() < end:
            time.sleep(0.01)


interrupts = Interrupts()


def make_shell():
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = InteractiveShell.instance(config=config)
    shell.displayhook.write_output_prompt = lambda: None
    shell.separate_out = shell.separate_out2 = ""

    def show(kind, _value, lines):
        if interrupts.came and issubclass(kind, KeyboardInterrupt):
            return  # the server says that the time was over
        text = shell.InteractiveTB.stb2text(lines)
        shown = [line for line in text.split("\n") if not line.strip().startswith("File <ipython-")]
        print("\n".join(shown).rstrip())

    shell._showtraceback = show
    shell.system = shell.system_raw  # there is no terminal to be had
    return shell


def run(shell, code, mode):
    shell.InteractiveTB.set_mode(mode=mode)
    return shell.run_cell(code, silent=False).success


def once(code, mode):
    sys.exit(0 if run(make_shell(), code, mode) else 1)


# ---- a session ----

def keep(descriptor):
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, KEPT)


class Streams:
    """The three standard ones, which a cell may close, or put others in the place of."""

    def __init__(self):
        self.kept = keep(1), keep(2)
        with open(os.devnull, "rb") as null:
            self.null = keep(null.fileno())  # there is one, whatever a cell has left open
        self.files = [sys.stdout, sys.stderr]
        for file in self.files:
            file.reconfigure(line_buffering=True)  # what was printed is there if the cell is killed

    def begin(self, given):
        os.dup2(self.null, 0)
        if given:
            with tempfile.TemporaryFile() as file:
                file.write(given)
                file.seek(0)
                os.dup2(file.fileno(), 0)
        sys.stdin = open(0, closefd=False)
        for place, file in enumerate(self.files):
            if file.closed:
                self.files[place] = open(place + 1, "w", buffering=1, closefd=False)
        sys.stdout, sys.stderr = self.files

    def flush(self):
        for file in (sys.stdout, sys.stderr, *self.files):
            with contextlib.suppress(Exception):
                file.flush()

    def end(self):
        self.flush()
        for place, descriptor in enumerate(self.kept):
            os.dup2(descriptor, place + 1)
        self.flush()
        self.begin(b"")

    def mark(self, word, good):
        """Small enough to be written in one piece, whoever else writes there."""
        for descriptor in self.kept:
            os.set_blocking(descriptor, True)
            os.write(descriptor, b"\x1e%s%d\n" % (word, good))


def run_cell(shell, streams, code, mode, given):
    """Whether it ended well.  What a cell has forked and not ended ends here."""
    parent = os.getpid()
    good = False
    try:
        streams.begin(given)
        interrupts.begin()
        good = run(shell, code, mode)
    except BaseException as error:  # out of IPython itself
        interrupts.running = False
        if not interrupts.came:
            traceback.print_exception(error)
    interrupts.running = False
    if os.getpid() != parent:
        streams.flush()
        os._exit(0 if good else 1)
    return good


def serve(word):
    frames = open(keep(0), "rb")
    signal.signal(signal.SIGINT, interrupts.take)
    streams = Streams()
    shell = make_shell()
    streams.end()
    streams.mark(word, True)
    while line := frames.readline():
        word, mode, count, *sizes = line.split()
        code, given = (frames.read(int(size)) for size in sizes)
        interrupts.wait_for(int(count))
        good = False
        with contextlib.suppress(KeyboardInterrupt):  # it came between two lines of run_cell()
            good = run_cell(shell, streams, code.decode(), mode.decode(), given)
        interrupts.running = False
        streams.end()
        streams.mark(word, good)
    os._exit(0)  # whatever threads there are
