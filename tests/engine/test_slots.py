"""Slots of registers hold the register and nothing of the host.

What an instruction left is compared with what a plain load of the same value leaves.
"""

import pytest
from rigs.processor import CODE, Rig

from lapis_engine.cpu.intercepts import Budget

AT, RESULT = 0x600, 0x640
OSFXSR = 0x200
LOADS, STORES = "0f10060006", "0f11064006"
"""movups xmm0, [AT]; movups [RESULT], xmm0."""


def registers(rig: Rig) -> bytes:
    """Unicorn 2.1.4: `xmm_regs` at 0x338, 32 of 64 bytes each."""
    return rig.regs.context.state_bytes()[0x338:0xB38]


def prepared() -> Rig:
    rig = Rig()
    rig.regs.cr4 = OSFXSR
    rig.memory.write(AT, bytes(range(0x30, 0x40)))
    return rig


@pytest.mark.parametrize(
    "code",
    [
        "660f3800c1", "660f3a42c103", "660f3800c0", "0fc6c11b", "660fc6c101",
        "660f70c11b", "f20f70c11b", "f30f70c11b", "660f67c1", "660f63c1", "660f6bc1",
        "660f60c1", "660f6cc1", "660f6dc1", "660f3a0fc105", "660f3801c1", "660f382bc1",
        "f20f7cc1", "660fd0c1", "660f3841c1", "660f3a40c1ff", "660f3a63c10c",
    ],
)  # fmt: skip
def test_a_result_of_sse_is_as_if_it_had_been_loaded(code: str) -> None:
    rig = prepared()
    rig.code(LOADS + code + STORES)
    rig.regs.gpr[1] = 0
    assert rig.core.run(rig.regs, 3) == Budget()
    other = prepared()
    other.memory.write(AT, rig.memory.peek(RESULT, 16))
    other.code(LOADS)
    assert other.core.run(other.regs, 1) == Budget()
    assert registers(rig) == registers(other)


@pytest.mark.parametrize("code", ["d9060006", "dd060006"])
@pytest.mark.parametrize("value", ["010000000000f87f", "0100c07f0000f07f"])
def test_the_padding_of_an_x87_register_is_zero(code: str, value: str) -> None:
    rig = Rig()
    rig.memory.write(AT, bytes.fromhex(value))
    rig.code("dbe3" + code)
    assert rig.core.run(rig.regs, 2) == Budget()
    # Unicorn 2.1.4: `fpregs` at 0x270, 16 bytes each; ST0 is in the last one.
    slot = rig.regs.context.state_bytes()[0x2E0:0x2F0]
    assert slot[:8] != bytes(8)
    assert slot[10:] == bytes(6)


def test_a_state_that_was_taken_over_holds_no_address_of_code() -> None:
    rig = Rig()
    rig.code("31c9 f7f1")  # DIV by zero, raised from translated code
    rig.core.run(rig.regs, 2)
    rig.regs.context.state_bytes()
    assert rig.regs.context.tail.retaddr == 0
    assert rig.regs.rip == CODE + 2
