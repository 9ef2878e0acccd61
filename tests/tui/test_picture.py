"""The picture in the README shows what it is said to show."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from lapis_tui.picture import compact, make_picture, scene


def test_the_picture_has_a_vector_in_service_and_a_pending_read(tmp_path: Path) -> None:
    path = tmp_path / "lapis.svg"
    make_picture(path)
    svg = path.read_text("utf-8")
    text = unescape(re.sub(r"<[^>]+>", "", svg)).replace("\xa0", " ")
    assert "reads dword at 0xd0000000" in text
    assert "30 = ISR 31 over TPR 00" in text.replace("  ", " ")
    assert "&#160;&#160;<" not in svg.replace("\n", "")
    assert not re.search(r"<text[^>]*>&#160;", svg)


def test_the_scene_is_set_by_commands_alone() -> None:
    snapshot = scene().snapshot()
    assert snapshot.vcpus[1].apic.isr == (0x31,)
    assert snapshot.vcpus[1].apic.irr == (0x52,)


def test_blanks_before_a_text_move_it_instead() -> None:
    svg = (
        '<text class="a" x="10.0" y="1" textLength="40" clip="c">&#160;&#160;ab</text>'
    )
    assert compact(svg) == (
        '<text class="a" x="30.0" y="1" textLength="20.0" clip="c">ab</text>'
    )
