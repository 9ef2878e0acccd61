"""What every test begins from."""

import signal

import pytest

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@pytest.fixture(scope="session", autouse=True)
def _heard() -> None:
    """Let signals be heard, though the suite was started in the background.

    A shell has what it starts there ignore SIGINT, and so would all that we start;
    Lapis leaves ignored what is ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_IGN:
            is_int = number == signal.SIGINT
            signal.signal(
                number, signal.default_int_handler if is_int else signal.SIG_DFL
            )
