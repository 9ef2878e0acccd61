"""What `strict` adds: alignment of SSE operands, limits and types of segments.

Which operands must be aligned is SDM Vol. 2 "Exceptions Type 1, 2 and 4" against
"Type 3 and 5", by mnemonic; what a limit refuses is Vol. 3A "Limit Checking".
"""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.registers import CS, DS, ES, SS, Registers, Segment
from lapis_engine.cpu.strict import alignment
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

GP, SS_FAULT, UD = 13, 12, 6
PACKED = """
movaps movapd movdqa addps subpd mulps divpd sqrtps rsqrtps rcpps minps maxpd andps
andnpd orps xorps unpcklps unpckhpd cvtdq2ps cvtps2dq cvttps2dq cvtpd2ps cvttpd2dq
cvtpd2dq addsubps addsubpd haddps hsubpd movshdup movsldup paddb psubw pand pandn por
pxor pcmpeqb pcmpgtd packssdw packuswb punpcklbw punpckhqdq psllw psrad pmullw pmaddwd
psadbw pavgb pminub pmaxsw pmuludq paddq pshufb phaddw psignd pabsb pmulhrsw pblendvb
ptest pcmpeqq packusdw pmuldq pminsb pmaxud phminposuw pcmpgtq aesenc aesimc
"""
IMMEDIATES = """
shufps shufpd cmpps cmppd pshufd pshufhw pshuflw roundps blendpd pblendw palignr dpps
mpsadbw pclmulqdq aeskeygenassist
"""
UNALIGNED = """
movups movupd movdqu lddqu movss movsd movlps movhpd movq movd addss mulsd cvtss2sd
cvtdq2pd cvtps2pd movddup ucomiss comisd sqrtss pmovsxbw pmovzxdq
"""
STRINGS = (
    "pcmpistri pcmpistrm pcmpestri pcmpestrm roundss roundsd insertps pinsrd cmpsd"
)


def assembled(lines: list[str]) -> list[bytes]:
    """Each line in 64-bit code, on a page's worth of its own."""
    nasm = shutil.which("nasm")
    if nasm is None:
        pytest.skip("there is no nasm")
    text = "bits 64\n" + "".join(f"align 32, db 0\n{line}\n" for line in lines)
    with TemporaryDirectory() as folder:
        source, binary = Path(folder, "asm"), Path(folder, "bin")
        source.write_text(text)
        subprocess.run([nasm, "-f", "bin", "-o", binary, source], check=True)
        done = binary.read_bytes()
    return [done[at : at + 15] for at in range(0, len(done), 32)]


def opcode_at(code: bytes) -> int:
    return next(n for n, byte in enumerate(code) if byte == 0x0F)


def aligned_of(names: str, tail: str) -> dict[str, bool]:
    lines = [f"{name} xmm1, [rbx + 8]{tail}" for name in names.split()]
    codes = assembled(lines)
    found = {}
    for name, code in zip(names.split(), codes, strict=True):
        found[name] = alignment(code, opcode_at(code)) == 16
    return found


def test_which_operands_must_be_aligned() -> None:
    packed = aligned_of(PACKED, "") | aligned_of(IMMEDIATES, ", 1")
    assert [name for name, aligned in packed.items() if not aligned] == []
    free = aligned_of(UNALIGNED, "") | aligned_of(STRINGS, ", 1")
    assert [name for name, aligned in free.items() if aligned] == []


def test_stores_and_what_is_between_registers() -> None:
    lines = ["movaps [rbx], xmm1", "movntdq [rbx], xmm1", "movups [rbx], xmm1"]
    lines += ["movlpd [rbx], xmm1", "movq [rbx], xmm1", "addps xmm1, xmm2"]
    lines += ["movaps xmm1, xmm2", "paddb mm1, [rbx]", "pextrd [rbx], xmm1, 1"]
    found = [alignment(code, opcode_at(code)) for code in assembled(lines)]
    assert found == [16, 16, 0, 0, 0, 0, 0, 0, 0]


def rig(code: str, *, wide: bool = True, strict: bool = True) -> tuple[Rig, Registers]:
    found = Rig(wide=wide)
    found.vm.core.is_strict = strict
    found.vm.memory.write(CODE, bytes.fromhex(code))
    regs = found.vcpu(0).regs
    regs.rip = CODE
    regs.cr4 |= 0x600
    return found, regs


def fault(found: Rig, budget: int = 1) -> tuple[int, int | None, str | None] | None:
    run(found.vm, found.vcpu(0), budget=budget)
    for event in found.events(0):
        if isinstance(event, ExceptionRaised):
            return event.vector, event.error, event.rule
    return None


UNALIGNED_FAULT = (GP, 0, "unaligned")


