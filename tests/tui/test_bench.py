"""The benchmark's guests do what their figures say that they do."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, cast

import pytest
from unicorn.x86_const import UC_X86_REG_RCX

from lapis_tui.bench import (
    engine,
    figure,
    guests,
    loops,
    recordings,
    rom,
    stops,
    timing,
)
from lapis_tui.bench.bare import MEMORY_LOOP, PlainUnicorn
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_engine.vmm.bus import Bus
    from lapis_sessions.session import Session

LOOPS = {
    "registers": rom.REGISTERS, "on_data": rom.ON_DATA, "on_code": rom.ON_CODE,
    "rdtsc": rom.RDTSC, "apic": rom.APIC,
}  # fmt: skip


def test_the_memory_loop_counts_in_memory() -> None:
    m = guests.real_mode(MEMORY_LOOP)
    assert m.run(2001).reason == "budget"
    assert int.from_bytes(m.read_physical(0x5000, 4), "little") == 1001


def test_the_request_loop_asks_for_the_same_address_each_time() -> None:
    m = guests.protected_mode(guests.DEVICE_READ)
    for answer in (1, 0xFFFF_FFFF):
        stop = m.run(1000)
        assert stop.text == "read 4 bytes at 0xd0000000"
        m.answer(0, answer)
        assert m.vcpus[0].regs.gpr[0] == answer


def test_the_rep_loop_goes_through_the_whole_page_of_the_apic() -> None:
    m = guests.protected_mode(guests.REP_MOVSB)
    seen: set[tuple[int, int]] = set()
    bus = m.vm.buses[0]

    class Listening:
        def write(self, gpa: int, size: int, value: int) -> bool:
            seen.add((gpa, size))
            return bus.write(gpa, size, value)

    m.vm.buses[0] = cast("Bus", Listening())
    assert m.run(10_000).reason == "budget"
    assert seen == {(gpa, 1) for gpa in range(0xFEE0_0000, 0xFEE0_1000)}


@pytest.mark.parametrize(
    ("loop", "instructions"),
    [("registers", 3), ("on_data", 4), ("on_code", 4), ("rdtsc", 3), ("apic", 3)],
)
def test_a_loop_does_its_rounds_in_long_mode(loop: str, instructions: int) -> None:
    ran = []
    for rounds in (100, 200):
        m = guests.from_reset(rom.image(LOOPS[loop], rounds))
        stop = m.run(100_000)
        assert stop.text == "OUT 1 to port 0xf4 = 0x21"
        assert (m.vcpus[0].regs.mode, m.vcpus[0].regs.gpr[1]) == ("long", 0)
        ran.append(m.vcpus[0].retired)
    assert ran[1] - ran[0] == 100 * instructions
    assert ran[0] < loops.LEAD + 100 * instructions


def test_a_rom_has_no_rounds_that_ecx_does_not_hold() -> None:
    for rounds in (0, 1 << 32):
        with pytest.raises(ValueError, match="rounds"):
            rom.image(rom.REGISTERS, rounds)


@pytest.mark.parametrize(
    ("loop", "page", "nx"), [("on_data", 0x20_0000, 1), ("on_code", 0x10_0000, 0)]
)
def test_a_loop_in_memory_has_its_page(loop: str, page: int, nx: int) -> None:
    m = guests.from_reset(rom.image(LOOPS[loop], 100))
    m.vm.memory.write(page, bytes.fromhex("00345678"))
    assert m.run(100_000).reason == "exit"
    assert m.vcpus[0].regs.gpr[0] == 0x7856_3421  # but for what is told at the end
    large = page >> 21  # the tables are at 0x1000, the first GiB's directory at 0x3000
    entry = int.from_bytes(m.read_physical(0x3000 + 8 * large, 8), "little")
    assert (entry >> 63, entry & 0xFF) == (nx, 0x83 | 0x60)  # accessed, and dirty


def test_the_apic_loop_reads_the_id_register_in_the_engine() -> None:
    m = guests.from_reset(rom.image(rom.APIC, 100))
    m.vcpus[0].apic.id = 7
    assert m.run(100_000).text == "OUT 1 to port 0xf4 = 0x21"
    assert m.vcpus[0].regs.gpr[0] == 0x0700_0021


def test_plain_unicorn_does_the_same_loops() -> None:
    raw = PlainUnicorn()
    for loop in (rom.REGISTERS, rom.ON_DATA, rom.ON_CODE, rom.RDTSC):
        for rounds in (100, 1):
            raw.loop(loop, rounds)
            left = raw._long[loop.name].reg_read(UC_X86_REG_RCX)
            assert left & 0xFFFF_FFFF == 0, "all rounds are done"


def test_each_figure_stands_beside_its_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("STEPS", "HOLES", "ANSWERS", "REP_ITERATIONS"):
        monkeypatch.setattr(engine, name, 50)
    for name in ("INSTRUCTIONS", "READS"):
        monkeypatch.setattr(loops, name, 50)
    monkeypatch.setattr(engine, "SCHEDULES", 5)
    monkeypatch.setattr(timing, "ROUNDS", 1)
    monkeypatch.setattr(engine, "IPI_ROUNDS", 2)
    for name in ("ROUNDS", "WATCHED", "ASKED"):
        monkeypatch.setattr(stops, name, 50)
    for name in ("SPAN", "HISTORY", "ACTS"):
        monkeypatch.setattr(recordings, name, 500)
    monkeypatch.setattr(recordings, "PLACES", 3)
    assert main(["bench", "--json"]) in {0, 1}  # targets that are met, or missed
    figures = json.loads(capsys.readouterr().out)
    assert [f["name"] for f in figures] == [
        "register loop", "load+store loop, NX", "load+store loop, executable", "RDTSC",
        "single steps", "APIC reads by MMIO",
        "IPIs end to end", "requests answered", "REP MOVSB to the APIC",
        "schedules explored", "breakpoint elsewhere", "physical one elsewhere",
        "port watch elsewhere", "memory watch elsewhere", "condition of a breakpoint",
        "condition of a watch", "hit of a breakpoint", "hit of a watch",
        "recording to a file", "goto, the slowest",
        "reverse-step, p95", "opening a recording",
    ]  # fmt: skip
    for each in figures:
        assert each["ratio"] == pytest.approx(each["value"] / each["ceiling"])
        assert [*each] == [
            "name", "value", "unit", "ceiling", "ratio", "target", "met", "beside",
            "interpreter", "core", "build",
        ]  # fmt: skip
        assert platform.python_version() in each["interpreter"]
        assert each["core"] in {"blocks", "count"}
        assert each["build"] in {"python", "compiled"}
    assert {f["beside"] for f in figures[:4]} == {"Unicorn without hooks"}


def test_the_figures_are_told_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "MEASURES", ())
    fake = figure.compared("name", "runs/s", 3.0, 12.0, "what it stands beside", 2)
    missed = figure.compared("other", "runs/s", 3.0, 12.0, "something else", 4)
    monkeypatch.setattr(recordings, "figures", lambda _raw: [fake, missed])
    monkeypatch.setattr(stops, "figures", list)
    assert main(["bench"]) == 1
    head, first, second = capsys.readouterr().out.splitlines()
    assert platform.python_version() in head
    assert "core: " in head
    assert "engine: " in head
    line = "name 3 runs/s 0.2500 of what it stands beside; >= 2/s met"
    assert " ".join(first.split()) == line
    assert second.endswith("0.2500 of something else; >= 4/s MISSED")


@pytest.mark.parametrize("row", stops.ROWS, ids=lambda row: str(row[0]))
def test_what_is_set_is_met_as_often_as_its_row_says(
    row: tuple[str, str, Callable[[Session], None], object],
) -> None:
    """Of 50 rounds: elsewhere is never met, and a question is asked once in each."""
    _name, unit, arrange, _measure = row
    session = stops._inside()
    arrange(session)
    machine = session.machine
    items: list[Point | Watch] = [*machine.points.items, *machine.watches.items]
    assert len(items) == 1
    item, asked = items[0], []
    when = item.when

    def ask(vcpu: int) -> bool:
        asked.append(vcpu)
        return when is not None and when(vcpu)

    item.when = None if when is None else ask
    stop = machine.run(50 * stops.LOOP.instructions)
    if unit == "hits/s":
        assert stop.point == item.number
    else:
        assert stop.reason == "budget"
    assert len(asked) == (50 if unit == "questions/s" else 0)
