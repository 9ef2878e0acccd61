"""The staircase, held event by event against the APIC of the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import GUESTS, Driver, bringup, drive, look

from lapis_engine.events import (
    InitReceived,
    Logged,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.blocks import staircase
from lapis_tui.blocks.lines import plain
from lapis_tui.panes import priority
from lapis_tui.past import Past

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def nesting() -> Session:
    """Return the guest that nests three interrupts deep."""
    options = SessionOptions(guest=str(GUESTS / "fabric-nesting.bin"), cpus=1)
    return open_session(options, discover().extensions)


def deep() -> Session:
    """Return it where the third has just begun."""
    session = nesting()
    assert session.execute("catch deliver --vector 0x71").ok
    assert session.execute("run").ok
    return session


def test_after_every_event_a_column_says_what_the_apic_holds() -> None:
    session = nesting()
    session.execute("run")
    total = session.machine.log.next_seq
    events = staircase.of(session.machine.log.last(total), 0, total)
    columns = {c.seq: c for c in staircase.columns(events)}
    assert len(columns) >= 20
    deepest = 0
    for seq, column in columns.items():
        assert session.execute(f"goto #{seq}").ok
        apic = look(session).now.vcpus[0].apic
        assert set(apic.irr) == column.irr, seq
        assert set(apic.isr) == column.isr, seq
        deepest = max(deepest, len(column.isr))
        if column.ppr is not None:
            # SDM "Task and Processor Priorities": the TPR of this guest stays 0.
            assert apic.ppr >> 4 == max(column.isr, default=0) >> 4
    assert deepest == 3


def test_a_log_that_begins_in_the_middle_loses_nothing() -> None:
    session = nesting()
    session.execute("run")
    whole = staircase.of(session.machine.log.last(1000), 0, 1000)
    by_seq = {c.seq: c for c in staircase.columns(whole)}
    for cut in range(len(whole)):
        later = staircase.columns(whole[cut:], by_seq[whole[-1].seq].irr, ())
        for column in later:
            # What is not heard of again cannot be known; nothing is invented.
            assert column.isr <= by_seq[column.seq].isr
            assert column.irr <= by_seq[column.seq].irr
        if later:
            assert later[-1].isr == by_seq[later[-1].seq].isr


@pytest.mark.parametrize("size", [(80, 21), (120, 30), (200, 50), (80, 10)])
def test_three_deep_is_drawn_with_what_each_waits_for(size: tuple[int, int]) -> None:
    view = look(deep())
    rows = priority.render(view, None, size)
    assert len(rows) == size[1]
    assert all(row.width == size[0] for row in rows)
    text = plain(rows)
    assert "PPR 70 = ISR 71 over TPR 00" in text
    assert "71  ISR  runs" in text
    if size[1] > 10:
        assert "52  ISR  under 71" in text
        assert "5f  IRR  5 <= PPR 7" in text
        assert "31  ISR  under 52" in text
        assert "31  IRR  same vector" in text
    else:
        assert "more rows" in text


def test_what_is_ahead_stands_behind_the_rule() -> None:
    session = deep()
    session.execute("run")
    session.execute("goto #17")
    timeline = session.timeline
    view = look(session)
    view = replace(view, ahead=timeline.ahead())
    text = plain(priority.render(view, None, (120, 30)))
    row = next(each for each in text.splitlines() if "71  ISR" in each)
    past, _, ahead = row.partition("│")
    assert "█" in past
    assert "╵" in ahead


def test_keys_choose_a_vector_and_ask_why() -> None:
    async def play(it: Driver) -> None:
        await it.press("2", "down", "down", "enter")
        assert "vector 0x5f" in it.text
        assert "ppr" in it.text.lower()

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


def test_a_quiet_apic_says_so() -> None:
    text = plain(priority.render(look(bringup()), None, (80, 20)))
    assert "no vector has come to this APIC yet" in text


VECTORS = st.integers(16, 255)
EVENTS = st.one_of(
    st.builds(VectorAccepted, st.just(0), VECTORS, st.booleans(), st.just("x")),
    st.builds(VectorDelivered, st.just(0), VECTORS, st.integers(0, 255)),
    st.builds(VectorEnded, st.just(0), VECTORS, st.booleans(), st.integers(0, 255)),
    st.builds(InitReceived, st.just(0), st.just("x")),
)


@given(
    events=st.lists(EVENTS, max_size=80),
    cut=st.integers(0, 80),
    size=st.tuples(st.integers(40, 210), st.integers(1, 60)),
)
def test_no_stream_of_events_breaks_a_row(
    events: list[object], cut: int, size: tuple[int, int]
) -> None:
    logged = [Logged(n, n, event) for n, event in enumerate(events)]  # type: ignore[arg-type]
    view = replace(QUIET, events=Past(logged[:cut]), ahead=tuple(logged[cut:]))
    rows = priority.render(view, 0x31, size)
    assert all(row.width == size[0] for row in rows)
    assert len(rows) == size[1]


QUIET = look(bringup())