@pytest.mark.parametrize(
    ("code", "rbx", "came"),
    [
        ("0f280b", 0x6008, UNALIGNED_FAULT),
        ("0f280b", 0x6010, None),
        ("0f294b08", 0x6000, UNALIGNED_FAULT),
        ("0f294b08", 0x6008, None),
        ("0f100b", 0x6001, None),
        # RIP-relative; with a byte behind the operand, which counts. CODE is aligned.
        ("0f280d09000000", 0, None),
        ("0f280d08000000", 0, UNALIGNED_FAULT),
        ("0fc60d0800000001", 0, None),
        ("0fc60d0900000001", 0, UNALIGNED_FAULT),
        ("660f3a0f0d0600000001", 0, None),
        ("660f3a0f0d0700000001", 0, UNALIGNED_FAULT),
    ],
)
def test_an_unaligned_operand(
    code: str, rbx: int, came: tuple[int, int | None, str | None] | None
) -> None:
    found, regs = rig(code)
    regs.gpr[3] = rbx
    assert fault(found) == came
    if came is None:
        assert (regs.rip, found.vcpu(0).retired) == (CODE + len(code) // 2, 1)
    found, regs = rig(code, strict=False)
    regs.gpr[3] = rbx
    assert fault(found) is None


def test_no_sse_comes_first() -> None:
    found, regs = rig("0f280b")
    regs.gpr[3], regs.cr4 = 0x6008, regs.cr4 & ~0x200
    assert fault(found) == (UD, None, "cr4-osfxsr")


def test_a_loop_of_checked_instructions_goes_on() -> None:
    # movaps xmm1, [rbx]; add ebx, 8; jmp: the second turn faults.
    found, regs = rig("0f280b 83c308 ebf8".replace(" ", ""))
    regs.gpr[3] = 0x6000
    assert fault(found, 20) == UNALIGNED_FAULT
    assert regs.gpr[3] == 0x6008


def real(code: str) -> tuple[Rig, Registers]:
    found, regs = rig(code, wide=False)
    regs.cr0 = 0x10
    for index in range(6):
        regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
    regs.set_segment(CS, Segment(0x1000, CODE, 0xFFFF, 0x9B00))
    regs.rip = 0
    return found, regs


LIMIT = (GP, 0, "segment-limit")
TYPE, NULL = (GP, 0, "segment-type"), (GP, 0, "segment-null")


@pytest.mark.parametrize(
    ("code", "bx", "came"),
    [
        ("8b07", 0xFFFE, None),
        ("8b07", 0xFFFF, LIMIT),
        ("8907", 0xFFFF, LIMIT),
        ("8a07", 0xFFFF, None),
        ("668b07", 0xFFFD, LIMIT),
        ("668b07", 0xFFFC, None),
        ("678b03", 0xFFFF, LIMIT),
        ("678a03", 0x1_0000, LIMIT),
        ("678803", 0xFFFF, None),
        ("a1ffff", 0, LIMIT),
        ("a0ffff", 0, None),
        ("8b1effff", 0, LIMIT),
        ("67a100000100", 0, LIMIT),
        ("8b4601", 0, (SS_FAULT, 0, "segment-limit")),
    ],
)
def test_64_kib_in_real_mode(
    code: str, bx: int, came: tuple[int, int | None, str | None] | None
) -> None:
    found, regs = real(code)
    regs.gpr[3], regs.gpr[5] = bx, 0xFFFE
    # In real mode #GP and #SS push no error code; the engine's record has it.
    assert fault(found) == came


def test_real_mode_with_segments_of_4_gib() -> None:
    found, regs = real("678a03")
    for index in (ES, SS, DS):
        regs.set_segment(index, Segment(0, 0, 0xFFFF_FFFF, 0x8F_9300))
    regs.gpr[3] = 0x10_0000
    assert fault(found) is None


@pytest.mark.parametrize(
    ("ds", "code", "ebx", "came"),
    [
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9300), "8b03", 0xFFC, None),
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9300), "8b03", 0xFFD, LIMIT),
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9100), "8903", 0, TYPE),
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9100), "8b03", 0, None),
        (Segment(0x18, 0, 0xFFF, 0x40_9700), "8b03", 0xFFF, LIMIT),
        (Segment(0x18, 0, 0xFFF, 0x40_9700), "8b03", 0x1000, None),
        (Segment(0, 0, 0, 0), "8b03", 0, NULL),
        (Segment(0, 0, 0, 0), "8d03", 0, None),
        (Segment(0, 0, 0, 0), "89c3", 0, None),
    ],
)
def test_limits_and_types_in_protected_mode(
    ds: Segment,
    code: str,
    ebx: int,
    came: tuple[int, int | None, str | None] | None,
) -> None:
    found, regs = rig(code, wide=False)
    regs.set_segment(DS, ds)
    regs.gpr[3] = ebx
    assert fault(found) == came


