"""Instructions that the processor itself carries out on devices: what fuzzing found.

Expected values are worked out by hand from SDM Vol. 2.
"""

from __future__ import annotations

import pytest
from fuzz.layout import WINDOW
from rigs.vie_rig import CODE, DATA, HIGH, HOLE, Rig, at, read, write

from lapis_engine.cpu.registers import CR4_SMAP, DS, SS
from lapis_engine.vmm import exits

PAGE = 0x1000
AFTER = HOLE + 2 * PAGE


def test_an_address_that_paging_moves_is_still_found() -> None:
    rig = Rig("0903", base=HIGH, rbx=at(HOLE + 0x40, HIGH), rax=0xF0)  # or [rbx], eax
    assert rig.run() == read(HOLE + 0x40, 4)
    assert rig.answer(0x0F) == write(HOLE + 0x40, 4, 0xFF)
    assert rig.answer() is None
    assert rig.done


def test_rmw_keeps_flags_and_rip_until_its_write_is_taken() -> None:
    rig = Rig("f00103", rbx=HOLE + 0x40, rax=1)  # lock add [rbx], eax
    rig.run()
    assert rig.answer(0xFFFF_FFFF) == write(HOLE + 0x40, 4, 0)
    assert (rig.regs.rflags, rig.regs.rip) == (2, rig.case.rip)
    assert rig.answer() is None
    assert rig.regs.rflags == 2 | 0x55  # CF PF AF ZF
    assert rig.done


def test_cmpxchg_that_fails_loads_what_it_found_and_writes_it_back() -> None:
    rig = Rig("f00fb10b", rbx=HOLE, rax=5, rcx=7)  # lock cmpxchg [rbx], ecx
    assert rig.run() == read(HOLE, 4)
    assert rig.answer(6) == write(HOLE, 4, 6)
    assert rig.answer() is None
    assert (rig.gpr[0], rig.regs.rflags & 0x40) == (6, 0)


def test_cmpxchg_that_succeeds_writes_the_new_value() -> None:
    rig = Rig("f00fb10b", rbx=HOLE, rax=5, rcx=7)
    rig.run()
    assert rig.answer(5) == write(HOLE, 4, 7)
    assert rig.answer() is None
    assert (rig.gpr[0], rig.regs.rflags & 0x40) == (5, 0x40)


def test_of_an_access_across_pages_only_the_device_is_asked() -> None:
    rig = Rig("0103", rbx=HOLE - 2, rax=0x0001_0001)  # add [rbx], eax
    rig.store(HOLE - 2, b"\xff\xff")
    assert rig.run() == read(HOLE, 2)
    assert rig.answer(0x1234) == write(HOLE, 2, 0x1236)  # the low half carries
    assert rig.memory(HOLE - 2, 2) == b"\xff\xff"
    assert rig.answer() is None
    assert rig.memory(HOLE - 2, 2) == b"\0\0"
    assert rig.done


def test_three_bytes_of_a_device_are_asked_for_as_one_and_two() -> None:
    rig = Rig("8b03", rbx=AFTER - 3)  # mov eax, [rbx]
    rig.store(AFTER, b"\x44")
    assert rig.run() == read(AFTER - 3, 1)
    assert rig.answer(0x11) == read(AFTER - 2, 2)
    assert rig.answer(0x3322) is None
    assert rig.gpr[0] == 0x4433_2211


def test_what_decides_a_fault_is_read_first() -> None:
    # div dword [rbx], across the two pages of the hole: not #DE for want of a divisor.
    rig = Rig("f733", rbx=HOLE + PAGE - 2, rax=100, rdx=0)
    assert rig.run() == read(HOLE + PAGE - 2, 2)
    assert rig.answer(7) == read(HOLE + PAGE, 2)
    assert rig.answer(0) is None
    assert (rig.gpr[0], rig.gpr[2]) == (14, 2)
    rig = Rig("f733", rbx=HOLE + 0x10, rax=100, rdx=0)
    rig.run()
    rig.answer(0)
    assert rig.fault is not None
    assert (rig.fault.vector, rig.regs.rip) == (0, rig.case.rip)


def test_a_store_by_several_pieces_leaves_rip_on_the_instruction() -> None:
    rig = Rig("d9e8db3b" + "90" * 4, rbx=HOLE + 8)  # fld1; fstp tword [rbx]
    assert rig.run() is None
    rig.case.rip = rig.regs.rip
    assert rig.run() == write(HOLE + 8, 8, 1 << 63)
    assert rig.regs.rip == rig.case.rip
    assert rig.answer() == write(HOLE + 16, 2, 0x3FFF)
    assert rig.regs.rip == rig.case.rip
    assert rig.answer() is None
    assert rig.regs.rip == rig.case.rip + 2


def test_movbe_stores_the_bytes_in_reverse() -> None:
    rig = Rig("0f38f103", rbx=HOLE, rax=0x1122_3344)
    assert rig.run() == write(HOLE, 4, 0x4433_2211)


