"""The long run: `python tests/fuzz/run.py --cases 200000 --seed 1`.

Writes what came out of it to `last-run.txt` beside it. `--only N` runs one case and
says what differs. Ends with 1 when something does.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import generate
from fuzz.judge import Judge

LAST = Path(__file__).with_name("last-run.txt")
SHOWN = 20
"""Differences that are told of in full."""

KNOWN = """on RAM, the processor underneath faulted with flags, or half of what
             moves, already changed; the request path has the state before the
             instruction (SDM Vol. 3A "Program or Task Restart")"""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def run(seed: int, wanted: int) -> tuple[str, int]:
    """Run cases until `wanted` of them gave a verdict; return the account of it."""
    judge = Judge()
    kinds: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    inexact: Counter[str] = Counter()
    bad: list[str] = []
    number, requests, start = 0, 0, perf_counter()
    while kinds.total() - kinds["skipped"] < wanted:
        case = generate.cases(seed, number)
        verdict = judge.judge(case)
        kinds[verdict.kind] += 1
        requests += verdict.requests
        if verdict.kind != "skipped":
            groups[case.group] += 1
            asked[case.group] += bool(verdict.requests)
        if verdict.kind == "inexact":
            inexact[case.name] += 1
        if verdict.kind == "different":
            bad.append(f"#{number} {case}\n    {verdict.text}")
            if len(bad) <= SHOWN:
                say(bad[-1])
        number += 1
    rows = [
        f"cases        {wanted} (numbers 0 to {number - 1} of seed {seed})",
        f"seconds      {perf_counter() - start:.0f}",
        f"requests     {requests} answered, by {asked.total()} of the cases",
        f"no reference {kinds['skipped']} more cases left memory, on RAM as well",
        f"same         {kinds['same']}",
        f"different    {kinds['different']}",
        f"known        {kinds['inexact']}: {KNOWN}",
        "             "
        + ", ".join(f"{name} {n}" for name, n in sorted(inexact.items())),
        "",
        "group: cases, of which asked for something",
        *(f"    {name:10} {n:7} {asked[name]:7}" for name, n in sorted(groups.items())),
    ]
    return "\n".join([*rows, *bad[:SHOWN]]), kinds["different"]


def main() -> int:
    """Run, and keep the account of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one case")
    options = parser.parse_args()
    if options.only is not None:
        case = generate.cases(options.seed, options.only)
        say(f"{case}\n{Judge().judge(case)}")
        return 0
    text, different = run(options.seed, options.cases)
    say(text)
    LAST.write_text(text + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
