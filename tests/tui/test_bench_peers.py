"""Lapis beside other emulators: rounds that alternate, and peers that do not play."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lapis_tui.bench import against, peers, rom
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]
KEYS = [
    "name", "unit", "peer", "value", "peer_value", "ratio", "lowest", "highest",
    "times", "target", "met", "problem", "interpreter", "core", "build",
]  # fmt: skip
NAMES = [
    "register loop", "load+store loop, NX", "load+store loop, executable", "RDTSC",
    "APIC reads by MMIO",
]  # fmt: skip
QEMU = shutil.which("qemu-system-x86_64")


def rows(capsys: Captured) -> list[dict[str, Any]]:
    assert main(["bench", "peers", "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert all([*row] == KEYS for row in found)
    return found


def rounds(image: bytes) -> int:
    """Return the rounds of a ROM: what follows `mov ecx, `."""
    at = image.index(b"\xb9", 0x140) + 1
    return int.from_bytes(image[at : at + 4], "little")


class Fake(peers.Peer):
    """One that takes half a second to start; what a round takes changes with time."""

    installed = True

    def __init__(self, name: str, *each: float) -> None:
        super().__init__(name, [("fake",)], 0)
        self.each, self.calls = each, 0

    def seconds(self, image: bytes) -> float:
        each = self.each[self.calls // 2 % len(self.each)]
        self.calls += 1
        return 0.5 + each * rounds(image)


def test_the_ratio_is_that_of_what_a_round_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(against, "lapis", lambda image: 9.0 + 2 * rounds(image))
    # The first of four is for finding out how many rounds are enough.
    fakes = [Fake("QEMU -icount shift=0", 1, 4, 1, 2), Fake("Bochs", 1)]
    monkeypatch.setattr(against, "peers", lambda: fakes)
    monkeypatch.setattr(against, "TIMES", 3)
    found = rows(capsys)
    assert [row["name"] for row in found] == [name for name in NAMES for _ in fakes]
    first, second = found[:2]
    told = ("value", "peer_value", "ratio", "lowest", "highest", "times", "problem")
    # Three instructions a round, which takes two seconds on Lapis.
    assert [first[name] for name in told] == [1.5, 1.5, 1, 0.5, 2, 3, None]
    assert (first["target"], first["met"]) == (0.8, True)
    assert [second[name] for name in told] == [1.5, 3, 0.5, 0.5, 0.5, 3, None]
    assert (second["target"], second["met"]) == (None, None)
    assert (found[2]["value"], found[6]["value"], found[8]["value"]) == (2, 0.5, 0.5)


def test_rounds_are_doubled_until_they_take_long_enough() -> None:
    asked: list[int] = []

    def seconds(image: bytes) -> float:
        asked.append(rounds(image))
        return 1 + rounds(image) / 0x2_0000  # a quarter of a second for 0x8000

    runner = against.Runner(seconds, rom.REGISTERS)
    assert asked == [2_000, 4_000, 32_000, 64_000, 64_000, 128_000]
    assert runner.rate() == 3 * 0x2_0000


def test_what_is_too_short_has_no_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(against, "lapis", lambda image: float(rounds(image)))
    monkeypatch.setattr(against, "peers", lambda: [Fake("QEMU", 0)])
    assert main(["bench", "peers"]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES)
    assert all(line.endswith("too short to be measured") for line in lines)


# Programs on PATH.


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH; one loop is tried there, and once."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rom, "LOOPS", (rom.REGISTERS,))
    monkeypatch.setattr(against, "SPAN", -1)
    monkeypatch.setattr(against, "TIMES", 1)
    return tmp_path


def program(folder: Path, name: str, code: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys\n{code}\n")
    path.chmod(0o755)


def problems(capsys: Captured) -> list[str]:
    return [row["problem"] for row in rows(capsys)]


@pytest.mark.usefixtures("on_path")
def test_peers_that_are_not_installed_are_told_as_such(capsys: Captured) -> None:
    nothing = "qemu-system-x86_64 is not installed"
    assert problems(capsys) == [nothing, nothing, "bochs is not installed"]
    assert main(["bench", "peers"]) == 0
    assert "- instructions/s Bochs: bochs is not installed" in capsys.readouterr().out


def test_a_peer_that_hangs_is_ended_and_given_up(
    on_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    pids = on_path / "pids"
    hang = f"print(os.getpid(), file=open({str(pids)!r}, 'a'), flush=True)\n"
    program(on_path, "bochs", hang + "while True: signal.pause()")
    monkeypatch.setattr(peers, "LIMIT", 2)
    monkeypatch.setattr(rom, "LOOPS", (rom.REGISTERS, rom.RDTSC))
    sentence = "it did not end within 2 seconds, and was ended"
    assert [row["problem"] for row in rows(capsys)][2::3] == [sentence] * 2
    (pid,) = map(int, pids.read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_peer_that_does_not_start_says_why(on_path: Path, capsys: Captured) -> None:
    program(on_path, "qemu-system-x86_64", "sys.exit('no such machine')")
    told = "it ended with status 1: no such machine"
    assert problems(capsys) == [told, told, "bochs is not installed"]


def test_a_peer_has_the_rom_and_what_it_needs_beside_it(
    on_path: Path, capsys: Captured
) -> None:
    seen = on_path / "seen"
    code = f"""
rom = sys.argv[sys.argv.index('-bios') + 1]
print(len(open(rom, 'rb').read()), sys.stdin.read(), file=open({str(seen)!r}, 'a'))
sys.exit(0x21 << 1 | 1)"""
    program(on_path, "qemu-system-x86_64", code)
    assert problems(capsys)[2] == "bochs is not installed"
    assert {*seen.read_text().split()} == {"65536", "c"}
    assert len(seen.read_text().split()) == 2 * 2 * 4  # two peers, two runs, twice


def test_bochs_may_have_another_display(on_path: Path, capsys: Captured) -> None:
    seen = on_path / "seen"
    code = f"""
print(sys.argv[4], file=open({str(seen)!r}, 'a'))
assert 'bench.rom' in open('bochsrc').read() and sum(open('video.rom', 'rb').read())
sys.exit('Shutdown port: shutdown requested' if 'rfb' in sys.argv[4] else 'no nogui')"""
    program(on_path, "bochs", code)
    assert "status" not in str(problems(capsys)[2])
    displays = [line.split()[1].strip(",") for line in seen.read_text().splitlines()]
    assert displays == ["nogui", "rfb", "rfb", "rfb", "rfb"]


@pytest.mark.skipif(QEMU is None, reason="QEMU is not installed")
@pytest.mark.parametrize("loop", NAMES)
def test_qemu_comes_to_the_end_of_each_loop(loop: str) -> None:
    image = rom.image(next(each for each in rom.LOOPS if each.name == loop), 100)
    for peer in peers.peers()[:2]:
        assert peer.seconds(image) > 0
