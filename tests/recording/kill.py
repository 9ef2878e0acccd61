"""Kill who records, at random moments, and open what is left.

`python tests/recording/kill.py [ROUNDS [SEED]]`, 200 rounds unless said otherwise.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from rigs import recordings  # noqa: E402 - found by the line above

from lapis_sessions.recording.format import reader  # noqa: E402 - the same

ROUNDS = 200
MOST = 400
"""Acts after which the child is killed, at most."""
CHILD = """
import sys
sys.path.insert(0, {tests!r})
import pathlib, random
from rigs import recordings
from lapis_sessions.recording.format import writer
writer.SECONDS, writer.PATIENCE = 0.002, 0
seed = random.Random({seed})
session = recordings.record(pathlib.Path({path!r}), (), close=False)
while True:
    line = seed.choice(("run 37", "run 400", "nmi 2", "quantum 9", "quantum 90",
                        "ipi fixed 0x31 --to 3 --from 1", "answer 5", "step",
                        "goto 90", "branch main", "goto end"))
    session.execute(line)
    print(line, flush=True)
"""


def one(folder: Path, number: int) -> tuple[int, int]:
    """Record, kill, open and replay; return (acts that were left, bytes lost)."""
    path = folder / f"{number}.lapis"
    code = CHILD.format(tests=str(TESTS), seed=number, path=str(path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        for _ in range(Random(number).randrange(1, MOST)):
            if not child.stdout.readline():
                break
        child.kill()
    assert child.returncode == -9, f"it ended with {child.returncode} by itself"
    assert not path.exists()
    partial = path.with_name(path.name + ".partial")
    recording = reader.read(str(partial))
    assert not recording.complete
    verdict = recordings.verify(partial)
    assert verdict.divergence is None, verdict.divergence.text
    return recording.acts, recording.lost


def main(rounds: int, seed: int) -> None:
    """Do so many rounds, and say what came of them."""
    with TemporaryDirectory() as folder:
        found = [one(Path(folder), seed + number) for number in range(rounds)]
    acts = sorted(acts for acts, _ in found)
    torn = sum(1 for _, lost in found if lost)
    sys.stdout.write(
        f"{rounds} killed: every file opened and replayed; {acts[0]} to {acts[-1]} "
        f"acts, {acts[len(acts) // 2]} in the middle; {torn} with a torn tail\n"
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *[ROUNDS, 1][len(given) :])
