"""What people paste, by kind: each text beside what it says, worked out by hand."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lapis_engine.replay.digest import Digester
from lapis_engine.saved.lapic import RecordError
from lapis_plugins.host import discover
from lapis_sessions.apic_files import reading
from lapis_sessions.apic_files.contents import Chip, Contents
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_tui.cli import apic as cli
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_sessions.session import Session

    Open = Callable[..., Session]
    Do = Callable[[Session, str], Any]
    Refuse = Callable[[Session, str], str]

FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "apics"
ORACLES: Final = sorted(FIXTURES.glob("*.toml"))
FIELDS: Final = {
    "lvt_perf": "vlp_lvt_pcint", "timer_initial": "vlp_icr_timer",
    "timer_divide": "vlp_dcr_timer",
}  # fmt: skip
"""Registers whose field in the record is called otherwise."""
IOAPIC: Final = {"version": 0x20, "id": 0, "select": 0, "count": 24}
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


# Into a session, and out of the ordinary.


def test_a_session_that_is_there_for_itself_takes_all_that_it_has_room_for(
    opened: Open, done: Do
) -> None:
    session = opened()
    before = session.machine.vm.unknown
    view = done(session, f"apic import {FIXTURES / 'qemu-two-cpus.txt'}")
    assert (view["vcpu"], view["also"]) == (0, [1])
    assert [done(session, f"apic {n}")["ldr"] for n in (0, 1)] == [1 << 24, 2 << 24]
    view = done(session, f"apic import {FIXTURES / 'qemu-pic-beside.txt'} --vcpu 1")
    assert view["vcpu"] == 1
    assert "also" not in view
    pins = done(session, "ioapic")["pins"]
    assert pins[9]["entry"] == 0x0100_0000_0000_C025
    pair = session.machine.vm.pic
    assert pair is not None
    assert pair.master.base == 0x30
    # It is a machine that is known, and stays one.
    assert session.machine.vm.unknown == before == ()


def test_of_several_one_is_taken_or_none(
    opened: Open, done: Do, refused: Refuse
) -> None:
    session = opened()
    path = FIXTURES / "qemu-two-cpus.txt"
    assert done(session, f"apic import {path} --vcpu 1")["vcpu"] == 1
    assert "has the APICs of CPUs 0, 1, and none of 2" in refused(
        session, f"apic import {path} --vcpu 2"
    )


def test_nothing_is_put_when_the_second_does_not_fit(
    opened: Open, refused: Refuse, tmp_path: Path
) -> None:
    session = opened()
    path = tmp_path / "paste"
    text = (FIXTURES / "qemu-two-cpus.txt").read_text()
    path.write_text(text.replace("CPU 1 ", "CPU 7 "))
    digester = Digester(session.machine)
    before = digester.digest()
    assert "there is no vCPU 7" in refused(session, f"apic import {path}")
    assert digester.digest() == before


def test_a_format_may_be_named(opened: Open, done: Do, refused: Refuse) -> None:
    session = opened()
    path = FIXTURES / "hyperdbg-ioapic.txt"
    view = done(session, f"apic import {path} --format hyperdbg")
    assert view["format"] == "hyperdbg"
    said = refused(session, f"apic import {path} --format qemu")
    assert "is not the text of QEMU's" in said
    said = refused(session, f"apic import {path} --format bochs")
    assert "there is no format 'bochs': lapis-apic, qemu, linux" in said


def test_two_formats_of_one_thing_are_for_the_user_to_choose(
    opened: Open, refused: Refuse, tmp_path: Path
) -> None:
    path = tmp_path / "paste"
    both = (FIXTURES / name for name in ("qemu-stuck.txt", "linux-2.4.txt"))
    path.write_text("\n".join(each.read_text() for each in both))
    said = refused(opened(), f"apic import {path}")
    assert "has APICS in format qemu and in format linux: choose one" in said


def test_a_recording_of_what_was_opened_from_a_file_replays(
    tmp_path: Path, capsys: Captured
) -> None:
    path, file = FIXTURES / "linux-dmesg.txt", tmp_path / "x.lapis"
    commands = ("-c", f"record start {file}", "-c", "step", "-c", "record stop")
    assert main(["apic", "import", str(path), *commands]) == 0
    capsys.readouterr()
    recording = reader.read(str(file))
    verbs = [row.verb for row in recording.last.acts]
    assert verbs == ["import_system", "import_apic", "step"]
    again = replaying.session_of(recording, discover().extensions)
    assert replaying.verify(again, recording).divergence is None
    assert again.machine.vm.ioapic is not None
    assert again.machine.vm.ioapic.pins[11].entry == 0x0200_0000_0000_E03B
    assert "vcpu1" in again.machine.vm.unknown


@pytest.mark.parametrize(
    ("saved", "why"),
    [
        ([], "BAD_VALUE: it must be an object"),
        ({"apic": {}}, "apic: UNKNOWN"),
        ({"unknown": ["x y"]}, "unknown: BAD_VALUE: 'x y' is no name"),
        ({"unknown": "vcpu0"}, "unknown: BAD_VALUE: it must be a list"),
        ({"ioapic": {"version": 17}}, "ioapic.id: BAD_VALUE: None is not 0 to"),
        (IOAPIC | {"pins": [[24, 0, 0]]}, "ioapic.pins: BAD_VALUE: 24 is not 0 to"),
        (IOAPIC | {"pins": [[1, 1 << 64, 0]]}, "ioapic.pins[1]: BAD_VALUE"),
        (IOAPIC | {"pins": [[1, 0, 0], [1, 0, 0]]}, "pin 1 is twice"),
        (IOAPIC | {"pins": [[1, 0]]}, "three numbers for each"),
        ({"8259": {"master": {}}}, "it must have master and slave"),
        ({"8259": {"master": {}, "slave": {}}}, "8259.master.irr: BAD_VALUE"),
    ],
)
def test_what_cannot_be_put_beside_an_apic_names_it(
    opened: Open, saved: Any, why: str
) -> None:
    machine = opened().machine
    if isinstance(saved, dict) and "pins" in saved:
        saved = {"ioapic": saved}
    digester = Digester(machine)
    before = digester.digest()
    with pytest.raises(RecordError) as error:
        machine.import_system(saved)
    assert why in str(error.value)
    assert digester.digest() == before


def test_a_machine_without_the_devices_takes_none() -> None:
    machine = open_session(
        SessionOptions("ipi-ping", machine="dump"), discover().extensions
    ).machine
    assert (machine.vm.ioapic, machine.vm.pic) == (None, None)
    with pytest.raises(RecordError, match="the machine has no IOAPIC"):
        machine.import_system({"ioapic": IOAPIC | {"pins": []}})


ENCODED: Final = {
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "latin-1": lambda text: f"Gr\u00fc\u00dfe,\n{text}".encode("latin-1"),
    "qmp": lambda text: json.dumps({"return": text.replace("\n", "\r\n")}).encode(),
}


@pytest.mark.parametrize("encode", ENCODED.values(), ids=ENCODED)
def test_a_text_may_come_in_other_bytes(
    encode: Callable[[str], bytes], tmp_path: Path
) -> None:
    path = FIXTURES / "qemu-old.txt"
    wanted = reading.read(str(path), reading.FORMATS)
    file = tmp_path / "paste"
    file.write_bytes(encode(path.read_text()))
    (found,) = reading.read(str(file), reading.FORMATS).apics
    assert found.saved == wanted.apics[0].saved


def test_what_the_end_of_the_file_cuts_is_left_out(tmp_path: Path) -> None:
    text = (FIXTURES / "qemu-pic-beside.txt").read_text()
    file = tmp_path / "paste"
    file.write_text(text[: text.index("25 dest=1 vec=37")])
    found = reading.read(str(file), reading.FORMATS)
    assert found.ioapic is not None
    assert sorted(found.ioapic.pins) == [0, 1, 4]
    assert found.remarks[0] == (
        "the end of the file cuts its last line, which is left out: "
        "pin 9 0x010000000000c0"
    )
    file.write_text((FIXTURES / "qemu-stuck.txt").read_text().rstrip())
    found = reading.read(str(file), reading.FORMATS)
    assert "irr" in found.apics[0].missing
    assert found.remarks[0].endswith("left out: IRR 38(level) 236 251")
