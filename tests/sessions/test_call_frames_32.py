"""Call frames of 32-bit code, against what readelf says and a shadow of the stack.

The files are `tests/fixtures/frames/frames32-*.elf`, assembled by GNU as from
`frames32.s`; beside each stands what `readelf --debug-dump=frames-interp` says of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs.counting import done

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.symbols import reading

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.symbols.cfi import FrameRow

FOLDER = Path(__file__).parents[1] / "fixtures" / "frames"
KINDS = ["eh", "debug"]
START, END = 0x20_0000, 0x20_003C
TEXT = bytes.fromhex(
    "e802000000 ebfe 53 83ec20 bd34120000 e80a000000 e80f000000 83c420 5b c3"
    "6a00 bd78560000 90 58 c3 55 89e5 83e4c0 e802000000 c9 c3 55 31ed 90 5d c3"
)
NAMES = {"ebx": 3, "esp": 4, "ebp": 5, "ra": 8}
"""What DWARF calls the registers of the i386 (System V ABI, Intel386 Supplement)."""


def told(kind: str) -> dict[int, tuple[tuple[int, int], dict[int, Any]]]:
    """What readelf says of each address: CFA and rules."""
    rows: dict[int, tuple[tuple[int, int], dict[int, Any]]] = {}
    end, columns = 0, list[str]()
    text = (FOLDER / f"frames32-{kind}.txt").read_text("ascii")
    for line in text.splitlines():
        if found := re.search(r" FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)", line):
            at, end = (int(word, 16) for word in found.groups())
            if at == START:  # it has no rows of its own: those of its CIE hold
                rows |= {
                    each: ((4, 4), {8: ("undefined", 0)}) for each in range(at, end)
                }
        elif line.split()[:2] == ["LOC", "CFA"]:
            columns = line.split()[2:]
        elif (words := line.split()) and re.fullmatch("[0-9a-f]{8}", words[0]):
            at = int(words[0], 16)
            if at and len(words) == len(columns) + 2:
                row = _row(words[1], dict(zip(columns, words[2:], strict=True)))
                rows |= dict.fromkeys(range(at, end), row)
    return rows


def _row(cfa: str, rules: dict[str, str]) -> tuple[tuple[int, int], dict[int, Any]]:
    name, offset = cfa.split("+")
    saved = {
        NAMES[each]: ("offset", int(how[1:]))
        for each, how in rules.items()
        if how.startswith("c")
    }
    return (NAMES[name], int(offset)), saved


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest) -> Session:
    """ap-bringup in 32-bit code, and the text of the file at its place."""
    it = open_session(SessionOptions("ap-bringup", cpus=1), discover().extensions)
    done(it, "run 20")
    done(it, f"write-memory {START:#x} {TEXT.hex()}")
    for text in (
        f"rip = {START:#x} --raw", "ss = 0x18", "rsp = 0x208000", "rbp = 0x1234",
    ):  # fmt: skip
        done(it, f"set {text}")
    assert it.machine.vcpu(0).regs.code_bits == 32
    done(it, f"symbols load {FOLDER / f'frames32-{request.param}.elf'}")
    return it


@pytest.mark.parametrize("kind", KINDS)
def test_each_address_has_the_row_that_readelf_says(kind: str) -> None:
    path = FOLDER / f"frames32-{kind}.elf"
    source = reading.load(str(path))
    found: dict[int, FrameRow | None] = {
        at: source.frames.find(at) for at in range(START, END)
    }
    wanted = told(kind)
    assert set(wanted) == set(range(START, END))
    for at, row in found.items():
        assert row is not None
        kept = {n: rule for n, rule in row.rules.items() if rule[0] != "same"}
        assert (row.cfa, kept) == wanted[at], hex(at)
        assert row.return_register == 8
    assert source.frames.find(START - 1) is None
    assert source.frames.find(END) is None


def test_a_backtrace_of_32_bits_needs_no_frame_pointers(session: Session) -> None:
    regs, shadow = session.machine.vcpu(0).regs, list[tuple[int, int]]()
    depths = []
    while regs.linear_rip != START + 5:
        (line,) = session.machine.disassemble(0, None, 1)
        view = done(session, "bt")
        found = [(each["linear"], each["stack"]) for each in view["frames"]]
        here = regs.linear_rip, regs.linear_rsp
        assert (found, view["ends"]) == ([here, *reversed(shadow)], "outermost")
        depths.append(len(found))
        if line.mnemonic == "call":
            shadow.append((regs.linear_rip + len(line.code), regs.linear_rsp))
        elif line.mnemonic == "ret":
            shadow.pop()
        done(session, "step")
    assert (max(depths), shadow) == (4, [])


def test_without_the_file_who_follows_ebp_goes_astray(session: Session) -> None:
    """It is the call frame information that tells, and nothing else can."""
    done(session, f"until {START + 0x26:#x}")
    assert [each["symbol"] for each in done(session, "bt")["frames"]] == [
        "g+0x7", "f+0xe", "end",
    ]  # fmt: skip
    session.symbols = session.symbols.of_guest("ap-bringup", {})
    assert done(session, "bt")["ends"] != "outermost"
