"""What people paste, by kind: each text beside what it says, worked out by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lapis_sessions.apic_files import reading
from lapis_sessions.apic_files.contents import Chip, Contents
from lapis_sessions.opening import open_session
from lapis_tui.cli import apic as cli
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "apics"
ORACLES: Final = sorted(FIXTURES.glob("*.toml"))
FIELDS: Final = {
    "lvt_perf": "vlp_lvt_pcint", "timer_initial": "vlp_icr_timer",
    "timer_divide": "vlp_dcr_timer",
}  # fmt: skip
"""Registers whose field in the record is called otherwise."""
Captured = pytest.CaptureFixture[str]


def paste_of(oracle: Path) -> Path:
    """The text or the bytes that an oracle is beside."""
    (found,) = (
        path for path in FIXTURES.glob(f"{oracle.stem}.*") if path.suffix != ".toml"
    )
    return found


def bits(vectors: list[int]) -> list[int]:
    """Vectors as the eight words of a bank."""
    words = [0] * 8
    for vector in vectors:
        words[vector // 32] |= 1 << vector % 32
    return words


def check_apic(found: Contents, said: Mapping[str, Any]) -> None:
    """An APIC has each register that the oracle has, and no other."""
    lapic = dict(found.saved["lapic"])
    base = lapic.pop("vl_msr_apicbase")
    assert bool(base & 1 << 10) == said.get("x2apic", False)
    lapic.pop("vlp_apr")
    for ours in ("vl_esr_pending", "vl_timer_target"):
        assert lapic.pop(ours, 0) == 0
    if "timer_current" in said and said["lvt_timer"] >> 17 & 3 != 2:
        assert found.saved["timer_current"] == said["timer_current"]
    for name, value in said.items():
        if name in {"number", "missing", "x2apic", "timer_current"}:
            continue
        got = lapic.pop(FIELDS.get(name, f"vlp_{name}"))
        assert got == (bits(value) if isinstance(value, list) else value), name
    assert lapic == {}
    assert sorted(set(found.missing) - {"tmr"}) == said.get("missing", [])


def check_state(apic: Any, said: Mapping[str, Any]) -> None:
    """A vCPU's APIC has what the oracle has, where it is on."""
    for bank in ("isr", "irr", "tmr"):
        if bank in said:
            assert getattr(apic, bank) == sum(1 << vector for vector in said[bank])
    for name in ("tpr", "lvt_lint0", "lvt_timer"):
        if name in said and said.get("svr", 0x100) & 0x100:
            assert getattr(apic, name) == said[name]


def check_chip(found: Chip, said: Mapping[str, Any]) -> None:
    assert found == Chip(**said)


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_a_text_says_what_its_oracle_says(path: Path) -> None:
    said = tomllib.loads(path.read_text())
    found = reading.read(str(paste_of(path)), reading.FORMATS)
    assert list(found.formats) == said["formats"]
    cpus = said.get("cpu", {})
    assert [each.vcpu for each in found.apics] == [
        int(number) if said_of.get("number", True) else None
        for number, said_of in cpus.items()
    ]
    for each, of_cpu in zip(found.apics, cpus.values(), strict=True):
        check_apic(each, of_cpu)
    if "ioapic" not in said:
        assert found.ioapic is None
    else:
        ioapic, wanted = found.ioapic, said["ioapic"]
        assert ioapic is not None
        pins = {int(pin): int(entry, 16) for pin, entry in wanted["pins"].items()}
        if "others" in wanted:
            pins = dict.fromkeys(range(wanted["count"]), wanted["others"]) | pins
        assert ioapic.pins == pins
        assert (ioapic.count, ioapic.version, ioapic.id, ioapic.select) == (
            wanted["count"], wanted["version"], wanted.get("id", 0),
            wanted.get("select", 0),
        )  # fmt: skip
        high = wanted.get("high")
        assert ioapic.asserted == (None if high is None else frozenset(high))
    if "pic" not in said:
        assert found.pic is None
    else:
        assert found.pic is not None
        check_chip(found.pic[0], said["pic"]["master"])
        check_chip(found.pic[1], said["pic"]["slave"])
    lines: dict[str, list[int]] = {}
    for line in found.lines:
        counts = lines.setdefault(line.irq, [])
        counts += [] if line.count is None else [line.count]
    wanted_lines = said.get("lines", {})
    assert {name: lines[name] for name in wanted_lines} == wanted_lines
    assert bool(lines) == bool(wanted_lines)


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_the_command_line_answers_in_the_words_of_the_text(
    path: Path, capsys: Captured
) -> None:
    said = tomllib.loads(path.read_text())
    question, *words = said["ask"]
    command = ["apic", "import", str(paste_of(path)), "-c", f"{question} --all"]
    assert main(command) == 0
    out = capsys.readouterr().out
    for word in words:
        assert word in out, out
    for word in said.get("never", ()):
        assert word not in out, out


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_what_a_machine_becomes_is_what_was_read(
    path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tomllib.loads(path.read_text())
    opened: list[Any] = []
    make = open_session

    def noted(*args: Any) -> Any:
        opened.append(make(*args))
        return opened[-1]

    monkeypatch.setattr(cli, "open_session", noted)
    assert main(["apic", "import", str(paste_of(path)), "-c", "apic"]) == 0
    capsys.readouterr()
    vm = opened[0].machine.vm
    assert (vm.ioapic is not None) == ("ioapic" in said)
    assert (vm.pic is not None) == ("pic" in said)
    for number, of_cpu in said.get("cpu", {}).items():
        check_state(vm.vcpus[int(number)].apic, of_cpu)
    for pin, entry in said.get("ioapic", {}).get("pins", {}).items():
        # Delivery status is not kept: messages go out at once.
        assert vm.ioapic.pins[int(pin)].entry == int(entry, 16) & ~0x1000
    for chip, wanted in said.get("pic", {}).items():
        got = getattr(vm.pic, chip)
        assert (got.imr, got.isr, got.elcr) == (
            wanted["imr"], wanted["isr"], wanted["elcr"],
        )  # fmt: skip
        assert got.base == wanted.get("base", 0)
