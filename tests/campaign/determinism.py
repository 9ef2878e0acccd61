"""Random programs, each run in two processes that have nothing of the host in common.

A quarter is short: a way into a mode, and a soup there. The others are of random bytes
that mend themselves, and so run on (`mending`).

Both have another hash seed, another environment (and so another stack) and other
addresses. The second is told that its processor has fewer instructions, which makes the
C library take other code, and it counts the guest's one by one. The digests must be
equal, and neither process may die.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from campaign import guests, mending, soup
from lapis_engine.cpu import selfcheck
from lapis_engine.replay.digest import Digester
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from campaign.case import Case

BATCH = 24
"""Programs of a case; every fourth is short."""
FIRST, LITTLE = 4, 300_000
"""Programs of case 0, which the suite does, and instructions of one."""
END = soup.TABLES - 16
MOST = 1_000
"""Instructions of a short one."""
TESTS = Path(__file__).resolve().parents[1]
FEWER = ",".join(
    f"-{name}" for name in ("AVX512F", "AVX2", "AVX", "FMA", "FMA4", "ERMS")
)
COUNTED = "CAMPAIGN_COUNTED"
"""Instructions are counted one by one in a process that has this."""
ENVIRONMENTS = (
    {"PYTHONHASHSEED": "1"},
    {
        "PYTHONHASHSEED": "2",
        "OTHER": "x" * 5000,
        COUNTED: "1",
        "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={FEWER}",
    },
)
TRANSCENDENTAL = tuple(
    bytes((0xD9, code)) for code in (0xF0, 0xF1, 0xF2, 0xF3, 0xF9, 0xFB, 0xFE, 0xFF)
)
"""What the processor underneath would leave to the C library (SDM Vol. 2A)."""
X87 = tuple(bytes.fromhex(code) for code in (
    "d9eb", "d9ed", "d9e8", "d9ee", "d9ea", "d9ec", "d9e9", "dec1", "dec9", "def1",
    "d9c0", "d9fa", "d9fc", "d9f8", "d9f5", "d9e0", "d9e1", "d9fd", "d9f4", "d9f7",
))  # fmt: skip


def program(seed: int, number: int, index: int) -> tuple[SessionOptions, bytes, int]:
    """Return how a program is run, and its image, without a path; and how far."""
    rng = Random(f"{seed} {number} {index}")
    bits, image = soup.guest(rng)
    data = bytearray(image)
    begin = soup.way_in(bits)
    kind = rng.random()
    if kind < 0.4:
        data[begin:END] = rng.randbytes(END - begin)
    elif kind < 0.6:
        words = (*X87, *TRANSCENDENTAL)
        body = b"".join(rng.choice(words) for _ in range(0x600))
        data[begin : begin + len(body)] = body
    options = SessionOptions(
        "", rng.choice((1, 4)), guests.MEMORY, "sdm",
        quantum=rng.choice((3, 100, 1000)), ports="float",
    )  # fmt: skip
    return options, bytes(data), rng.choice((200, MOST))


def _ran(seed: int, number: int, index: int, folder: Path) -> guests.Ran:
    if index % 4:
        return _mended(seed, number, index)
    options, image, many = program(seed, number, index)
    path = folder / "guest.bin"
    path.write_bytes(image)
    options = replace(options, guest=str(path))
    return guests.run_as(options, many, lambda left: left, None)


def _trial(seed: int, number: int, index: int) -> mending.Trial:
    found = mending.trial(Random(f"{seed} {number} {index}"))
    return found if number else found._replace(most=min(found.most, LITTLE))


def _batch(number: int) -> int:
    return BATCH if number else FIRST


def _mended(seed: int, number: int, index: int) -> guests.Ran:
    trial = _trial(seed, number, index)
    world = mending.world(trial.kind, trial.cpus)
    ran = world.run(trial)
    digester = Digester(world.machine)
    return guests.Ran(digester.digest(), digester.fields(), ran)


def one(case: Case) -> None:
    """Run some programs in two processes at the same time."""
    case.done = _batch(case.number)
    case.doing(f"programs of seed {case.seed}, case {case.number}")
    told = _both(case)
    for index, (first, second) in enumerate(zip(*told, strict=False)):
        case.tally("instructions, each once", first["retired"])
        if index % 4:
            trial = _trial(case.seed, case.number, index)
            kind = f"{trial.kind.bits} bits, {trial.cpus} vCPUs: instructions"
            case.tally(kind, first["retired"])
        if first == second:
            case.tally("equal")
            continue
        _tell(case, index)


def _tell(case: Case, index: int) -> None:
    """Find out which fields differ."""
    one, other = (rows[0]["fields"] if rows else {} for rows in _both(case, index))
    names = sorted(name for name in one | other if one.get(name) != other.get(name))
    _, image, _ = program(case.seed, case.number, index)
    text = repr(_trial(case.seed, case.number, index)) if index % 4 else image[:300]
    case.find("different", f"program {index}: {', '.join(names[:12])}; {text!r}")


def _both(case: Case, index: int | None = None) -> list[list[Any]]:
    """Run the programs, or one of them, in two processes; what dies is a finding."""
    argv = [sys.executable, "-m", "campaign.determinism", str(case.seed)]
    argv += [str(case.number), *([] if index is None else [str(index)])]
    children = [
        subprocess.Popen(
            argv, cwd=TESTS, env=os.environ | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="replace",
        )
        for environment in ENVIRONMENTS
    ]  # fmt: skip
    found: list[list[Any]] = []
    for child in children:  # little is said: no pipe is full while the other is read
        out, said = child.communicate()
        if child.returncode:
            case.find(f"ended with {child.returncode}", said[-1500:])
        found.append([] if child.returncode else json.loads(out))
    return found


def main(given: list[str]) -> None:
    """`SEED NUMBER [INDEX]`: say what each program came to, or that one in full."""
    seed, number, *index = map(int, given)
    selfcheck.count_by_instruction(on=COUNTED in os.environ)
    with tempfile.TemporaryDirectory() as folder:
        for_all = not index
        rows = []
        for each in range(_batch(number)) if for_all else index:
            ran = _ran(seed, number, each, Path(folder))
            row: dict[str, Any] = {"digest": ran.digest, "retired": ran.retired}
            rows.append(row if for_all else row | {"fields": dict(ran.fields)})
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
