"""What CPUID offers runs, and what it does not is #UD: instruction by instruction.

Which there are comes of a disassembler, which bit each needs of SDM Vol. 2A "CPUID"
(`rigs.offered`); neither is taken from the engine. Each runs alone, at CPL 0 with all
of CR4 that the model has.
"""

import pytest
from rigs import machines
from rigs.offered import features, judge, narrow
from rigs.offered.bench import MODES

from lapis_engine.cpu.model.catalog import MODELS
from lapis_engine.cpu.registers import CS, RBX, RCX, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.machine.machine import Machine

TABLES, DATA = 0x40_0000, 0x20_0000
UD, GP = 6, 13
KINDS = [(model, mode) for model in MODELS for mode in MODES]


@pytest.mark.parametrize(("model", "mode"), KINDS)
def test_what_is_offered_runs_and_the_rest_is_undefined(model: str, mode: str) -> None:
    """Every instruction of the mode that there is, once in each form."""
    found = list(judge.judge(model, mode, judge.instructions(mode)))
    assert [each for each in found if each.kind not in judge.KNOWN] == []


@pytest.mark.parametrize("model", MODELS)
def test_what_is_known_not_to_be_so_is_so(model: str) -> None:
    """The other direction: a departure that is cured leaves `judge.KNOWN`."""
    found = list(judge.judge(model, "16", judge.instructions("16")))
    has_bmi = "BMI1" in judge.bench(model).offered
    assert {each.kind for each in found} == (set(judge.KNOWN) if has_bmi else set())


def test_the_list_has_all_that_cpuid_has_a_bit_for() -> None:
    """No feature drops out because the disassembler calls it something else."""
    known = frozenset[str]().union(*map(features.needed, judge.instructions("64")))
    assert set(features.BITS) - known == {"LM"}  # the mode itself
    counts = {mode: len(judge.instructions(mode)) for mode in MODES}
    assert min(counts.values()) > 2900


@pytest.mark.parametrize("mode", narrow.MODES)
def test_16_and_32_bits_do_what_64_do(mode: str) -> None:
    """Of what is the same instruction, whatever its prefixes and addresses are."""
    found = list(narrow.differing("lapis", mode))
    kinds = {each.kind for each in found}
    assert [each for each in found if each.kind not in narrow.KNOWN] == []
    assert kinds == (set() if mode == "32" else set(narrow.KNOWN))
    assert len(list(narrow.pairs(mode))) > 1200


def test_a_model_that_does_not_do_what_it_says_is_found() -> None:
    """The judge is no yes-man: an instruction of another feature in its place."""
    popcnt = next(i for i in judge.instructions("64") if i.mnemonic == "popcnt")
    crooked = [
        popcnt._replace(mnemonic="sha1msg1", groups=frozenset(("SHA",))),
        popcnt._replace(mnemonic="add", code=b"\x0f\x0b"),
        popcnt._replace(mnemonic="add", code=b"\x90"),
        popcnt._replace(mnemonic="add", code=b"\xcc"),
    ]
    found = [each.kind for each in judge.judge("lapis", "64", crooked)]
    assert found == [
        "runs without SHA", "#UD, and offered", "does nothing", "raises ['3']",
    ]  # fmt: skip


def machine(model: str, code: bytes) -> Machine:
    m = machines.machine(code, cpu=model)
    regs, write = m.vcpus[0].regs, m.vm.memory.write
    for at, value in (
        (0, TABLES + 0x1003), (0x1000, TABLES + 0x2003),
        *((0x2000 + 8 * n, n << 21 | 0x83) for n in range(4)),
    ):  # fmt: skip
        write(TABLES + at, value.to_bytes(8, "little"))
    for index in range(6):
        regs.set_segment(index, Segment(0x10, 0, 0xFFFF_FFFF, 0xCF_9300))
    regs.cr3, regs.efer = TABLES, 0x500
    bits = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18
    regs.cr4 = bits & m.vm.cpu.model.cr4
    regs.cr0 = 0x8000_0031
    regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xAF_9B00))
    regs.rip, regs.gpr[RBX] = machines.BASE, DATA
    regs.gpr[4] = DATA + 0x1000
    return m


def raised(m: Machine) -> ExceptionRaised | None:
    """Step once; return the exception that came of it."""
    m.vcpus[0].regs.idtr = Segment(0, 0, 0, 0)
    m.step(0)
    events = [e.event for e in m.log.last(9) if isinstance(e.event, ExceptionRaised)]
    return events[0] if events else None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("bits", [16, 32])