def test_a_segment_that_becomes_limited_is_checked_from_then_on() -> None:
    # mov eax, [ebx]; mov ds, cx; jmp to the begin: warm when DS is loaded.
    found, regs = rig("8b03 8ed9 ebfa".replace(" ", ""), wide=False)
    descriptors = bytes(8) * 4 + bytes.fromhex("ff0f000000934000")
    found.vm.memory.write(0x5000, descriptors)
    regs.gdtr, regs.gpr[1], regs.gpr[3] = Segment(0, 0x5000, 0x27, 0), 0x20, 0x2000
    assert fault(found, 10) == LIMIT
    assert found.vcpu(0).retired >= 3


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_how_a_run_is_cut_changes_nothing(cut: int) -> None:
    # movaps xmm1, [rbx]; paddb xmm1, [rbx + 16]; add eax, 1; movaps [rbx], xmm1; jmp
    code = "0f280b 660ffc4b10 83c001 0f290b ebf0".replace(" ", "")
    states = []
    for size in (64, cut):
        found, regs = rig(code)
        regs.gpr[3] = 0x6000
        found.vm.memory.write(0x6010, bytes(range(16)))
        done = 0
        while done < 64:
            done += run(found.vm, found.vcpu(0), budget=min(size, 64 - done)).ran
            assert not found.vcpu(0).regs.context.head.hflags & 0x0500_0000
        ram = found.vm.memory.read(0x6000, 16)
        states.append((regs.gpr[0], regs.rip, regs.rflags, ram, found.vm.now))
    assert states[0] == states[1]
    assert states[0][0] == 13
    # Byte n is added 13 times, modulo 256.
    assert states[0][3] == bytes(n * 13 & 0xFF for n in range(16))


