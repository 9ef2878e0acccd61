"""The priority pane: the staircase, held against the registers of the machine."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import GUESTS, Driver, bringup, drive, look

from lapis_engine.events import (
    ApicImported,
    ApicModeChanged,
    ExtIntDelivered,
    InitReceived,
    Logged,
    NmiDelivered,
    NmiReceived,
    Rebooted,
    RunStateChanged,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.blocks.lines import plain
from lapis_tui.glyphs import in_ascii
from lapis_tui.panes.priority import VectorChoice, render
from lapis_tui.past import Past

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.view import View

SIZES = [(79, 15), (119, 30), (199, 56)]
FAR = 100_000


def nesting(cpus: int = 1) -> Session:
    """Return the guest that nests three deep."""
    options = SessionOptions(guest=str(GUESTS / "fabric-nesting.bin"), cpus=cpus)
    return open_session(options, discover().extensions)


def at_event(session: Session, seq: int, history: list[Logged]) -> View:
    """Return the view when event `seq` is the last that happened."""
    assert session.execute(f"goto #{seq}").ok
    total = session.machine.log.next_seq
    past = Past(history[:total])
    return replace(look(session), events=past, ahead=history[total:])


@pytest.mark.parametrize("size", SIZES)
def test_the_list_is_what_the_registers_hold_at_every_event(
    size: tuple[int, int],
) -> None:
    session = nesting()
    assert session.execute(f"run {FAR}").ok
    history = session.machine.log.since(0)
    deepest = 0
    for seq in range(len(history)):
        view = at_event(session, seq, history)
        if not any(e.event.kind in {"accept", "deliver"} for e in view.events):
            continue
        text = plain(render(view, VectorChoice(), size))
        found = re.findall(r"│[> ] ([0-9a-f]{2})  (IRR|ISR)", text)
        state = session.machine.vcpu(0).apic
        for name, bits in (("IRR", state.irr), ("ISR", state.isr)):
            there = {v for v in range(256) if bits >> v & 1}
            shown = [int(v, 16) for v, where in found if where == name]
            assert len(shown) == len(set(shown))
            assert set(shown) == there, (seq, text)
        deepest = max(deepest, state.isr.bit_count())
        assert f"PPR {state.ppr:02x} = " in text
        assert f"CR8 {state.tpr >> 4:x}" in text
    assert deepest == 3


def test_three_deep_with_its_reasons_in_unicode_and_ascii() -> None:
    session = nesting()
    session.execute(f"run {FAR}")
    history = session.machine.log.since(0)
    view = at_event(session, 17, history)
    text = plain(render(view, VectorChoice(vector=0x5F), (119, 20)))
    assert re.search(r"7 .*░█+┃█+╵? +.*│  71  ISR  runs", text) or "71  ISR" in text
    assert re.search(r"> 5f  IRR  5 <= PPR 7", text)
    assert re.search(r" 52  ISR  under 71", text)
    assert re.search(r" 31  ISR  under 52", text)
    assert re.search(r" 31  IRR  same in service", text)
    assert "PPR 70 = ISR 71 over TPR 00" in text
    drawn = plain(render(view, VectorChoice(), (119, 20)))
    chart = [in_ascii(row.split("│")[0]) for row in drawn.splitlines()]
    for glyph in "#-.'=^":
        assert glyph in "".join(chart)


def test_the_cursor_alone_moves_without_the_machine() -> None:
    session = nesting()
    session.execute(f"run {FAR}")
    view = look(session)
    whole = replace(view, events=Past(session.machine.log.since(0)), at=17)
    text = plain(render(whole, VectorChoice(), (119, 20)))
    assert "at #17  PPR 70" in text
    assert "71  ISR  runs" in text
    assert "5f  IRR  5 <= PPR 7" in text


def test_all_vcpus_have_a_staircase_where_there_is_room() -> None:
    view = look(bringup(4), "run 400000")
    rows = render(view, VectorChoice(all_vcpus=True), (119, 40))
    assert [n for n in range(4) if f" vCPU {n} " in plain(rows)] == [0, 1, 2, 3]
    assert len(rows) == 40


def deep() -> Session:
    """Return the guest where the third has just begun."""
    session = nesting()
    assert session.execute("catch deliver --vector 0x71").ok
    assert session.execute("run").ok
    return session


def test_keys_choose_a_vector_inject_it_and_ask_why() -> None:
    async def play(it: Driver) -> None:
        await it.press("2", "down", "down")
        assert "> 5f" in it.text
        await it.press("i")
        assert "ipi fixed 0x5f" in it.text
        await it.press("escape")
        await it.press("enter")
        assert "vector 0x5f" in it.text
        assert "ppr" in it.text.lower()

    drive(deep(), play, (100, 30))


def test_enter_asks_about_the_highest_that_is_there_and_not_about_what_is_over() -> (
    None
):
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.command("last-change apic 0 isr")
        await it.press("S", "2")  # 0x52 is in service, and 0x71 is over
        await it.press("enter")
        assert "vector 0x52 is in the ISR" in it.text

    drive(nesting(), play)


def test_keys_show_time_and_all_vcpus() -> None:
    async def play(it: Driver) -> None:
        await it.press("2")
        by_event = it.text
        await it.press("v")
        assert it.text != by_event
        await it.press("v", "A")
        assert "priority, all vCPUs" in it.text

    drive(deep(), play, (80, 25))


def test_e_writes_an_eoi_that_going_back_undoes() -> None:
    async def play(it: Driver) -> None:
        assert it.view.vcpu.apic.isr[-1] == 0x71
        await it.press("2", "e")
        assert 0x71 not in it.view.vcpu.apic.isr
        assert it.view.vcpu.apic.ppr == 0x50
        await it.press("shift+left")
        assert it.view.vcpu.apic.isr[-1] == 0x71

    drive(deep(), play)


def test_t_asks_for_a_tpr_and_writes_it() -> None:
    async def play(it: Driver) -> None:
        await it.press("2", "t")
        assert "TPR of vCPU 0" in it.text
        await it.press("0", "x", "8", "0", "enter")
        await it.until(lambda: it.view.vcpu.apic.tpr == 0x80)
        assert it.view.vcpu.apic.ppr == 0x80

    drive(deep(), play)


def test_what_is_ahead_stands_behind_the_rule() -> None:
    session = deep()
    session.execute("run")
    session.execute("goto #17")
    view = replace(look(session), ahead=session.timeline.ahead())
    text = plain(render(view, VectorChoice(), (120, 30)))
    row = next(each for each in text.splitlines() if "71  ISR" in each)
    past, _, ahead = row.partition("┃")
    assert "█" in past
    assert "╵" in ahead


def test_a_quiet_apic_says_so() -> None:
    text = plain(render(look(bringup()), VectorChoice(), (80, 20)))
    assert "no vector has come to this APIC yet" in text


CPU = st.integers(-1, 2)
VECTOR = st.integers(0, 255)
BYTE = st.integers(0, 255)
EVENTS = st.one_of(
    st.builds(VectorAccepted, CPU, VECTOR, st.booleans(), st.text(max_size=9)),
    st.builds(VectorDelivered, CPU, VECTOR, BYTE),
    st.builds(VectorEnded, CPU, VECTOR, st.booleans(), BYTE),
    st.builds(VectorRefused, CPU, VECTOR, st.text(max_size=4), st.text(max_size=4)),
    st.builds(InitReceived, CPU, st.text(max_size=4)),
    st.builds(NmiReceived, CPU, st.text(max_size=4)),
    st.builds(NmiDelivered, CPU),
    st.builds(ExtIntDelivered, CPU, VECTOR),
    st.builds(RunStateChanged, CPU, BYTE, st.integers(0, 3), st.text(max_size=4)),
    st.builds(ApicModeChanged, CPU, st.just("xapic"), st.just("disabled"), st.just(0)),
    st.builds(ApicImported, CPU, st.text(max_size=4)),
    st.builds(Rebooted, CPU, st.just("reset"), st.text(max_size=4)),
)
LOOK = look(bringup(2))


@given(
    events=st.lists(st.tuples(st.integers(0, 5000), EVENTS), max_size=60),
    size=st.tuples(st.integers(1, 210), st.integers(1, 60)),
    cut=st.integers(0, 60),
    at=st.none() | st.integers(0, 70),
    flags=st.tuples(st.booleans(), st.booleans()),
    first=st.integers(0, 100),
)
def test_no_stream_of_events_breaks_a_row(
    events: list[tuple[int, object]], size: tuple[int, int], cut: int,
    at: int | None, flags: tuple[bool, bool], first: int,
) -> None:  # fmt: skip
    now, logged = 0, []
    for seq, (later, event) in enumerate(events):
        now += later
        logged.append(Logged(first + seq, now, event))  # type: ignore[arg-type]
    view = replace(
        LOOK, events=Past(logged[:cut]), ahead=logged[cut:],
        at=None if at is None else first + at,
    )  # fmt: skip
    by_time, all_vcpus = flags
    rows = render(view, VectorChoice(0x31, by_time, all_vcpus), size)
    assert len(rows) == size[1]
    assert all(row.width == size[0] for row in rows)
