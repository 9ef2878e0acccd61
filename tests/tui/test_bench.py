"""The benchmark's guests do what their figures say that they do."""

import json

import pytest

from lapis_engine.cpu.ceiling import MEMORY_LOOP
from lapis_tui import bench


def test_the_memory_loop_counts_in_memory() -> None:
    m = bench._machine(MEMORY_LOOP)
    assert m.run(2001).reason == "budget"
    assert int.from_bytes(m.read_physical(0x5000, 4), "little") == 1001


def test_the_apic_loop_reads_the_id_register_in_the_engine() -> None:
    m = bench._machine(bench._apic_guest())
    m.run(100)
    m.vcpus[0].apic.id = 7
    assert m.run(1000).reason == "budget"
    assert (m.vcpus[0].regs.gpr[0], m.pending()) == (0x0700_0000, [])
    assert m.vcpus[0].regs.mode == "protected"


def test_each_figure_stands_beside_its_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LOOP", "STEPS", "READS"):
        monkeypatch.setattr(bench, name, 50)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    bench.main(as_json=True)
    figures = json.loads(capsys.readouterr().out)
    assert [f["name"] for f in figures] == [
        "counted memory loop", "single steps", "APIC reads by MMIO",
        "IPIs end to end",
    ]  # fmt: skip
    for figure in figures:
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["ceiling"])