SS_LIMIT = (SS_FAULT, 0, "segment-limit")
IMPLIED = [
    # Strings: bx in SI and DI; "Limit Checking": an element lies within, or it is #GP.
    ("a5", 0xFFFE, None), ("a5", 0xFFFF, LIMIT), ("a4", 0xFFFF, None),
    ("66a5", 0xFFFD, LIMIT), ("66a5", 0xFFFC, None), ("a7", 0xFFFF, LIMIT),
    ("ab", 0xFFFF, LIMIT), ("ad", 0xFFFF, LIMIT), ("af", 0xFFFF, LIMIT),
    ("ac", 0xFFFF, None), ("67ac", 0x1_0000, LIMIT), ("2ead", 0xFFFF, LIMIT),
    # REP without a count accesses nothing; with one, the element that it is at.
    ("31c9 f3a5", 0xFFFF, None), ("b101 30ed f3a5", 0xFFFF, LIMIT),
    ("b102 30ed f3a4", 0xFFFF, None),
    ("b102 30ed 67f3a4", 0xFFFF, LIMIT), ("b103 30ed f3ab", 0xFFFA, None),
    # XLAT: a byte at bx + al; at 16 bits it wraps.
    ("b0ff d7", 0xFF00, None), ("b0ff d7", 0xFF01, None), ("b0ff 67d7", 0xFF01, LIMIT),
    ("b0ff 67d7", 0xFF00, None),
    # Pointers: an offset, and a selector behind it.
    ("c407", 0xFFFC, None), ("c407", 0xFFFD, LIMIT), ("66c507", 0xFFFB, LIMIT),
    ("0fb407", 0xFFFE, LIMIT), ("0fb507", 0xFFFC, None), ("ff1f", 0xFFFD, LIMIT),
    ("ff2f", 0xFFFE, LIMIT),
]  # fmt: skip
STACKED = [
    # Stack: what is pushed lies below SP, what is popped above; #SS.
    ("50", 2, None), ("50", 1, SS_LIMIT), ("50", 0, None), ("6650", 3, SS_LIMIT),
    ("6650", 0, None), ("6a01", 1, SS_LIMIT), ("68cdab", 1, SS_LIMIT),
    ("9c", 1, SS_LIMIT), ("06", 1, SS_LIMIT), ("0fa0", 1, SS_LIMIT),
    ("ff36", 1, SS_LIMIT), ("fff0", 1, SS_LIMIT), ("60", 15, SS_LIMIT),
    ("60", 16, None), ("60", 0, None), ("e80000", 1, SS_LIMIT), ("e80000", 2, None),
    ("ffd3", 1, SS_LIMIT), ("58", 0xFFFE, None), ("58", 0xFFFF, SS_LIMIT),
    ("6658", 0xFFFD, SS_LIMIT), ("07", 0xFFFF, SS_LIMIT), ("0fa1", 0xFFFF, SS_LIMIT),
    ("9d", 0xFFFF, SS_LIMIT), ("61", 0xFFF1, SS_LIMIT), ("61", 0xFFF0, None),
    ("c3", 0xFFFF, SS_LIMIT), ("c20000", 0xFFFF, SS_LIMIT), ("c3", 0xFFFE, None),
    ("8f07", 0xFFFF, SS_LIMIT), ("8f07", 0xFFFE, None), ("c8000000", 1, SS_LIMIT),
    ("c8000000", 2, None), ("c8000002", 3, SS_LIMIT), ("c8000001", 4, None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bx", "came"), IMPLIED)
def test_what_is_not_named_in_real_mode(
    code: str, bx: int, came: tuple[int, int | None, str | None] | None
) -> None:
    found, regs = real(code.replace(" ", ""))
    for register in (3, 6, 7):
        regs.gpr[register] = bx
    regs.gpr[1] = 0
    assert fault(found, 2 + code.count(" ")) == came
    found, regs = real(code.replace(" ", ""))
    for register in (3, 6, 7):
        regs.gpr[register] = bx
    regs.gpr[1] = 0
    found.vm.core.is_strict = False
    assert fault(found, 2 + code.count(" ")) is None


@pytest.mark.parametrize(("code", "sp", "came"), STACKED)
def test_the_stack_in_real_mode(
    code: str, sp: int, came: tuple[int, int | None, str | None] | None
) -> None:
    found, regs = real(code)
    regs.gpr[4], regs.gpr[5], regs.gpr[7] = sp, 0x100, 0x200
    assert fault(found) == came
    if came is not None:  # the frame of #SS itself may have had room
        assert regs.gpr[4] in {sp, sp - 6 & 0xFFFF}


def test_leave_reads_where_bp_points() -> None:
    for bp, came in ((0xFFFE, None), (0xFFFF, SS_LIMIT)):
        found, regs = real("c9")
        regs.gpr[4], regs.gpr[5] = 0x100, bp
        assert fault(found) == came


@pytest.mark.parametrize(
    ("esp", "ss", "code", "came"),
    [
        (0x1000, Segment(0x18, 0, 0xFFF, 0x40_9300), "50", None),
        (0x1003, Segment(0x18, 0, 0xFFF, 0x40_9300), "50", SS_LIMIT),
        (0x1004, Segment(0x18, 0, 0xFFF, 0x40_9300), "50", SS_LIMIT),
        (0xFFC, Segment(0x18, 0, 0xFFF, 0x40_9300), "58", None),
        (0xFFD, Segment(0x18, 0, 0xFFF, 0x40_9300), "58", SS_LIMIT),
        # Expand-down: what is above the limit is within.
        (0x2004, Segment(0x18, 0, 0x1FFF, 0x40_9700), "50", None),
        (0x2003, Segment(0x18, 0, 0x1FFF, 0x40_9700), "50", SS_LIMIT),
        # A stack of 16 bits under code of 32 takes SP, and four bytes of it.
        (0xABCD_0004, Segment(0x18, 0, 0xFFF, 0x9300), "50", None),
        (0xABCD_0002, Segment(0x18, 0, 0xFFF, 0x9300), "50", SS_LIMIT),
        (0x1000, Segment(0x18, 0, 0xFFF, 0x40_9300), "e800000000", None),
        (0x1001, Segment(0x18, 0, 0xFFF, 0x40_9300), "ff742401", SS_LIMIT),
    ],
)
def test_the_stack_in_protected_mode(
    esp: int,
    ss: Segment,
    code: str,
    came: tuple[int, int | None, str | None] | None,
) -> None:
    found, regs = rig(code, wide=False)
    regs.set_segment(SS, ss)
    regs.gpr[4] = esp
    assert fault(found) == came


def test_a_string_by_a_null_segment() -> None:
    for code, came in (("ac", NULL), ("36ac", None), ("aa", None)):
        found, regs = rig(code, wide=False)
        regs.set_segment(DS, Segment(0, 0, 0, 0))
        regs.gpr[6] = regs.gpr[7] = 0x2000
        assert fault(found) == came


@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_a_checked_string_goes_on_however_it_is_cut(cut: int) -> None:
    """mov cx, 40; rep movsw from FFA0: the 41st element would be beyond."""
    found, regs = real("b92900f3a5")
    regs.gpr[6], regs.gpr[7] = 0xFFAF, 0x200
    done = 0
    while done < 60 and not found.events(0):
        done += run(found.vm, found.vcpu(0), budget=min(cut, 60 - done)).ran
    raised = next(e for e in found.events(0) if isinstance(e, ExceptionRaised))
    assert (raised.vector, raised.rule) == (GP, "segment-limit")
    assert regs.gpr[1] & 0xFFFF == 1
    assert regs.gpr[6] & 0xFFFF == 0xFFFF
