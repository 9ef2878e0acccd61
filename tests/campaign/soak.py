"""One session of eight vCPUs, driven for as long as it is told, and what it grew to.

One case is a stretch of the session, which goes on in the next one; each ends with a
row of the table. A case rebuilt by its number begins a session of its own.
"""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rigs import deeds

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from campaign.case import Case
    from lapis_sessions.session import Session

STEPS = 250
CPUS = 8
GROWN_MIB = 64
"""What memory may grow by from the first rows after the warm-up to the last."""
WARM = 20
"""Rows of the warm-up."""
DEEDS = [
    kind for kind in deeds.DEEDS for _ in range(deeds.OFTEN.get(kind, 1))
]  # fmt: skip
SESSIONS: dict[int, Session] = {}
"""By seed."""
ROWS: dict[int, list[dict[str, int]]] = {}


def one(case: Case) -> None:
    """Go on with the session of this seed."""
    session = SESSIONS.get(case.seed)
    if session is None:
        options = SessionOptions("ap-bringup", cpus=CPUS, memory="4M")
        session = SESSIONS[case.seed] = open_session(options, discover().extensions)
    rng, case.done = case.rng, STEPS
    for _ in range(STEPS):
        kind = rng.choice(DEEDS)
        line = deeds.DEEDS[kind](session, rng)
        case.doing(line)
        outcome = session.execute(line)
        session.notices.clear()  # as whoever shows them does
        if "internal" in outcome.error or "diverge" in outcome.error:
            case.find("wrong", f"{line}: {outcome.error}")
    row = sampled(session)
    rows = ROWS.setdefault(case.seed, [])
    rows.append(row)
    case.row({"case": case.number, **row})
    judge(case, rows)


def judge(case: Case, rows: list[dict[str, int]]) -> None:
    """Find what grows: once, when it has."""
    if len(rows) <= WARM:
        return
    first, last, before = rows[WARM - 1], rows[-1], rows[-2]
    limits = {"rss_mib": GROWN_MIB, "descriptors": 0, "threads": 0}
    for name, grown in limits.items():
        limit = first[name] + grown
        if last[name] > limit and (len(rows) == WARM + 1 or before[name] <= limit):
            case.find(f"{name} grows", f"from {first[name]} to {last[name]}: {last}")


def sampled(session: Session) -> dict[str, int]:
    """Return a row of the table."""
    timeline = session.timeline
    branches = timeline.branches.values()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    rss = next(row for row in status.splitlines() if row.startswith("VmRSS"))
    return {
        "rss_mib": int(rss.split()[1]) >> 10,
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
        "branches": len(timeline.branches),
        "entries": sum(len(branch.entries) for branch in branches),
        "checkpoints": timeline.keeper.count,
        "held_mib": timeline.keeper.held >> 20,
        "events": len(session.machine.log.last(1 << 30)),
        "retired": timeline.spot.at.retired,
    }
