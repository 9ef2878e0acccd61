"""The process in which a generator's cases run, one after the other.

Not here: what is done when it dies (`frame`).
"""

from __future__ import annotations

import gc
import importlib
import sys
import tempfile
import traceback
from pathlib import Path
from time import monotonic, process_time
from typing import TYPE_CHECKING

from rigs.peak import peak

from campaign.case import Case, Journal

if TYPE_CHECKING:
    from collections.abc import Callable


def one(make: Callable[[Case], None], case: Case) -> None:
    """Do one case; whatever leaves it is a finding."""
    tally = case.journal.tally
    begun = process_time()
    try:
        make(case)
    except Exception:  # noqa: BLE001 - that nothing escapes is what is asked
        case.find("exception", f"{tally.doing}\n{traceback.format_exc()}")
    tally.cases += 1
    tally.count += case.done
    tally.timed(f"#{case.number} {tally.doing}", process_time() - begun)
    tally.peak_mib = peak() >> 10


def work(module: str, seed: int, journal: Journal, *, until: float, most: int) -> None:
    """Do cases until so many things are done or the clock says so."""
    make: Callable[[Case], None] = importlib.import_module(module).one
    tally = journal.load()
    while tally.count < most and monotonic() < until:
        tally.doing = tally.known = ""
        journal.save()
        with tempfile.TemporaryDirectory() as folder:
            one(make, Case(seed, tally.number, Path(folder), journal))
        tally.number += 1
    gc.collect()
    journal.save()


def main(given: list[str]) -> None:
    """`MODULE SEED FOLDER UNTIL MOST`: `UNTIL` on the monotonic clock."""
    module, seed, folder, until, most = given
    journal = Journal(Path(folder))
    work(module, int(seed), journal, until=float(until), most=int(most))
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1:])
