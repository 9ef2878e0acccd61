"""Writes the golden lists anew: read first what the test that failed says."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "sessions")]

import test_schema  # noqa: E402 - found by the line above

for name, listing in test_schema.LISTS.items():
    path = test_schema.GOLDEN / f"{name}.txt"
    path.write_text("\n".join(listing()) + "\n")