def test_a_jump_that_is_done_does_not_take_the_fault_of_its_target() -> None:
    rig = Rig("ff23", rbx=HOLE + 0x10)  # jmp [rbx]
    rig.run()
    assert rig.answer(0x1234_5678_9ABC_DEF0) is None  # not canonical
    assert rig.fault is None
    assert rig.regs.rip == 0x1234_5678_9ABC_DEF0


def test_a_push_of_a_device_leaves_the_stack_alone_while_it_waits() -> None:
    rig = Rig("ff33", rbx=HOLE + PAGE - 4, rsp=DATA + 0x100)  # push qword [rbx]
    before = rig.memory(DATA + 0xF8, 8)
    assert rig.run() == read(HOLE + PAGE - 4, 4)
    assert rig.answer(0x1111_1111) == read(HOLE + PAGE, 4)
    assert (rig.memory(DATA + 0xF8, 8), rig.gpr[4]) == (before, DATA + 0x100)
    rig.discard()
    assert rig.memory(DATA + 0xF8, 8) == before
    assert rig.run() == read(HOLE + PAGE - 4, 4)
    rig.answer(0x1111_1111)
    assert rig.answer(0x2222_2222) is None
    assert rig.memory(DATA + 0xF8, 8) == b"\x11" * 4 + b"\x22" * 4


def test_sse_moves_are_two_requests_of_eight_bytes() -> None:
    rig = Rig("f30f6f03", rbx=HOLE + 0x20)  # movdqu xmm0, [rbx]
    assert rig.run() == read(HOLE + 0x20, 8)
    assert rig.answer(0x1111) == read(HOLE + 0x28, 8)
    assert rig.answer(0x2222) is None
    rig = Rig("660f7f03", rbx=HOLE + 0x20)  # movdqa [rbx], xmm0
    assert rig.run() == write(HOLE + 0x20, 8, 0)
    assert rig.answer() == write(HOLE + 0x28, 8, 0)
    assert rig.answer() is None
    assert rig.done


def test_bextr_and_andn_read_the_device_once() -> None:
    rig = Rig("c4e260f703", rbx=HOLE, rax=0)  # bextr eax, [rbx], ebx
    rig.gpr[3] = HOLE
    assert rig.run() == read(HOLE, 4)
    rig = Rig("c4e278f20b", rbx=HOLE, rax=0x0F0F)  # andn ecx, eax, [rbx]
    assert rig.run() == read(HOLE, 4)
    assert rig.answer(0xFFFF) is None
    assert rig.gpr[1] == 0xF0F0


def test_rep_goes_over_an_element_that_lies_in_two_pages() -> None:
    # rep movsw from RAM, three elements, the second half in the hole.
    rig = Rig("f366a5", rsi=DATA, rdi=HOLE - 3, rcx=3, budget=1000)
    rig.store(DATA, bytes(range(1, 7)))
    assert rig.run() == write(HOLE, 1, 4)
    assert (rig.gpr[1], rig.memory(HOLE - 3, 2)) == (2, b"\1\2")
    assert rig.answer() == write(HOLE + 1, 2, 0x0605)
    assert rig.memory(HOLE - 1, 1) == b"\3"
    assert rig.answer() is None
    assert (rig.gpr[1], rig.gpr[6], rig.gpr[7]) == (0, DATA + 6, HOLE + 3)


@pytest.mark.parametrize(("code", "size"), [("6c", 1), ("666d", 2), ("6d", 4)])
def test_ins_can_put_into_a_device(code: str, size: int) -> None:
    rig = Rig(code, rdi=HOLE + 8, rdx=0x60)
    assert rig.run() == exits.Inout(0x60, size, True, 0)
    value = 0x4433_2211 & ((1 << 8 * size) - 1)
    assert rig.answer(0x4433_2211) == write(HOLE + 8, size, value)
    assert rig.answer() is None
    assert rig.gpr[7] == HOLE + 8 + size


def test_outs_can_take_from_a_device() -> None:
    rig = Rig("f36f", rsi=HOLE + 8, rdx=0x60, rcx=2)
    for n in range(2):
        assert rig.run() if n == 0 else True
        out = rig.answer(0xAA + n)
        assert out == exits.Inout(0x60, 4, False, 0xAA + n)
        rig.answer()
    assert (rig.gpr[1], rig.gpr[6]) == (0, HOLE + 16)


def test_single_step_traps_after_an_emulated_instruction() -> None:
    rig = Rig("8b03", rbx=HOLE, rflags=0x102)
    rig.run()
    rig.answer(1)
    assert rig.fault is not None
    assert (rig.fault.vector, rig.regs.rip) == (1, rig.case.rip + 2)
    assert rig.regs.dr[6] & 0x4000