def test_les_and_lds_are_no_vex(model: str, bits: int) -> None:
    """Outside 64-bit code C4 and C5 with memory are LES and LDS; else they are VEX."""
    m = machines.machine(b"\xc4\x03" if bits == 32 else b"\xc4\x07", cpu=model)
    regs = m.vcpus[0].regs
    if bits == 32:
        regs.cr0 = 0x11
        regs.set_segment(CS, Segment(8, 0x1_0000, 0xFFFF_FFFF, 0xCF_9B00))
    regs.gpr[RBX] = 0x600
    assert raised(m) is None
    m = machines.machine(bytes.fromhex("c5f058c2"), cpu=model)
    event = raised(m)
    assert event is not None
    assert event.vector == UD


@pytest.mark.parametrize(
    ("cr4", "xcr", "low", "high", "vector", "rule"),
    [
        (0, 0, 1, 0, UD, "osxsave"),
        (1 << 18, 1, 1, 0, GP, "xcr-number"),
        (1 << 18, 0, 0, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 2, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 7, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 1, 1, GP, "xcr0-bits"),
        (1 << 18, 0, 1, 0, None, None),
        (1 << 18, 0, 3, 0, None, None),
    ],
)
def test_xsetbv(
    cr4: int, xcr: int, low: int, high: int, vector: int | None, rule: str | None
) -> None:
    """SDM Vol. 2D "XSETBV"; XGETBV gives it back."""
    m = machine("lapis", bytes.fromhex("0f01d1 0f01d0"))
    regs = m.vcpus[0].regs
    regs.cr4 = 1 << 5 | cr4
    regs.gpr[0], regs.gpr[RCX], regs.gpr[2] = low, xcr, high
    event = raised(m)
    if vector is None:
        assert event is None
        regs.gpr[0] = 0
        assert raised(m) is None
        assert (regs.gpr[0], regs.xcr0) == (low, low)
    else:
        assert event is not None
        assert (event.vector, event.rule) == (vector, rule)
        assert regs.xcr0 == 1


@pytest.mark.parametrize(
    ("cpl", "cr4", "rule"),
    [(0, 0, "rdpmc-counter"), (3, 0, "rdpmc-pce"), (3, 1 << 8, "rdpmc-counter")],
)
def test_rdpmc(cpl: int, cr4: int, rule: str) -> None:
    m = machines.machine(bytes.fromhex("0f33"))
    regs = m.vcpus[0].regs
    regs.cr0, regs.cr4 = 0x11, cr4
    flags = 0xCF_9300 | cpl << 13
    for index in range(6):
        regs.set_segment(index, Segment(0x10 | cpl, 0, 0xFFFF_FFFF, flags))
    regs.set_segment(CS, Segment(8 | cpl, 0x1_0000, 0xFFFF_FFFF, flags | 0x800))
    event = raised(m)
    assert event is not None
    assert (event.vector, event.error, event.rule) == (GP, 0, rule)


@pytest.mark.parametrize("prefix", ["f3", "66f3", "f348", "f344"])
@pytest.mark.parametrize("source", [0, 1, 0x18, 0x8000, 1 << 31, 1 << 63, 0x1_0000])
@pytest.mark.parametrize("opcode", ["bc", "bd"])
def test_without_bmi_and_lzcnt_it_is_a_scan(
    opcode: str, source: int, prefix: str
) -> None:
    """SDM Vol. 2 "TZCNT": on a processor without it, BSF; so LZCNT and BSR."""
    m = machine("base", bytes.fromhex(f"{prefix}0f{opcode}c1"))
    regs = m.vcpus[0].regs
    regs.gpr[RCX] = source
    register = 8 if prefix == "f344" else 0
    before = 0x1122_3344_5566_7788
    regs.gpr[register] = before
    assert raised(m) is None
    size = {"f3": 32, "66f3": 16, "f348": 64, "f344": 32}[prefix]
    value = source & ((1 << size) - 1)
    assert bool(regs.rflags & 0x40) == (value == 0)
    if not value:
        assert regs.gpr[register] == before
        return
    low = (value & -value).bit_length() - 1
    found = low if opcode == "bc" else value.bit_length() - 1
    kept = before & ~0xFFFF if size == 16 else 0
    assert regs.gpr[register] == kept | found
