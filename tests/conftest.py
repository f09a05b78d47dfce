"""What every pytest here shares: nothing stays behind.  (program.py is the rest of it.)"""
import leaks
import pytest


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """The whole session leaves the host as it was."""
    before = leaks.snapshot()
    yield
    leaks.assert_nothing_new(before)
