"""Write the pages that are made from the code, or say which are old.

python -m lapis_tui.reference            # those below docs/pages
python -m lapis_tui.reference --check    # nothing is written; status 1 if one is old
"""

from __future__ import annotations

import sys
from pathlib import Path

from lapis_tui.reference.pages import PAGES

SHELF = Path("docs/pages")


def main(arguments: list[str]) -> int:
    """Do it in a checkout; return the exit status."""
    if arguments not in ([], ["--check"]) or not SHELF.is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    old = []
    for name, make in PAGES.items():
        path, text = SHELF / name, make()
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        old.append(name)
        if not arguments:
            path.write_text(text, "utf-8", newline="\n")
    for name in old:
        print(f"{'old' if arguments else 'written'}: {name}")
    return 1 if arguments and old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
