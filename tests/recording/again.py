"""Replay one recording many times: `python tests/recording/again.py [TIMES]`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from rigs import recordings  # noqa: E402 - found by the line above


def main(times: int) -> None:
    """Replay four vCPUs, answered and interfered with, so many times."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "four.lapis"
        recordings.record(path)
        found = {recordings.verify(path) for _ in range(times)}
    assert len(found) == 1, found
    (verdict,) = found
    assert verdict.divergence is None, verdict.divergence.text
    sys.stdout.write(
        f"{times} replays of {verdict.acts} acts: digest {verdict.digest} each time\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
