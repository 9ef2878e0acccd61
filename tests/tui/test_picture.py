"""The picture in the README shows what it is said to show."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from lapis_sessions.views import snapshot
from lapis_tui.bench.picture import compact, make_picture, scene

if TYPE_CHECKING:
    from pathlib import Path


def test_the_picture_has_a_vector_in_service_and_a_pending_read(tmp_path: Path) -> None:
    path = tmp_path / "lapis.svg"
    make_picture(path)
    svg = path.read_text("utf-8")
    text = re.sub(r"\s", "", unescape(re.sub(r"<[^>]+>", "", svg)))
    assert "readsdwordat0xd0000000" in text
    assert "30=ISR31overTPR00" in text
    assert not re.search(r"<text[^>]*>&#160;", svg)


def test_the_scene_is_set_by_commands_alone() -> None:
    taken = snapshot.take(scene())
    assert taken.vcpus[1].apic.isr == (0x31,)
    assert taken.vcpus[1].apic.irr == (0x52,)


def test_blanks_before_a_text_move_it_instead() -> None:
    svg = (
        '<text class="a" x="10.0" y="1" textLength="40" clip="c">&#160;&#160;ab</text>'
    )
    assert compact(svg) == (
        '<text class="a" x="30.0" y="1" textLength="20.0" clip="c">ab</text>'
    )
