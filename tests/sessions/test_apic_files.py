"""Files that hold a local APIC: read, written, damaged, and replayed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.recording.export import script
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.session import Session

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refuse = Callable[[Session, str], str]
QEMU = (
    "(qemu) info lapic\r\n"
    "dumping local APIC state for CPU 0 \n"
    "\n"
    "LVT0\t 0x00010700 active-hi edge  masked                      ExtINT (vec 0)\n"
    "LVT1\t 0x00000400 active-hi edge                              NMI    \n"
    "LVTPC\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVTERR\t 0x000000fe active-hi edge                              Fixed  (vec 254)\n"
    "LVTTHMR\t 0x00010000 active-hi edge  masked                    Fixed  (vec 0)\n"
    "LVTT\t 0x000000ec active-hi edge                 one-shot     Fixed  (vec 236)\n"
    "Timer\t DCR=0x3 (divide by 16) initial_count = 62500 current_count = 31250\n"
    "SPIV\t 0x000001ff APIC enabled, focus=off, spurious vec 255\n"
    "ICR\t 0x000000fd physical edge de-assert no-shorthand\n"
    "ICR2\t 0x02000000 cpu 2 (APIC ID)\n"
    "ESR\t 0x00000000\n"
    "ISR\t 37(level) \n"
    "IRR\t 37(level) 236 \n"
    "\n"
    "APR 0x00 TPR 0x00 DFR 0x0f LDR 0x01 PPR 0x20\n"
)
OLD = (
    QEMU.replace(" current_count = 31250", "")
    .replace("DFR 0x0f LDR 0x01 PPR", "DFR 0x00 LDR 0x21(cluster 2: id 1)PPR")
    .replace("37(level) \nIRR\t 37(level) 236 ", "(none)\nIRR\t (none)")
    .replace("PPR 0x20", "PPR 0x00")
)


REAL = (
    "dumping local APIC state for CPU 0 \n"
    "\n"
    "LVT0\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVT1\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVTPC\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVTERR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVTTHMR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)\n"
    "LVTT\t 0x000200ec active-hi edge                 periodic     Fixed  (vec 236)\n"
    "Timer\t DCR=0x3 (divide by 16) initial_count = 4026531840"
    " current_count = 3935722358\n"
    "SPIV\t 0x000001ff APIC enabled, focus=off, spurious vec 255\n"
    "ICR\t 0x00044052 physical edge assert self\n"
    "ICR2\t 0x00000000\n"
    "ESR\t 0x00000000\n"
    "ISR\t 82 \n"
    "IRR\t 69 82 97 \n"
    "\n"
    "APR 0x00 TPR 0x10 DFR 0x00 LDR 0x21(cluster 2: id 1) PPR 0x50\n"
)
"""What QEMU 7.2.22 (TCG) printed of a guest that had sent itself 0x52, and in the
handler 0x61, 0x45 and 0x52 once more; its logical ids are in the cluster model."""


def page(size: int = 0x1000, **changed: int) -> bytes:
    """A page as Linux leaves it; `changed` has registers by offset, `x0d0=...`."""
    values = {
        0x020: 0, 0x030: 0x0005_0014, 0x080: 0x10, 0x0A0: 0x40, 0x0D0: 0x0100_0000,
        0x0E0: 0xFFFF_FFFF, 0x0F0: 0x1FF, 0x120: 1 << 1, 0x1A0: 1 << 1, 0x210: 1 << 2,
        0x270: 1 << 12, 0x300: 0x8FB, 0x310: 0x0400_0000, 0x320: 0x2_00EC,
        0x330: 0x10000, 0x340: 0x400, 0x350: 0x10700, 0x360: 0x400, 0x370: 0xFE,
        0x380: 62500, 0x390: 31250, 0x3E0: 3,
    }  # fmt: skip
    values |= {int(name[1:], 16): value for name, value in changed.items()}
    data = bytearray(size)
    for offset, value in values.items():
        data[offset : offset + 4] = value.to_bytes(4, "little")
    return bytes(data)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], str]:
    def write(content: str | bytes) -> str:
        path = tmp_path / "apic"
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return str(path)

    return write


Put = Callable[[str | bytes], str]


def test_the_text_of_qemu(opened: Open, done: Do, file: Put) -> None:
    session = opened()
    view = done(session, f"apic import {file(QEMU)}")
    assert view.keys() == {"vcpu", "file", "format", "remarks", "apic"}
    assert (view["vcpu"], view["format"]) == (0, "qemu")
    apic = view["apic"]
    assert apic == done(session, "apic 0")
    assert (apic["tpr"], apic["ppr"], apic["svr"], apic["esr"]) == (0, 0x20, 0x1FF, 0)
    assert (apic["isr"], apic["irr"], apic["tmr"]) == ([37], [37, 236], [37])
    assert apic["icr"]["raw"] == 0x0200_0000_0000_00FD
    assert (apic["mode"], apic["apicbase"]) == ("xapic", 0xFEE0_0900)
    assert (apic["ldr"], apic["dfr"]) == (0x0100_0000, 0xFFFF_FFFF)
    lvt = {name: entry["raw"] for name, entry in apic["lvt"].items()}
    assert lvt == {
        "timer": 0xEC, "thermal": 0x10000, "perf": 0x10000, "lint0": 0x10700,
        "lint1": 0x400, "error": 0xFE,
    }  # fmt: skip
    # 31250 ticks of 1 GHz / 16.
    assert apic["timer"] == {"initial": 62500, "divide": 3, "deadline": 500_000}
    assert view["remarks"] == [
        "the text has no APICBASE: xAPIC mode is taken",
        "the text has no version and no id: the target's stay",
        "the file's PPR, 0x20, is what TPR 0x00 and ISR (up to 0x25) give",
    ]


def test_what_a_real_qemu_printed(opened: Open, done: Do, file: Put) -> None:
    session = opened()
    view = done(session, f"apic import {file(REAL)}")
    apic = view["apic"]
    assert (apic["isr"], apic["irr"], apic["tmr"]) == ([0x52], [0x45, 0x52, 0x61], [])
    assert (apic["tpr"], apic["ppr"]) == (0x10, 0x50)
    assert (apic["ldr"], apic["dfr"]) == (0x2100_0000, 0x0FFF_FFFF)
    assert apic["icr"]["raw"] == 0x44052
    assert apic["timer"]["initial"] == 0xF000_0000
    # 3935722358 ticks of 1 GHz / 16.
    assert apic["timer"]["deadline"] == 62_971_557_728
    assert view["remarks"][-1].endswith("is what TPR 0x10 and ISR (up to 0x52) give")
    rules = {
        reason["rule"]
        for reason in done(session, "irq why 0x45")["reasons"]
        if reason["blocks"]
    }
    # Not IF: the text has the APIC alone, and nothing of its processor.
    assert rules == {"higher-vector", "class"}


def test_the_text_of_an_older_qemu(opened: Open, done: Do, file: Put) -> None:
    session = opened()
    view = done(session, f"apic import {file(OLD)}")
    apic = view["apic"]
    assert (apic["isr"], apic["irr"], apic["tmr"]) == ([], [], [])
    assert (apic["ldr"], apic["dfr"]) == (0x2100_0000, 0x0FFF_FFFF)
    assert apic["timer"] == {"initial": 62500, "divide": 3, "deadline": None}
    assert view["remarks"][-2:] == [
        "the file's PPR, 0x00, is what TPR 0x00 and ISR (empty) give",
        "the file has no current count: the one-shot timer is not armed",
    ]
    periodic = file(OLD.replace("0x000000ec", "0x000200ec"))
    view = done(session, f"apic import {periodic}")
    assert view["apic"]["timer"]["deadline"] == 1_000_000
    assert view["remarks"][-1].endswith("the timer begins a whole period")


def test_a_ppr_that_does_not_fit_is_remarked_on_and_not_taken(
    opened: Open, done: Do, file: Put
) -> None:
    view = done(opened(), f"apic import {file(QEMU.replace('PPR 0x20', 'PPR 0x60'))}")
    assert view["apic"]["ppr"] == 0x20
    assert (
        "the file's PPR is 0x60; TPR 0x00 and ISR (up to 0x25) give 0x20, which is "
        "taken"
    ) in view["remarks"]


def test_a_destination_of_24_more_bits_tells_x2apic_mode(
    opened: Open, done: Do, file: Put
) -> None:
    text = QEMU.replace("0x02000000 cpu 2 (APIC ID)", "0x00000002 cpu 2 (X2APIC ID)")
    view = done(opened(), f"apic import {file(text)} --vcpu 1")
    assert (view["apic"]["mode"], view["apic"]["ldr"]) == ("x2apic", 2)
    assert view["apic"]["icr"]["raw"] == 0x2_0000_00FD
    assert "x2APIC mode is taken, because ICR2 is 0x2" in view["remarks"][0]


@pytest.mark.parametrize(("size", "name"), [(0x1000, "page"), (0x400, "kvm")])
def test_the_raw_registers(
    opened: Open, done: Do, file: Put, size: int, name: str
) -> None:
    view = done(opened(), f"apic import {file(page(size))}")
    apic = view["apic"]
    assert view["format"] == name
    assert (apic["mode"], apic["id"], apic["tpr"], apic["ppr"]) == (
        "xapic", 0, 0x10, 0x40,
    )  # fmt: skip
    assert (apic["isr"], apic["irr"], apic["tmr"]) == ([0x41], [0x22, 0xEC], [0x41])
    assert apic["icr"]["raw"] == 0x0400_0000_0000_08FB
    assert apic["lvt"]["timer"]["raw"] == 0x2_00EC
    assert apic["lvt"]["perf"]["raw"] == 0x400
    assert apic["timer"]["deadline"] == 500_000
    assert view["remarks"] == [
        "the file has no APICBASE: xAPIC mode is taken, because LDR is 0x1000000",
        "the file's PPR, 0x40, is what TPR 0x10 and ISR (up to 0x41) give",
        "vlp_version 0x50014 became 0x1050014, that of vCPU 0 in profile sdm",
    ]


def test_the_raw_registers_of_an_x2apic(opened: Open, done: Do, file: Put) -> None:
    raw = page(0x400, x020=0x13, x0d0=0x0001_0008, x310=0x0000_0021)
    view = done(opened(), f"apic import {file(raw)} --vcpu 1")
    assert (view["apic"]["mode"], view["apic"]["id"]) == ("x2apic", 1)
    assert view["apic"]["icr"]["raw"] == 0x21_0000_08FB
    assert view["remarks"][0].endswith("x2APIC mode is taken, because LDR is 0x10008")
    assert view["remarks"][-2:] == [
        "vlp_id 0x13 became 0x1, that of vCPU 1 in profile sdm",
        "vlp_ldr 0x10008 became 0x2, that of vCPU 1 in profile sdm",
    ]


def test_a_tsc_deadline_that_no_dump_has_is_not_armed(
    opened: Open, done: Do, file: Put
) -> None:
    raw = page(0x400, x320=0x4_00EC, x380=0, x390=0)
    view = done(opened(), f"apic import {file(raw)}")
    assert view["apic"]["timer"]["deadline"] is None
    assert any("has no deadline: it is not armed" in each for each in view["remarks"])


def test_cmci_is_read_where_the_version_counts_so_far(
    opened: Open, done: Do, file: Put
) -> None:
    session = opened()
    done(session, f"apic import {file(page(x030=0x0106_0015, x2f0=0x700F2))}")
    assert session.machine.vcpus[0].apic.lvt_cmci == 0x100F2
    done(session, f"apic import {file(page(x2f0=0x55))}")
    assert session.machine.vcpus[0].apic.lvt_cmci == 0x100F2


# Our own format.


def test_an_export_is_documented_json_and_comes_back(
    opened: Open, done: Do, file: Put, tmp_path: Path
) -> None:
    session, path = opened(), tmp_path / "out.json"
    done(session, "run 3000")
    done(session, "ipi nmi --to 1")
    done(session, f"apic import {file(page(0x400))}")
    view = done(session, f"apic export {path}")
    assert view == {
        "file": str(path), "bytes": path.stat().st_size, "format": "lapis-apic",
        "version": 1, "vcpu": 0, "now": session.machine.now,
    }  # fmt: skip
    found = json.loads(path.read_text())
    assert list(found) == [
        "format", "version", "profile", "vcpu", "lapic", "events", "now",
    ]  # fmt: skip
    assert (found["format"], found["version"], found["profile"]) == (
        "lapis-apic", 1, "sdm",
    )  # fmt: skip
    assert found["lapic"]["vlp_irr"] == [0, 4, 0, 0, 0, 0, 0, 1 << 12]
    before = Digester(session.machine).fields()
    again = done(session, f"apic import {path}")
    assert (again["format"], again["remarks"]) == ("lapis-apic", [])
    changed = {
        name
        for name, value in Digester(session.machine).fields().items()
        if before.get(name) != value
    }
    assert not any("apic" in name and "log" not in name for name in changed)
    assert done(session, "apic 0") == again["apic"]


def test_an_export_replaces_nothing_unasked(
    opened: Open, done: Do, refused: Refuse, tmp_path: Path
) -> None:
    session, path = opened(), tmp_path / "out.json"
    path.write_text("mine")
    assert refused(session, f"apic export {path}").endswith(
        "is there already; --force replaces it"
    )
    assert path.read_text() == "mine"
    done(session, f"apic export {path} 1 --force")
    assert json.loads(path.read_text())["vcpu"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]
    assert "there is no vCPU 9" in refused(session, f"apic export {path}2 9")
    assert "cannot be written" in refused(session, "apic export /nowhere/x.json")


def test_ours_is_taken_strictly_unless_lenient(
    opened: Open, done: Do, refused: Refuse, tmp_path: Path
) -> None:
    path = tmp_path / "out.json"
    done(opened(profile="illumos"), f"apic export {path}")
    session = opened()
    sentence = refused(session, f"apic import {path}")
    assert sentence.startswith("vlp_version: BAD_VERSION: 0x60014: ")
    view = done(session, f"apic import {path} --lenient")
    assert [each.split()[0] for each in view["remarks"]] == ["vlp_version"]


# Damage.


def test_what_is_none_of_the_formats_is_refused_in_one_sentence(
    opened: Open, refused: Refuse, file: Put, tmp_path: Path
) -> None:
    session = opened()
    for content in ("", "hello", "[1, 2]", bytes(1025), bytes(100), b"\xff" * 4095):
        sentence = refused(session, f"apic import {file(content)}")
        assert "is neither JSON of format lapis-apic, nor the text of QEMU" in sentence
        assert f"({len(content)} bytes)" in sentence
    assert "there is no such file" in refused(session, "apic import /nowhere/x")
    assert "is a directory" in refused(session, f"apic import {tmp_path}")
    big = file(b" " * ((1 << 20) + 1))
    assert "1048576 is the most" in refused(session, f"apic import {big}")
    assert session.machine.log.next_seq == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bytes(4096), "the version (0x030) is 0x0: this is no usable page"),
        (b"\xff" * 1024, "the version (0x030) is 0xffffffff: this is no usable page"),
        (
            page(x030=0x0005_0009),
            "the version (0x030) is 0x50009: those of local APICs",
        ),
        (page(x0d0=0x0001_0000), "LDR (0x0d0) is 0x10000: in xAPIC mode bits 23:0"),
        (page(x0d0=0x0001_0003), "in x2APIC mode one of bits 15:0 is 1"),
        (page(x080=0x1FF), "vlp_tpr: BAD_TPR: 0x1ff is above 0xff"),
        (page(x280=0x100), "vlp_esr: BAD_ESR: 0x100"),
        (page(x100=1 << 5), "vlp_isr: LOW_VECTOR: vector 0x05"),
        (page(x110=3), "vlp_isr: ISR_PRIORITY: 0x20 and 0x21"),
        (page(x390=62501), "timer_current: TIMER_MISMATCH: 0xf425 is above"),
        (QEMU.replace("ESR\t 0x", "ESR\t 0x1"), "line ESR has no number of 8 digits"),
        (
            QEMU.replace("0x00000400 ", "0x00004 "),
            "line LVT1 has no number of 8 digits",
        ),
        (
            QEMU.replace("37(level) 236", "37(level) 256"),
            "line IRR: 256 is no vector, 16 to 255",
        ),
        (QEMU.replace("37(level) 236", "37(lev"), "'37(lev' is no vector"),
        (QEMU.replace("ISR\t 37", "ISR\t 7"), "line ISR: 7 is no vector, 16 to 255"),
        (
            QEMU.replace("37(level) 236", "236 37(level)"),
            "line IRR: 37 comes after 236",
        ),
        (QEMU.replace("= 62500", "= 625 00"), "line Timer may be cut"),
        (QEMU.replace("by 16", "by 2"), "line Timer says DCR 0x3 and divide by 2"),
        (QEMU.replace("(vec 236)", "(vec 237)"), "line LVTT is 0x000000ec and says"),
        (QEMU.replace("DFR 0x0f", "DFR 0x1f"), "line APR: DFR 0x1f is above 0xf"),
        (QEMU.replace("LDR 0x01", "LDR 0x101"), "line LDR has no number of 2 digits"),
        (QEMU + "ESR\t 0x00000001\n", "'ESR 0x00000001' are of one register"),
        (
            QEMU + QEMU.replace("(level) 236", "(level) 237"),
            "has two dumps of CPU 0, and they differ",
        ),
        (QEMU.replace("31250", "62501"), "the current count, 62501, is above"),
        (QEMU.replace("62500", "5000000000"), "line Timer: a count has 32 bits"),
        (QEMU[: QEMU.index("\n\nAPR")].replace("\n", " "), "line IRR may be cut"),
        ("{", "it is not JSON: "),
        ('{"a": 1, "a": 2}', "it is not JSON: a key is there twice"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ("{}", "format is None and not 'lapis-apic'"),
        ('{"format": "lapis-apic", "version": 2}', "version is 2; this Lapis reads 1"),
        ('{"format": "lapis-apic", "version": 1}', "lapic is not there"),
        (
            '{"format":"lapis-apic","version":1,"lapic":[],"events":{},"now":0}',
            "lapic is not an object of fields",
        ),
    ],
    ids=range(33),
)
def test_a_damaged_file_names_what_is_wrong_and_changes_nothing(
    opened: Open, refused: Refuse, file: Put, content: str | bytes, why: str
) -> None:
    session = opened()
    digester = Digester(session.machine)
    before = digester.digest()
    assert why in refused(session, f"apic import {file(content)}")
    assert digester.digest() == before
    assert session.machine.log.next_seq == 0


def test_a_refusal_of_ours_names_field_and_reason(
    opened: Open, done: Do, refused: Refuse, file: Put, tmp_path: Path
) -> None:
    session, path = opened(), tmp_path / "out.json"
    done(session, f"apic export {path}")
    whole = json.loads(path.read_text())
    digester = Digester(session.machine)
    before = digester.digest()
    for part in ("lapic", "events"):
        for name in whole[part]:
            fields = {key: value for key, value in whole[part].items() if key != name}
            sentence = refused(
                session, f"apic import {file(json.dumps(whole | {part: fields}))}"
            )
            assert sentence.startswith(f"{name}: MISSING: ")
            wrong = json.dumps(whole | {part: {**fields, name: "x"}})
            sentence = refused(session, f"apic import {file(wrong)} --lenient")
            assert sentence.startswith(f"{name}: BAD_VALUE: ")
    for key, value, why in (
        ("vcpu", -1, "vcpu is not a number"),
        ("profile", 3, "profile is not a name"),
        ("now", -1, "now: BAD_VALUE: -1"),
        ("more", 0, "there is no 'more' in this format"),
    ):
        assert why in refused(
            session, f"apic import {file(json.dumps(whole | {key: value}))}"
        )
    assert digester.digest() == before


def _mutants(data: bytes, count: int) -> list[bytes]:
    """The same ones every time: bytes changed, taken out, put in, the end cut off."""
    dice = random.Random(0x41504943)
    found = []
    for number in range(count):
        mutant = bytearray(data)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(mutant))
            if number % 4 == 0:
                del mutant[at:]
                mutant = mutant or bytearray(b"\0")
            elif number % 4 == 1:
                del mutant[at : at + dice.randint(1, 9)]
                mutant = mutant or bytearray(b"\0")
            elif number % 4 == 2:
                mutant[at:at] = dice.randbytes(dice.randint(1, 4))
            else:
                mutant[at] = dice.choice(b'0123456789abcdefx"{}[],:-\n\xff\0')
        found.append(bytes(mutant))
    return found


def _same_size(data: bytes, count: int) -> list[bytes]:
    dice = random.Random(0x0FEE)
    found = []
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            mutant[dice.randrange(len(data))] = dice.randrange(256)
        found.append(bytes(mutant))
    return found


@pytest.mark.parametrize("kind", ["qemu", "ours", "raw"])
def test_damage_is_refused_whole_or_taken_whole(
    opened: Open, done: Do, file: Put, tmp_path: Path, kind: str
) -> None:
    session, path = opened(), tmp_path / "out.json"
    done(session, f"apic import {file(QEMU)}")
    done(session, f"apic export {path}")
    mutants = {
        "qemu": lambda: _mutants(QEMU.encode(), 250),
        "ours": lambda: _mutants(path.read_bytes(), 250),
        "raw": lambda: _same_size(page(0x400), 250),
    }[kind]()
    digester = Digester(session.machine)
    before, refusals = digester.digest(), 0
    for mutant in mutants:
        outcome = session.execute(f"apic import {file(mutant)}")
        if outcome.ok:
            assert outcome.result["apic"]["ppr"] <= 0xFF
            done(session, f"apic import {path}")
            before = digester.digest()
            continue
        refusals += 1
        assert "\n" not in outcome.error
        # A sentence of a file names it; one of a field names the reason.
        is_field = re.match(r"('.*'|\w[\w\[\] ]*): [A-Z_]+: ", outcome.error)
        assert is_field or outcome.error.startswith("APIC file "), outcome.error
        assert digester.digest() == before
    assert refusals > 50


def test_a_recording_that_holds_an_import_replays(
    opened: Open, done: Do, file: Put, tmp_path: Path
) -> None:
    session, path = opened(), tmp_path / "it.lapis"
    done(session, f"record start {path}")
    done(session, "run 3000")
    done(session, f"apic import {file(QEMU)} --vcpu 1")
    done(session, f"apic export {tmp_path / 'out.json'} 1")
    done(session, f"apic import {tmp_path / 'out.json'} --vcpu 1")
    done(session, "run 3000")
    done(session, "record stop")
    wanted = Digester(session.machine).digest()
    Path(tmp_path / "apic").unlink()  # the recording holds what was read
    recording = reader.read(str(path))
    verbs = [row.verb for row in recording.last.acts]
    assert verbs == ["run", "import_apic", "import_apic", "run"]
    again = replaying.session_of(recording, discover().extensions)
    verdict = replaying.verify(again, recording)
    assert verdict.divergence is None
    assert (verdict.acts, verdict.digest) == (4, wanted)
    third = opened()
    for line in script.lines(recording.last):
        done(third, line)
    assert Digester(third.machine).digest() == wanted


def test_an_import_can_be_undone(opened: Open, done: Do, file: Put) -> None:
    session = opened()
    done(session, "run 3000")
    digester = Digester(session.machine)
    before, spot = digester.digest(), session.timeline.spot
    done(session, f"apic import {file(QEMU)}")
    assert digester.digest() != before
    session.timeline.go(spot)
    assert digester.digest() == before
