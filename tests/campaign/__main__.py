"""`python -m campaign NAME`: run one generator, or all of them, and keep what came."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from campaign.frame import GENERATORS, Budget, run


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def told(result: dict[str, Any]) -> str:
    """Make a line of a result."""
    slowest = max(
        ((row["cpu_s"], row["what"]) for row in result["slowest"]), default=(0.0, "")
    )
    known = sum(row["count"] for row in result["known"].values())
    return (
        f"{result['name']}: seed {result['seed']}, {result['count']} in "
        f"{result['cases']} cases, {result['seconds']:.0f} s, "
        f"{sum(result['kinds'].values())} findings, {known} known; peak "
        f"{result['peak_mib']} MiB; slowest {slowest[0]:.2f} s: "
        f"{' '.join(slowest[1].split())[:60]}"
    )


def budgets(options: argparse.Namespace) -> dict[str, Budget]:
    """Return what each generator may use."""
    minutes = options.minutes
    if minutes is None and options.count is None and options.only is None:
        minutes = 1.0
    seconds = None if minutes is None else minutes * 60
    if options.name != "all":
        count = 1 if options.only is not None else options.count
        return {options.name: Budget(seconds, count, options.only or 0)}
    shares = sum(row.share for row in GENERATORS.values())
    return {
        name: Budget(
            None if seconds is None else seconds * row.share / shares, options.count
        )
        for name, row in GENERATORS.items()
        if row.share
    }


def parsed(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="campaign",
        description=__doc__,
        epilog="; ".join(f"{name}: {row.what}" for name, row in GENERATORS.items()),
    )
    parser.add_argument("name", choices=[*GENERATORS, "all"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="1 unless --count is given")
    parser.add_argument("--count", type=int, help="how many things are tried")
    parser.add_argument("--only", type=int, help="the number of one case")
    parser.add_argument("--result", type=Path, help="a file; of `all` a folder")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run, say and keep; 1 if something was found."""
    options = parsed(given)
    found = 0
    for name, budget in budgets(options).items():
        result = run(name, options.seed, budget)
        say(told(result))
        for row in result["findings"]:
            say(f"  {row['kind']} #{row['number']}: {row['text'].strip()}")
        found += len(result["findings"])
        if options.result is not None:
            path = options.result
            if options.name == "all":
                path.mkdir(parents=True, exist_ok=True)
                path /= f"{name}.json"
            text = json.dumps(result, indent=1, ensure_ascii=True) + "\n"
            path.write_text(text, encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
