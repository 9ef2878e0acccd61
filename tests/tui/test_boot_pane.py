"""The boot pane: lanes and checklists, held against the run-states of the machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive, look

from lapis_engine.cause import Cause
from lapis_engine.events import (
    Answered,
    Exited,
    Halted,
    InitReceived,
    Interfered,
    IpiSent,
    Logged,
    ModeChanged,
    RunStateChanged,
    SipiReceived,
    Suspended,
    VectorDelivered,
    VectorEnded,
    Woken,
)
from lapis_sessions.views.boot import Boot
from lapis_sessions.views.wanted import Wanted
from lapis_tui.blocks import lanes
from lapis_tui.blocks.lines import plain
from lapis_tui.messages import Seen
from lapis_tui.panes import boot as pane
from lapis_tui.screens.sheet import SheetScreen
from lapis_tui.worker import Worker

if TYPE_CHECKING:
    from lapis_sessions.session import Session

RUN, INIT = 2, 1
"""Bits of a run-state, as bhyve numbers them."""
CPUS = 4


def shown(session: Session, size: tuple[int, int] = (120, 40)) -> str:
    """Return the pane as it stands after what `session` has done."""
    view = look(session)
    boot = Boot(len(view.now.vcpus))
    boot.take(session.machine.log.since(0))
    rows = pane.render(view, boot, [], size)
    assert all(row.width == size[0] for row in rows)
    assert len(rows) == size[1]
    return plain(rows)


@pytest.mark.parametrize("cpus", [2, 4, 32])
def test_the_steps_are_those_that_the_machine_took(cpus: int) -> None:
    """Stepping from event to event, the state of each vCPU says what it has done."""
    session = bringup(cpus)
    session.execute("run")
    total = session.machine.log.next_seq
    seen = [{"init": False, "run": n == 0, "long": False} for n in range(cpus)]
    boot = Boot(cpus)
    session.execute("goto start")
    for seq in range(total):
        assert session.execute(f"goto #{seq}").ok
        for number, vcpu in enumerate(session.machine.vcpus):
            if number:
                seen[number]["run"] |= bool(vcpu.run_state & RUN)
                seen[number]["init"] |= vcpu.run_state & (RUN | INIT) == INIT
            seen[number]["long"] |= vcpu.regs.mode == "long"
        boot.take(session.machine.log.since(boot.next_seq))
        for number, steps in enumerate(boot.steps):
            assert seen[number]["long"] == ("long" in steps.modes), (seq, number)
            if number:
                assert seen[number]["init"] == steps.init, (seq, number)
                assert seen[number]["run"] == (steps.sipi is not None), (seq, number)
    for number in range(1, cpus):
        assert boot.steps[number].sipi == 0x08
        assert boot.steps[number].interrupt == 0x31


def test_init_and_sipi_are_arrows_from_their_sender() -> None:
    session = bringup(3)
    session.execute("run")
    text = shown(session)
    assert re.search(r"12\.381 ICR c4500 +●═INIT═+>▼ PEND_INIT ?═+>▼ PEND_INIT", text)
    assert re.search(r"28\.767 ICR c4608 +●═SIPI 08═+>▼ latched ?═+>▼ latched", text)
    assert text.count("◆ start 0x8000") == 2
    assert "┄┄ 16.385 us ┄┄" in text


def test_a_processor_runs_from_its_first_instruction_on() -> None:
    session = bringup(2)
    session.execute("next-event sipi")
    assert " vCPU 0 ✓ runs" in shown(session)
    assert ">vCPU 1 ✓ INIT · SIPI · runs" in shown(session)
    session.execute("run 20")
    assert session.machine.vcpu(1).retired > 0
    text = shown(session, (79, 20))
    assert "vCPU 1 ✓ INIT ✓ SIPI 08 ✓ runs ✓ 16" in text
    assert "…" not in text.splitlines()[-1]


def test_what_is_lost_or_ignored_is_crossed_out_with_its_reason() -> None:
    session = bringup(3)
    for line in (
        "ipi drop --mode sipi --to 2", "ipi sipi 0x8 --to 1 --from 0 --raw",
        "ipi init --to 7 --from 0 --raw", "run 40000", "vcpu 2",
    ):  # fmt: skip
        assert session.execute(line).ok, line
    text = shown(session)
    assert "x ignored" in text
    assert "x vCPU 1: no INIT came before it" in text
    assert "x no APIC has that destination" in text
    assert "x dropped" in text
    assert ">vCPU 2 ✓ INIT · SIPI" in text
    assert "last INIT taken, last SIPI dropped by a rule of yours" in text


@pytest.mark.parametrize("size", [(80, 20), (120, 30), (200, 54), (40, 4)])
def test_thirty_two_processors_fit_whatever_the_size(size: tuple[int, int]) -> None:
    session = bringup(32)
    session.execute("run 400000")
    for number in (0, 1, 17, 31):
        session.select(number)
        text = shown(session, size)
        assert f"vCPU {number}" in text
        assert "more" in text.splitlines()[0]


def test_keys_move_the_cursor_go_there_and_stop_at_the_next_of_a_kind() -> None:
    async def play(it: Driver) -> None:
        await it.press("3", "b", "i")
        kinds = [each.event.kind for each in it.view.events]
        assert kinds.count("init") == 1
        assert "sipi" not in kinds
        await it.press("b", "s")
        assert [each.event.kind for each in it.view.events].count("sipi") == 1
        total = it.view.now.events_total
        await it.press("up", "up", "enter")
        assert it.view.now.events_total < total
        assert it.view.ahead

    drive(bringup(), play, (80, 25))


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
@pytest.mark.parametrize("is_past", [False, True])
def test_one_key_each_stops_at_the_next_of_its_kind(
    size: tuple[int, int],
    is_past: bool,
) -> None:
    """All of them, live and along what was done; what comes first is the oracle."""
    session = bringup()
    session.execute("run")
    firsts: dict[str, int] = {}
    for logged in session.machine.log.since(0):
        kind, vcpu = logged.event.kind, logged.event.vcpu
        if kind != "deliver" or vcpu == 1:
            firsts.setdefault(kind, logged.seq)
    if is_past:
        session.execute("goto start")
    else:
        session = bringup()

    async def play(it: Driver) -> None:
        await it.press("3", "n")
        assert it.view.selected == 1
        for key, kind in (("m", "mode"), ("i", "init"), ("s", "sipi"), ("h", "halt")):
            await it.press("b", key)
            seq = firsts[kind]
            assert it.view.now.events_total > seq, key
            assert it.view.events[-1].at - it.view.events[seq].at <= 1, key
        while it.view.selected != 1:
            await it.press("n")
        await it.press("b", "f")
        assert it.view.events[firsts["deliver"]].event.vcpu == 1
        assert it.view.now.events_total == firsts["deliver"] + 1
        # What comes of another key leaves all as it is.
        total = it.view.now.events_total
        await it.press("b", "x")
        assert it.view.now.events_total == total

    drive(session, play, size)


EVENTS = st.one_of(
    st.builds(
        IpiSent, st.integers(-1, CPUS), st.integers(0, 1 << 32),
        st.sampled_from(["init", "sipi", "fixed", "nmi", "lowest"]),
        st.text(max_size=5),
        st.lists(st.integers(0, CPUS), max_size=4).map(tuple),
        st.none() | st.just(Cause("destination", "nobody")),
    ),
    st.builds(InitReceived, st.integers(-1, CPUS), st.text(max_size=4)),
    st.builds(
        SipiReceived, st.integers(-1, CPUS), st.integers(0, 255), st.text(max_size=4),
        st.none() | st.just(Cause("no-init", "no INIT")),
    ),
    st.builds(
        RunStateChanged, st.integers(-1, CPUS), st.integers(0, 1 << 16),
        st.integers(0, 1 << 16), st.text(max_size=30),
    ),
    st.builds(ModeChanged, st.integers(-1, CPUS), st.just("real"), st.just("long"),
              st.integers(0, 99)),
    st.builds(Halted, st.integers(-1, CPUS), st.booleans()),
    st.builds(Woken, st.integers(-1, CPUS), st.text(max_size=4)),
    st.builds(VectorDelivered, st.integers(-1, CPUS), st.integers(0, 255), st.just(0)),
    st.builds(VectorEnded, st.integers(-1, CPUS), st.integers(0, 255), st.booleans(),
              st.just(0)),
    st.builds(Exited, st.integers(-1, CPUS), st.just("MMIO"), st.text(), st.just(0)),
    st.builds(Answered, st.integers(-1, CPUS), st.just("x"), st.text()),
    st.builds(Suspended, st.integers(-1, CPUS), st.text()),
    st.builds(
        Interfered, st.integers(-1, CPUS), st.sampled_from(["drop", "delay"]),
        st.sampled_from(["init", "sipi"]), st.just(0), st.text(),
    ),
)  # fmt: skip


@given(
    events=st.lists(st.tuples(st.integers(0, 5000), EVENTS), max_size=60),
    width=st.integers(30, 210),
    height=st.integers(1, 50),
    cut=st.integers(0, 60),
)
def test_no_stream_of_events_breaks_a_row(
    events: list[tuple[int, object]], width: int, height: int, cut: int
) -> None:
    at, logged = 0, []
    for seq, (later, event) in enumerate(events):
        at += later
        logged.append(Logged(seq, at, event))  # type: ignore[arg-type]
    boot = Boot(CPUS)
    boot.take(logged[:cut])
    later_boot = boot.copy()
    later_boot.take(logged[cut:])
    ahead = later_boot.rows[len(boot.rows) :]
    for selected in range(CPUS):
        names = lanes.shown(width, CPUS, selected)
        assert selected in names
        rows = lanes.body(boot, ahead, cut, names, (width, height))
        assert all(row.width == width for row in rows)
        assert len(rows) <= height
        for number, steps in enumerate(boot.steps):
            line = lanes.checklist(number, steps, width, selected=False, ran=True)
            assert line.width == width


def test_the_pane_names_the_cause_and_its_sheet_offers_the_rest() -> None:
    """The SIPI that a rule dropped, not the state that it led to."""

    async def play(it: Driver) -> None:
        for line in ("ipi drop --mode sipi", "run 40000", "layout boot"):
            await it.press(":", *line, "enter")
        await it.press("n")
        await it.until(
            lambda: it.view.now.why is not None and it.view.now.why.vcpu == 1
        )
        await it.until(lambda: "why vcpu 1: SIPI 0x08 at 28.7 us" in it.text)
        assert "w: more" in it.text
        await it.press("w")
        await it.until(lambda: isinstance(it.app.screen, SheetScreen))
        assert "a all" in it.text
        assert "what it did last" not in it.text
        await it.press("a")
        await it.until(lambda: "what it did last" in it.text)
        assert isinstance(it.app.screen, SheetScreen)
        assert "a all" not in it.text
        assert "what would make it run" in it.text

    drive(bringup(2), play)


def test_a_running_guest_is_not_asked_why() -> None:
    """The walk through its events would be taken at every picture."""
    session = bringup(2)
    session.execute("run 20000")
    posted: list[object] = []
    worker = Worker(session, posted.append)
    worker.wanted = Wanted(why=1)
    worker._show(running=True)
    worker._show(running=False)
    pictures = [each.snapshot for each in posted if isinstance(each, Seen)]
    assert [picture.why is None for picture in pictures] == [True, False]
