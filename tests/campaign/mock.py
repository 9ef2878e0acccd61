"""A generator that does all that may go wrong, to test the frame with."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from campaign.case import Case

KNOWN = {"odd": "it is not even"}


def one(case: Case) -> None:
    """Die, hang, raise, find, or do nothing, as the number says."""
    case.doing(f"case {case.number}", known="odd" if case.number == 3 else "")
    match case.number:
        case 1:
            case.find("even", f"{case.rng.random()}")
        case 3 | 5:
            os.kill(os.getpid(), signal.SIGABRT)
        case 6:
            raise ValueError("six")
        case 7:
            sys.exit(9)
        case 8:
            signal.pause()
        case _:
            case.tally("good")
