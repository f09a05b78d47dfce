"""What every pytest here shares: nothing stays behind.  (program.py is the rest of it.)"""
import signal

import leaks
import pytest

# Who starts tests in the background, or by nohup, has these ignored, and programs inherit that.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """The whole session leaves the host as it was."""
    before = leaks.snapshot()
    yield
    leaks.assert_nothing_new(before)
