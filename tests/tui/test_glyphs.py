"""ASCII where there is no more: every glyph has its own, and no other character."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from rich.cells import cell_len

import lapis_tui
from lapis_tui import glyphs
from lapis_tui.blocks import bar, lanes, staircase
from lapis_tui.blocks.marks import MARKS
from lapis_tui.panes import vcpus

SOURCES = sorted(Path(lapis_tui.__file__).parent.rglob("*.py"))
MARKED = {glyph for glyph, _ in MARKS.values()}
LANES = {lanes.OWN.get(mark, look)[0] for mark, look in MARKS.items()}
LANES |= {glyph for glyph, _ in lanes.OWN.values()}
TOGETHER = {
    "the seek bar": MARKED | {"─", "·", "├", "┤", bar.HERE},
    "a lane": LANES | {glyph for glyph, _ in lanes.RUNNING.values()} | {"┄"},
    "a checklist": {lanes.DONE, lanes.TO_DO},
    "the staircase": set(staircase.GLYPHS.values()) - {staircase.GLYPHS["now"]},
    "the states of processors": {glyph for glyph, _ in vcpus.STATES.values()} | {"?"},
    "the frames of panes": {"─", "━", "│"},
}
"""Glyphs that stand side by side and mean different things."""


def test_each_has_its_own_cells() -> None:
    for glyph, plain in glyphs.ASCII.items():
        assert plain.isascii(), glyph
        assert plain.isprintable(), glyph
        assert len(plain) == cell_len(glyph), glyph


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_source_draws_with_another(path: Path) -> None:
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for char in sorted({c for text in texts for c in text if not c.isascii()}):
        assert glyphs.in_ascii(char) != glyphs.UNKNOWN * cell_len(char), char


@pytest.mark.parametrize("where", TOGETHER)
def test_what_stands_side_by_side_is_told_apart_in_ascii_too(where: str) -> None:
    by_ascii = defaultdict(set)
    for glyph in TOGETHER[where]:
        by_ascii[glyphs.in_ascii(glyph)].add(glyph)
    assert not {plain: them for plain, them in by_ascii.items() if len(them) > 1}


def test_one_glyph_of_an_event_has_one_role() -> None:
    roles = defaultdict(set)
    for glyph, role in MARKS.values():
        roles[glyph].add(role)
    assert {glyph for glyph, found in roles.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    ("environ", "encoding", "expected"),
    [
        ({"LANG": "C.UTF-8"}, "utf-8", False),
        ({"LANG": "de_DE.UTF-8@euro"}, "UTF-8", False),
        ({"LANG": "de_DE.utf8", "LC_ALL": ""}, "utf-8", False),
        ({"LC_CTYPE": "UTF-8"}, "utf-8", False),
        ({}, "utf-8", True),
        ({"LANG": "C"}, "utf-8", True),
        ({"LANG": "de_DE"}, "iso-8859-1", True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, "utf-8", True),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "ru_RU.KOI8-R"}, "utf-8", True),
        ({"LANG": "C.UTF-8"}, "ascii", True),
        ({"LANG": "C.UTF-8"}, None, True),
        ({"LANG": "C.UTF-8", "LAPIS_ASCII": "1"}, "utf-8", True),
        ({"LAPIS_ASCII": "0"}, "ascii", False),
        ({"LAPIS_ASCII": "maybe", "LANG": "C.UTF-8"}, "utf-8", False),
    ],
)
def test_who_gets_ascii(
    environ: dict[str, str],
    encoding: str | None,
    expected: bool,
) -> None:
    assert glyphs.wants_ascii(environ, encoding) is expected


def test_what_is_in_no_table_keeps_its_cells() -> None:
    text = "".join(chr(number) for number in range(0xA0, 0x3100))
    text = "".join(c for c in text if c.isprintable() and cell_len(c))
    plain = glyphs.in_ascii(text)
    assert plain.isascii()
    assert len(plain) == cell_len(text)
