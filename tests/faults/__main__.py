"""The planted faults outside the tests: a table, every variant, one guest.

    cd tests && python -m faults table             markdown: cause, question, sentence
    cd tests && python -m faults every [NAME ...]  all variants, not three by chance
    cd tests && python -m faults show NAME [N]     guest, commands and answer of one

`every` ends with status 1 when one is not told, or is told where it is not.
"""

import argparse
import sys
from collections.abc import Sequence

from faults import asked
from faults.catalog import FAULTS
from faults.scene import Fault, Variant


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("what", choices=("table", "every", "show"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    wanted = parser.parse_args(arguments)
    if wanted.what == "table":
        lines = _table()
    elif wanted.what == "every":
        lines = [
            line for name in wanted.names or FAULTS for line in _every(FAULTS[name])
        ]
    else:
        name, *number = wanted.names
        lines = _show(FAULTS[name], int(number[0]) if number else 0)
    sys.stdout.write("\n".join(lines) + "\n")
    return int(wanted.what == "every" and any(": " in line for line in lines))


def _table() -> list[str]:
    """Return one row for each fault, of its first variant."""
    rows = [
        "| | fault | cause | asked | code | the first sentence |",
        "| --: | --- | --- | --- | --- | --- |",
    ]
    for number, fault in enumerate(FAULTS.values(), start=1):
        scene = fault.scene(sound=False, **fault.variants()[0])
        told = asked.ask(scene)
        cells = (
            f"{number}", fault.name, fault.cause, f"`{scene.question}`",
            f"`{', '.join(told.rules)}`", told.sentence,
        )  # fmt: skip
        rows.append(
            f"| {' | '.join(cell.replace('|', chr(0x2223)) for cell in cells)} |"
        )
    return rows


def _every(fault: Fault) -> list[str]:
    """Return what is wrong with each variant, and how many there are."""
    variants = fault.variants()
    wrong = [line for variant in variants for line in asked.wrong(fault, variant)]
    return [*wrong, f"{fault.name} {len(variants)} variants"]


def _show(fault: Fault, number: int) -> list[str]:
    """Return both guests of a variant, and what is answered to each."""
    variant: Variant = fault.variants()[number]
    out = []
    for is_sound in (False, True):
        scene = fault.scene(sound=is_sound, **variant)
        out += [asked.source(scene), *(f"> {line}" for line in scene.lines)]
        out += [f"> {scene.question}", asked.ask(scene).text, ""]
    return out


if __name__ == "__main__":
    sys.exit(main())