def test_single_step_traps_after_each_iteration_of_rep() -> None:
    rig = Rig("f3aa", rdi=HOLE, rcx=3, rflags=0x102, budget=1000)
    assert rig.run() == write(HOLE, 1, 0)
    rig.answer()
    assert rig.fault is not None
    assert (rig.fault.vector, rig.regs.rip, rig.gpr[1]) == (1, rig.case.rip, 2)


def test_the_page_tables_get_no_bits_but_those_of_the_access() -> None:
    rig = Rig("0903", rbx=HOLE + 0x40)
    rig.run()
    rig.answer(1)
    rig.answer()
    entries = rig.memory(0x1_C000 + 16 * 8, 9 * 8)
    low = [entries[8 * n] for n in range(9)]
    # Accessed for the code, accessed and dirty for the first page of the hole.
    assert low == [0x27, 7, 7, 7, 7, 7, 0x67, 7, 7]


def test_code_that_is_written_from_outside_runs_where_paging_has_moved_it() -> None:
    rig = Rig("b801000000", base=HIGH)  # mov eax, 1
    rig.run()
    assert rig.gpr[0] == 1
    rig.store(CODE + 0x101, b"\2")
    rig.regs.rip = rig.case.rip
    rig.run()
    assert rig.gpr[0] == 2


def test_a_push_that_crosses_from_the_page_before_the_stack_pointer() -> None:
    rig = Rig("50", rsp=HOLE + PAGE + 4, rax=0x8877_6655_4433_2211)  # push rax
    assert rig.run() == write(HOLE + PAGE - 4, 4, 0x4433_2211)
    assert rig.answer() == write(HOLE + PAGE, 4, 0x8877_6655)
    assert rig.answer() is None
    assert rig.gpr[4] == HOLE + PAGE - 4


@pytest.mark.parametrize(
    ("code", "value"), [("50", 0x8877_6655_4433_2211), ("c8100000", 0x1234_5678_9ABC)]
)
def test_what_a_push_stores_across_two_pages_that_are_one(
    code: str, value: int
) -> None:
    """PUSH RAX and ENTER; the page behind the hole is the hole once more."""
    second = list(WINDOW).index(HOLE) + 1
    rig = Rig(
        code, base=HIGH, pages={second: HOLE | 7}, rax=value, rbp=value,
        rsp=at(HOLE, HIGH) + PAGE + 4,
    )  # fmt: skip
    assert rig.run() == write(HOLE + PAGE - 4, 4, value & 0xFFFF_FFFF)
    assert rig.answer() == write(HOLE, 4, value >> 32)
    assert rig.answer() is None
    assert rig.done


def test_a_bit_string_is_followed_to_where_its_index_points() -> None:
    # bts [rbx], eax: dword number 4FFCH / 4 from rbx, across the hole's two pages.
    rig = Rig("0fab03", rbx=DATA + 2, rax=0x4FFC * 8 + 31)
    first = HOLE + PAGE - 2
    assert rig.run() == read(first, 2)
    assert rig.answer(0x1111) == read(first + 2, 2)
    assert rig.answer(0x2222) == write(first, 2, 0x1111)
    assert rig.answer() == write(first + 2, 2, 0xA222)
    assert rig.answer() is None
    assert rig.done


def test_ins_of_a_user_program_does_not_break_smap() -> None:
    rig = Rig("6c", cpl=3, rflags=0x3002, rdi=DATA + 8, rdx=0x60)
    rig.regs.cr4 |= CR4_SMAP
    assert rig.run() == exits.Inout(0x60, 1, True, 0)
    assert rig.answer(0x5A) is None
    assert rig.done
    assert rig.memory(DATA + 8, 1) == b"\x5a"


def test_a_segment_that_is_loaded_does_not_count_for_its_own_load() -> None:
    rig = Rig("c503", 32, rbx=HOLE)  # lds eax, [ebx], with a null selector
    rig.vm.memory.write(0, bytes(8))
    assert rig.run() == read(HOLE, 4)
    assert rig.answer(0x1234) == read(HOLE + 4, 2)
    assert rig.answer(0) is None
    assert rig.fault is None
    assert (rig.gpr[0], rig.regs.segment(DS).flags) == (0x1234, 0)


def test_pop_ss_from_a_device_holds_interrupts_and_traps_off() -> None:
    rig = Rig("17", 16, rsp=HOLE - CODE, rflags=0x102)
    assert rig.run() == read(HOLE, 2)
    assert rig.answer(0x1000) is None
    assert rig.regs.shadow
    assert rig.fault is None
    assert rig.regs.segment(SS).base == 0x1_0000


def test_a_far_return_in_real_mode_from_a_device_is_given_up() -> None:
    rig = Rig("cb", 16, rsp=HOLE - CODE)
    out = rig.run()
    assert isinstance(out, exits.InstEmul)
    assert (out.inst[:1], rig.regs.rip, rig.gpr[4]) == (b"\xcb", 0x100, HOLE - CODE)
