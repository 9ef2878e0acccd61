"""The pictures of the documentation are what the screens are: ten, and the README's.

They are made by `python -m lapis_tui.bench.picture`, and held to here letter by letter.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.segment import Segment
from rich.style import Style
from textual._ansi_theme import MONOKAI

from lapis_sessions.views import snapshot
from lapis_tui.bench.picture import page, picture
from lapis_tui.bench.scenes import README, SCENES, Scene
from lapis_tui.svg import svg

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
ALL = (*SCENES, README)
TEXT = "{http://www.w3.org/2000/svg}text"


def _path(scene: Scene) -> Path:
    return PAGES / "pictures" / f"{scene.name}.svg"


def _cells(text: str) -> str:
    """Return the texts of a picture, one a line, to tell what differs."""
    root = ET.fromstring(text)
    return "\n".join(f"{each.get('y')} {each.text}" for each in root.iter(TEXT))


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.name)
def test_a_picture_is_what_the_screen_shows(scene: Scene) -> None:
    path = _path(scene)
    made, there = picture(scene), path.read_text("utf-8")
    again = f"python -m lapis_tui.bench.picture {scene.name}"
    assert _cells(made) == _cells(there), f"{path} is old; make it anew: {again}"
    assert made == there, f"the colours of {path} are old; make it anew: {again}"


def test_the_page_has_them_all_and_nothing_else_is_there() -> None:
    again = "python -m lapis_tui.bench.picture"
    assert (PAGES / "screens/pictures.md").read_text("utf-8") == page(), again
    names = {path.name for path in (PAGES / "pictures").iterdir()}
    assert names == {f"{scene.name}.svg" for scene in ALL}
    assert len(SCENES) == 10
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "](docs/pages/pictures/lapis.svg)" in readme
    assert "](docs/pages/screens/pictures.md)" in readme


def test_they_are_small_and_of_every_kind() -> None:
    assert sum(_path(scene).stat().st_size for scene in ALL) < 400_000
    assert {scene.size for scene in SCENES} == {(80, 25), (120, 40), (200, 60)}
    assert {scene.theme for scene in SCENES} == {"dark", "light", "high-contrast"}
    assert [scene.name for scene in SCENES if scene.is_ascii] == ["ascii"]
    root = ET.fromstring(_path(SCENES[-1]).read_text("utf-8"))
    assert all(f"{each.text}".isascii() for each in root.iter(TEXT))


def test_the_readmes_has_a_vector_in_service_and_a_pending_read() -> None:
    svg_ = _path(README).read_text("utf-8")
    text = re.sub(r"\s", "", unescape(re.sub(r"<[^>]+>", "", svg_)))
    assert "readsdwordat0xd0000000" in text
    assert "30=ISR31overTPR00" in text
    taken = snapshot.take(README.session())
    assert taken.vcpus[1].apic.isr == (0x31,)
    assert taken.vcpus[1].apic.irr == (0x52,)


def test_a_run_begins_at_its_cell_and_is_as_wide_as_its_cells() -> None:
    plain, bold = (
        Style.parse("#ffffff on #000000"),
        Style.parse("bold #ff0000 on #00ff00"),
    )
    rows = [[Segment("  ab  c", plain), Segment("<&", bold)], [Segment("", plain)]]
    made = svg(rows, "#000000", MONOKAI, "a <title>")
    root = ET.fromstring(made)
    texts = [(t.get("x"), t.get("textLength"), t.text) for t in root.iter(TEXT)]
    assert texts == [
        ("24.8", "16.8", "ab"), ("58.4", "8.4", "c"), ("66.8", "16.8", "<&")
    ]  # fmt: skip
    assert 'fill="#00ff00"' in made
    assert made == svg(rows, "#000000", MONOKAI, "a <title>")


def test_what_is_reversed_changes_colour_and_ground() -> None:
    style = Style.parse("reverse #ffffff on #0000ff")
    made = svg([[Segment("a", style)]], "#000000", MONOKAI, "")
    assert ".c0{fill:#0000ff}" in made
    assert '<rect x="8" y="8" width="8.4" height="16" fill="#ffffff"/>' in made
