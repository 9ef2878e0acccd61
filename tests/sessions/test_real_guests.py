"""Real guests come to where they should: three of the table, as a user boots them.

The rest is `tests/guests/real.py`, which takes longer. A guest whose files are not here
is skipped, and by instruction all of them are: a kernel takes a quarter of an hour.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from guests import real

from lapis_engine.errors import ConfigError
from lapis_tui import built
from lapis_tui.bench import real as bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guests.real import Guest

ROOT = Path(__file__).parents[2]
AT = ROOT / "build" / "guests"
CHOSEN = ("seabios-4", "linux-2-quick", "ovmf-1-shell")
NAMED = {guest.name: guest for guest in real.GUESTS}


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", CHOSEN)
def test_a_guest_comes_to_where_it_should(name: str, tmp_path: Path) -> None:
    if built.core() != "blocks":
        pytest.skip("by instruction it takes too long")
    try:
        seen = real.boot(NAMED[name], real.Files(AT, tmp_path))
    except LookupError as error:
        pytest.skip(str(error))
    assert seen.missing is None, seen.output[-2000:]


def rows(text: str) -> Iterator[tuple[str, str]]:
    """Yield (guest, command) of the table of real guests in the documentation."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].startswith("`lapis exec "):
            yield cells[0], cells[1].strip("`")


def test_the_page_has_each_kind_with_the_figures_that_are_kept() -> None:
    kept = {row["guest"]: row for row in json.loads(real.FIGURES.read_text())}
    text = (ROOT / "docs" / "pages" / "guests.md").read_text()
    named = dict(rows(text))
    assert set(kept) <= set(NAMED)
    for guest in real.GUESTS:
        if guest.row is None:
            continue
        assert guest.row in named, guest.row
        figure = kept[guest.name]
        assert figure["seen"] == "all", figure
        assert f"{figure['seconds']:.0f} s" in text


def test_what_is_looked_for_must_come_in_its_turn() -> None:
    guest: Guest = NAMED["linux-1-xapic"]
    assert real.missing(guest.sees, "READY 1 cpus\n") == guest.sees[1]
    assert real.missing(("a", "b"), "b a") == "b"
    assert real.missing(("a = 4",), r"a \x1b[1m= \x1b[0m4") is None


@pytest.mark.parametrize(
    ("names", "at", "said"),
    [
        (["nope"], bench.USUAL, "seabios-1, "),
        ([], "x" * 5000, "is no folder"),
        ([], "/dev/null", "is no folder"),
        (["linux-1"], "a\0b", "is no folder"),
    ],
)
def test_what_the_bench_cannot_boot_is_named(
    names: list[str], at: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        bench.main(names, at, as_json=False)
