"""The benchmark's guests do what their figures say that they do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from lapis_tui.bench import engine, recordings
from lapis_tui.bench.ceiling import APIC_READ, MEMORY_LOOP

if TYPE_CHECKING:
    from lapis_engine.vmm.bus import Bus


def test_the_memory_loop_counts_in_memory() -> None:
    m = engine._machine(MEMORY_LOOP)
    assert m.run(2001).reason == "budget"
    assert int.from_bytes(m.read_physical(0x5000, 4), "little") == 1001


def test_the_apic_loop_reads_the_id_register_in_the_engine() -> None:
    m = engine._machine(engine._flat_guest(APIC_READ))
    m.run(100)
    m.vcpus[0].apic.id = 7
    assert m.run(1000).reason == "budget"
    assert (m.vcpus[0].regs.gpr[0], m.pending()) == (0x0700_0000, [])
    assert m.vcpus[0].regs.mode == "protected"


def test_the_request_loop_asks_for_the_same_address_each_time() -> None:
    m = engine._machine(engine._flat_guest(engine.DEVICE_READ))
    for answer in (1, 0xFFFF_FFFF):
        stop = m.run(1000)
        assert stop.text == "read 4 bytes at 0xd0000000"
        m.answer(0, answer)
        assert m.vcpus[0].regs.gpr[0] == answer


def test_the_rep_loop_goes_through_the_whole_page_of_the_apic() -> None:
    m = engine._machine(engine._flat_guest(engine.REP_MOVSB))
    seen: set[tuple[int, int]] = set()
    bus = m.vm.buses[0]

    class Listening:
        def write(self, gpa: int, size: int, value: int) -> bool:
            seen.add((gpa, size))
            return bus.write(gpa, size, value)

    m.vm.buses[0] = cast("Bus", Listening())
    assert m.run(10_000).reason == "budget"
    assert seen == {(gpa, 1) for gpa in range(0xFEE0_0000, 0xFEE0_1000)}


def test_each_figure_stands_beside_its_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LOOP", "STEPS", "READS", "ANSWERS", "REP_ITERATIONS"):
        monkeypatch.setattr(engine, name, 50)
    monkeypatch.setattr(engine, "SCHEDULES", 5)
    monkeypatch.setattr(engine, "ROUNDS", 1)
    for name in ("SPAN", "HISTORY", "ACTS"):
        monkeypatch.setattr(recordings, name, 500)
    monkeypatch.setattr(recordings, "PLACES", 3)
    engine.main(as_json=True)
    figures = json.loads(capsys.readouterr().out)
    assert [f["name"] for f in figures] == [
        "counted memory loop", "single steps", "APIC reads by MMIO",
        "IPIs end to end", "requests answered", "REP MOVSB to the APIC",
        "schedules explored", "recording to a file", "goto, the slowest",
        "reverse-step, p95", "opening a recording",
    ]  # fmt: skip
    for figure in figures:
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["ceiling"])
