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
    assert fault(found) == (UD, None, None)


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


LIMIT = (GP, 0, "segment")


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
        ("8b4601", 0, (SS_FAULT, 0, "segment")),
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
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9100), "8903", 0, LIMIT),
        (Segment(0x18, 0x1000, 0xFFF, 0x40_9100), "8b03", 0, None),
        (Segment(0x18, 0, 0xFFF, 0x40_9700), "8b03", 0xFFF, LIMIT),
        (Segment(0x18, 0, 0xFFF, 0x40_9700), "8b03", 0x1000, None),
        (Segment(0, 0, 0, 0), "8b03", 0, LIMIT),
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
