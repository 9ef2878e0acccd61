"""The APIC pane enlarged: its map held against plain sets, its registers in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive, look

from lapis_sessions.views import apic_words
from lapis_sessions.views.apic import TimerView, Worded
from lapis_tui.bench.scenes import README
from lapis_tui.blocks import apic_map, vcpu_columns
from lapis_tui.blocks.lines import plain
from lapis_tui.panes import apics

if TYPE_CHECKING:
    from lapis_tui.view import View

SIZES = [(79, 20), (119, 35), (199, 55)]
SETS = st.frozensets(st.integers(0, 255), max_size=40)


def enlarged(view: View, size: tuple[int, int]) -> list[str]:
    """Return the rows of the pane when it has the whole screen."""
    count = vcpu_columns.fitting(size[0], size[1], len(view.now.vcpus))
    rows = apics.render(replace(view, columns=count), size)
    assert all(row.width == size[0] for row in rows)
    return plain(rows).splitlines()


@given(irr=SETS, isr=SETS, tmr=SETS, was=SETS)
def test_each_vector_has_the_sign_of_its_bits(
    irr: frozenset[int], isr: frozenset[int], tmr: frozenset[int], was: frozenset[int]
) -> None:
    apic = look(bringup(1)).vcpu.apic
    now = replace(apic, irr=(*sorted(irr),), isr=(*sorted(isr),), tmr=(*sorted(tmr),))
    rows = apic_map.render(now, replace(now, irr=(*sorted(was),)))
    text = [row.plain for row in rows]
    assert len(text) == 18
    signs = {
        (0, 0, 0): ".", (1, 0, 0): "r", (0, 1, 0): "s", (1, 1, 0): "b",
        (0, 0, 1): "l", (1, 0, 1): "R", (0, 1, 1): "S", (1, 1, 1): "B",
    }  # fmt: skip
    for vector in range(256):
        row = text[16 - (vector >> 4)]
        assert row[1] == f"{vector >> 4:x}"
        at = 3 + 2 * (vector & 15)
        bits = (vector in irr, vector in isr, vector in tmr)
        assert row[at] == signs[bits], vector
        assert (row[at + 1] != " ") == ((vector in irr) != (vector in was)), vector


@pytest.mark.parametrize(("ppr", "held"), [(0, 1), (0x30, 4), (0xF0, 16)])
def test_classes_up_to_that_of_the_ppr_are_held(ppr: int, held: int) -> None:
    apic = replace(look(bringup(1)).vcpu.apic, ppr=ppr)
    rows = [row.plain for row in apic_map.render(apic, apic)]
    assert sum("#" in row for row in rows[1:-1]) == held
    assert "PPR" in rows[16 - (ppr >> 4)]


@pytest.mark.parametrize("size", SIZES)
def test_more_room_shows_all_of_an_apic(size: tuple[int, int]) -> None:
    view = look(README.session(), "run").turned(1)
    rows = enlarged(view, size)
    text = "\n".join(rows)
    assert len(rows) <= size[1]
    assert "…" not in text
    for words in (
        ">vCPU 1 AP  xapic id 01  on  IF=0", "PPR     30 = ISR 31 over TPR 00",
        "next 52 class 5 > PPR 3, held:", "SVR     01ff on, spurious ff",
        "ESR     00 no error", "DFR     ffffffff flat model",
        "ICR     00000000 never written", "timer   10000 one-shot 00 masked",
        "lint0   10000", "error   10000", "count   00000000 of 0,",
        " 5 . . r . .",
    ):  # fmt: skip
        assert words in text, words
    assert " 3 . b*. . . . . . . . . . . . . .  # PPR" in text
    is_large = size[0] == 199
    assert ("delivery mode" in text) == is_large
    assert ("IRR3:0  00000000 00040000 00020000 00000000" in text) == is_large


@pytest.mark.parametrize("size", SIZES)
def test_thirty_two_vcpus_turn_with_n(size: tuple[int, int]) -> None:
    view = look(bringup(32))
    for number in (0, 17, 31):
        rows = enlarged(view.turned(number), size)
        who = "AP" if number else "BSP"
        assert any(f">vCPU {number} {who}  xapic" in row for row in rows)


def test_a_timer_tells_mode_count_divide_and_what_is_left() -> None:
    view = look(bringup())
    lvt = {"timer": Worded(0x2_0040, "")}
    timer = TimerView(0x2710, 3, 7_936, 1_000, count=0x1F00, divisor=16)
    apic = replace(view.vcpu.apic, timer=timer, lvt=lvt)
    view = replace(view, now=replace(view.now, vcpus=(replace(view.vcpu, apic=apic),)))
    text = "\n".join(enlarged(view, (100, 24)))
    assert "count  *00001f00 of 2710, clock / 16, 6,936 ns left" in text
    assert "timer  *20040 periodic 40" in text


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (0x0_0700, "ExtINT"), (0x1_0400, "NMI masked"),
        (0x0_E031, "fixed 31 level low remote IRR"),
    ],
)  # fmt: skip
def test_an_entry_of_the_lvt_in_words(raw: int, words: str) -> None:
    apic = replace(look(bringup(1)).vcpu.apic, lvt={"lint0": Worded(raw, "")})
    (entry,) = apic_words.entries(apic)
    assert entry.text == words
    assert entry.is_off == ("masked" in words)


def test_logical_ids_are_those_of_their_model() -> None:
    apic = look(bringup(1)).vcpu.apic
    flat = replace(apic, ldr=0x0500_0000)
    assert apic_words.controls(flat)[2].text == "bit 0 2"
    cluster = replace(flat, ldr=0x2400_0000, dfr=0x0FFF_FFFF)
    assert [r.text for r in apic_words.controls(cluster)[2:4]] == [
        "cluster 2, member 2", "cluster model",
    ]  # fmt: skip
    x2 = replace(apic, mode="x2apic", ldr=0x0003_0010)
    assert apic_words.controls(x2)[2].text == "cluster 3, member 4"
    assert "DFR" not in {each.name for each in apic_words.controls(x2)}


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_z_shows_the_map_and_w_asks_why(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.go("apics")
        await it.press("z")
        assert any(row.startswith(" 0 . . .") for row in it.rows)
        assert "lint1" in it.text
        await it.press("w")
        assert "nothing waits in the IRR of vCPU 0" in it.text
        await it.press("n")
        assert "vCPU 1 AP  xapic id 01" in it.text
        await it.press("z")
        assert "lint1" not in it.text

    drive(bringup(), play, size)
