"""What every pytest here shares: nothing stays behind.  (program.py is the rest of it.)"""
import os
import signal
import socket

import leaks
import pytest

# Who starts tests in the background, or by nohup, has these ignored, and programs inherit that.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: changes the host, or uses it up; no other test may run "
                                       "beside it")
    config.addinivalue_line("markers", "programs: what takes its time is the programs that run, in which "
                                       "sanitizers see nothing")


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """The whole session leaves the host as it was."""
    before = leaks.snapshot()
    yield
    leaks.assert_nothing_new(before)


@pytest.fixture(scope="session", autouse=True)
def no_server_of_others():
    """`cella run` would give its programs to it."""
    places = ["/run/cella/serve.sock"] if os.geteuid() == 0 else []
    for place in places + [f"{os.environ.get('XDG_RUNTIME_DIR', '')}/cella/serve.sock"]:
        with socket.socket(socket.AF_UNIX) as asked:
            assert asked.connect_ex(place) != 0, f"stop the server at {place}: it would run what is tested"
