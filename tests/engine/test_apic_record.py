"""Saved state of a local APIC: what is taken, what is refused, and what comes of it.

Scenarios S1 to S6 of the reference for bhyve's "vmm data", and its fixture, the LAPIC
that propolis exported.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rigs import machines

from lapis_engine.apic import timer
from lapis_engine.events import ApicImported, RunStateChanged, VectorDelivered
from lapis_engine.replay.digest import Digester
from lapis_engine.saved import transfer
from lapis_engine.saved.lapic import RecordError

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

Fields = dict[str, Any]
ZEROS = [0] * 8
FRESH: Fields = {
    "vlp_id": 0, "vlp_version": 0x0105_0014, "vlp_tpr": 0, "vlp_apr": 0, "vlp_ldr": 0,
    "vlp_dfr": 0xFFFF_FFFF, "vlp_svr": 0x1FF, "vlp_isr": ZEROS, "vlp_tmr": ZEROS,
    "vlp_irr": ZEROS, "vlp_esr": 0, "vlp_lvt_cmci": 0x10000, "vlp_icr": 0,
    "vlp_lvt_timer": 0x10000, "vlp_lvt_thermal": 0x10000, "vlp_lvt_pcint": 0x10000,
    "vlp_lvt_lint0": 0x10000, "vlp_lvt_lint1": 0x10000, "vlp_lvt_error": 0x10000,
    "vlp_icr_timer": 0, "vlp_dcr_timer": 0, "vl_msr_apicbase": 0xFEE0_0900,
    "vl_timer_target": 0, "vl_esr_pending": 0,
}  # fmt: skip
"""vCPU 0 of profile sdm after reset, switched on; in the order of the C."""
QUIET: Fields = {
    "run_state": 2, "sipi_vector": 0, "halted": 0, "pend_nmi": 0, "nmi_blocked": 0,
    "pend_extint": 0, "pend_excp": 0, "pend_intinfo": 0, "cr2": 0, "return_rip": None,
    "tsc_deadline": 0,
}  # fmt: skip
PROPOLIS: Fields = FRESH | {
    "vlp_id": 0x0100_0000, "vlp_version": 0x0006_0014, "vlp_tpr": 0x10,
    "vlp_ldr": 0x0200_0000, "vlp_irr": [0, 4, 0, 0, 0, 0, 0, 0],
    "vlp_icr": 0x0400_0000_0000_08FB, "vlp_lvt_timer": 0xEC, "vlp_lvt_pcint": 0x400,
    "vlp_lvt_lint0": 0x10700, "vlp_lvt_lint1": 0x10400, "vlp_lvt_error": 0xFE,
    "vlp_icr_timer": 31718, "vlp_dcr_timer": 3, "vl_msr_apicbase": 0xFEE0_0800,
    "vl_timer_target": 219_030_898_956,
}  # fmt: skip


def export_apic(m: Machine, number: int) -> dict[str, Any]:
    return transfer.export_apic(m.vm, m.vcpu(number))


def words(*vectors: int) -> list[int]:
    """Eight u32 with these vectors set."""
    row = [0] * 8
    for vector in vectors:
        row[vector // 32] |= 1 << vector % 32
    return row


def vectors_of(row: list[int]) -> list[int]:
    return [v for v in range(256) if row[v // 32] >> v % 32 & 1]


def ppr_of(tpr: int, isr: list[int]) -> int:
    """SDM Vol. 3A "Task and Processor Priorities", by sets."""
    served = max((v // 16 for v in vectors_of(isr)), default=0)
    return tpr if tpr // 16 >= served else served * 16


def put(
    m: Machine, lapic: Fields, number: int = 0, *, lenient: bool = False, **parts: Any
) -> list[str]:
    saved = {"lapic": deepcopy(lapic), **parts}
    return m.import_apic(number, saved, "test", lenient=lenient)


def handlers(*vectors: int) -> bytes:
    """Real-mode code whose handlers count in 0x500 and halt with interrupts on."""
    store = b"\xc7\x06"  # mov word [imm16], imm16
    size = 4 + 12 * len(vectors)
    code = b"\x31\xc0\x8e\xd8"  # xor ax, ax; mov ds, ax
    for vector in vectors:
        at = 4 * vector
        code += store + at.to_bytes(2, "little") + (size + 4).to_bytes(2, "little")
        code += store + (at + 2).to_bytes(2, "little") + b"\x00\x10"
    # sti; hlt; jmp back; then the handler: inc word [0x500]; sti; hlt; jmp back
    return code + b"\xfb\xf4\xeb\xfc" + b"\xff\x06\x00\x05" + b"\xfb\xf4\xeb\xfc"


def entered(m: Machine) -> int:
    return int.from_bytes(m.read_physical(0x500, 2), "little")


def delivered(m: Machine) -> list[int]:
    events = (logged.event for logged in m.log.last(1000))
    return [e.vector for e in events if isinstance(e, VectorDelivered)]


def eoi(m: Machine) -> None:
    m.kernemu_write(0, 0xFEE0_00B0, 4, 0)


# The record.


def test_a_fresh_apic_is_exported_field_by_field_in_the_order_of_the_c() -> None:
    m = machines.machine(b"\xf4")
    m.kernemu_write(0, 0xFEE0_00F0, 4, 0x1FF)
    found = export_apic(m, 0)
    assert found == {"lapic": FRESH, "events": QUIET, "now": 0}
    assert list(found["lapic"]) == list(FRESH)


def test_what_was_imported_is_told_and_is_one_act() -> None:
    m = machines.machine(b"\xf4", 2)
    told: list[str] = []
    m.on_act = lambda act, _: told.append(act.verb)
    events = QUIET | {"run_state": 0x4000}
    assert put(m, PROPOLIS, 1, lenient=True, events=events) == [
        "vlp_version 0x60014 became 0x1050014, that of vCPU 1 in profile sdm"
    ]
    last = [logged.event for logged in m.log.last(2)]
    assert last == [
        ApicImported(1, "test"), RunStateChanged(1, 0, 0x4000, "imported"),
    ]  # fmt: skip
    assert told == ["import_apic"]


def test_the_lapic_of_propolis_is_taken_as_it_is() -> None:
    m = machines.machine(b"\xf4", 2, profile="illumos")
    assert put(m, PROPOLIS, 1, now=219_029_898_956) == []
    state = m.vcpus[1].apic
    assert state.ppr == 0x10
    assert m.why_not_runnable(1) is not None
    assert state.irr == 1 << 0x22
    # 1 ms is left: 8388.608 ticks of 8 388 608 Hz.
    assert state.timer_deadline == 1_000_000
    assert timer.current_count(state, m.now, m.vm.profile) == 8389
    back = export_apic(m, 1)["lapic"]
    assert back == PROPOLIS | {"vl_timer_target": 1_000_000}


def test_a_target_that_is_too_far_reads_the_initial_count() -> None:
    m = machines.machine(b"\xf4", 2, profile="illumos")
    put(m, PROPOLIS, 1)
    state = m.vcpus[1].apic
    assert timer.current_count(state, m.now, m.vm.profile) == 31718


def test_the_vector_of_propolis_is_injected_as_soon_as_if_is_1() -> None:
    m = machines.machine(handlers(0x22), profile="illumos")
    put(m, PROPOLIS | {"vlp_id": 0, "vl_msr_apicbase": 0xFEE0_0900})
    m.run(4)
    assert delivered(m) == []  # not before STI
    m.run(4)
    assert (delivered(m), entered(m)) == ([0x22], 1)
    assert (m.vcpus[0].apic.isr, m.vcpus[0].apic.ppr) == (1 << 0x22, 0x20)


# Scenarios.


def test_s1_what_is_in_service_keeps_back_what_is_not_above_it() -> None:
    m = machines.machine(handlers(0x61, 0x45))
    put(m, FRESH | {"vlp_isr": words(0x31, 0x52), "vlp_irr": words(0x61, 0x45)})
    assert m.vcpus[0].apic.ppr == 0x50
    m.run(100)
    assert delivered(m) == [0x61]
    eoi(m)
    m.run(100)
    assert delivered(m) == [0x61]
    eoi(m)
    m.run(100)
    assert (delivered(m), entered(m)) == ([0x61, 0x45], 2)


def test_s4_a_record_that_is_cut_off_names_what_is_missing() -> None:
    m = machines.machine(b"\xf4")
    for name in FRESH:
        cut = {key: value for key, value in FRESH.items() if key != name}
        with pytest.raises(RecordError, match=f"^{name}: MISSING: "):
            put(m, cut)


def test_s5_an_init_that_is_pending_is_refused_unless_lenient() -> None:
    m = machines.machine(b"\xf4", 2, profile="illumos")
    m.send_ipi(0, 0xC4500)
    saved = export_apic(m, 1)
    assert saved["events"]["run_state"] == 0x4000
    with pytest.raises(RecordError, match="run_state: BAD_RUN_STATE: 0x4000"):
        m.import_apic(1, saved, "test", lenient=False)
    assert m.import_apic(1, saved, "test", lenient=True) == []
    assert export_apic(m, 1) == saved


def test_s6_an_event_in_delivery_enters_its_handler_exactly_once() -> None:
    m = machines.machine(handlers(0x61))
    m.run(4)  # as far as STI
    events = QUIET | {"pend_intinfo": 0x8000_0061}
    put(m, FRESH | {"vlp_isr": words(0x61)}, events=events)
    assert export_apic(m, 0)["events"] == events
    m.run(100)
    assert (entered(m), delivered(m)) == (1, [])
    assert m.vcpus[0].apic.isr == 1 << 0x61
    assert export_apic(m, 0)["events"] == QUIET | {"halted": 1}


# What is refused.


@pytest.mark.parametrize(
    ("field", "value", "reason", "why"),
    [
        ("vlp_esr", 0x100, "BAD_ESR", "0x100 has bits outside 7:0"),
        ("vl_esr_pending", 1 << 31, "BAD_ESR", "reserved"),
        ("vl_msr_apicbase", 0xFEE0_0901, "BAD_MSR_BASE", "bits 0x1 are reserved"),
        ("vl_msr_apicbase", 1 << 52 | 0xFEE0_0900, "BAD_MSR_BASE", "reserved"),
        ("vl_msr_apicbase", 0xFEE0_0800, "BAD_MSR_BASE", "vCPU 0 is the BSP"),
        ("vl_msr_apicbase", 0xFEE0_0D00, "BAD_MSR_BASE", "vCPU 0 is in mode xapic"),
        ("vl_msr_apicbase", 0xFEE0_0500, "BAD_MSR_BASE", "without EN"),
        ("vlp_id", 0x0000_0001, "BAD_ID", "vCPU 0 has 0x0"),
        ("vlp_version", 0x0006_0010, "BAD_VERSION", "profile sdm have 0x1050014"),
        ("vlp_tpr", 0x100, "BAD_TPR", "0x100 is above 0xff"),
        ("vlp_isr", words(0x0F), "LOW_VECTOR", "vector 0x0f"),
        ("vlp_tmr", words(0), "LOW_VECTOR", "vector 0x00"),
        ("vlp_irr", words(3, 9), "LOW_VECTOR", "vector 0x03"),
        ("vlp_isr", words(0x30, 0x37), "ISR_PRIORITY", "0x30 and 0x37 are in service"),
        ("vlp_isr", words(0xF8, 0xFF), "ISR_PRIORITY", "0xf8 and 0xff"),
        ("vl_timer_target", 5, "TIMER_MISMATCH", "vlp_icr_timer is 0"),
        ("vlp_tpr", -1, "BAD_VALUE", "-1 is not a number from 0 to 2^32 - 1"),
        ("vlp_tpr", 1 << 32, "BAD_VALUE", "2^32 - 1"),
        ("vlp_tpr", True, "BAD_VALUE", "True is not a number"),
        ("vlp_tpr", "0x10", "BAD_VALUE", "'0x10' is not a number"),
        ("vlp_icr", 1 << 64, "BAD_VALUE", "2^64 - 1"),
        ("vl_timer_target", -1, "BAD_VALUE", "2^63 - 1"),
        ("vlp_irr", [0] * 7, "BAD_VALUE", "a list of 8 numbers"),
        ("vlp_irr", 0, "BAD_VALUE", "a list of 8 numbers"),
        ("vlp_irr", [0] * 7 + [1 << 32], "BAD_VALUE", "vlp_irr[7]"),
        ("vlp_ppr", 0, "UNKNOWN", "no such field"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_the_reason(
    field: str, value: object, reason: str, why: str
) -> None:
    m = machines.machine(b"\xf4")
    digester = Digester(m)
    before = digester.digest()
    with pytest.raises(RecordError) as refused:
        put(m, FRESH | {"vlp_tpr": 0x77, field: value}, events=QUIET | {"halted": 1})
    assert refused.value.field.partition("[")[0] == field
    assert refused.value.reason == reason
    assert why in str(refused.value)
    assert digester.digest() == before


def test_s3_the_version_of_another_profile_is_refused() -> None:
    m = machines.machine(b"\xf4", profile="illumos")
    with pytest.raises(RecordError, match="vlp_version: BAD_VERSION: 0x60010"):
        put(m, FRESH | {"vlp_version": 0x0006_0010})


def test_the_page_stays_where_the_guest_cannot_move_it() -> None:
    moved = {"vlp_version": 0x0006_0014, "vl_msr_apicbase": 0xFED0_0900}
    with pytest.raises(RecordError, match="the page stays at 0xfee00000"):
        put(machines.machine(b"\xf4", profile="illumos"), FRESH | moved)
    m = machines.machine(b"\xf4")
    put(m, FRESH | {"vl_msr_apicbase": 0xFED0_0900})
    m.kernemu_write(0, 0xFED0_0080, 4, 0x20)
    assert m.vcpus[0].apic.tpr == 0x20


@pytest.mark.parametrize(
    ("events", "field", "reason"),
    [
        ({"run_state": 4}, "run_state", "BAD_RUN_STATE"),
        ({"sipi_vector": 0x100}, "sipi_vector", "BAD_SIPI_VECTOR"),
        ({"pend_nmi": 2}, "pend_nmi", "BAD_VALUE"),
        ({"halted": True}, "halted", "BAD_VALUE"),
        ({"return_rip": -1}, "return_rip", "BAD_VALUE"),
        ({"pend_smi": 1}, "pend_smi", "UNKNOWN"),
        # intinfo: no valid bit; types 1, 5; a reserved bit; an error code.
        ({"pend_intinfo": 0x31}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_intinfo": 0x8000_0131}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_intinfo": 0x8000_0531}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_intinfo": 0x8000_1031}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_intinfo": 0x8000_0831}, "pend_intinfo", "BAD_INTINFO"),
        # An NMI of another vector; an exception among the rest; the reverse.
        ({"pend_intinfo": 0x8000_0203}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_intinfo": 0x8000_030D}, "pend_intinfo", "BAD_INTINFO"),
        ({"pend_excp": 0x8000_0031}, "pend_excp", "BAD_INTINFO"),
        # Exceptions are 0 to 31, without 2.
        ({"pend_excp": 0x8000_0320}, "pend_excp", "BAD_INTINFO"),
        ({"pend_excp": 0x8000_0302}, "pend_excp", "BAD_INTINFO"),
        (
            {"pend_excp": 0x8000_0306, "pend_intinfo": 0x8000_0031},
            "pend_excp", "BAD_INTINFO",
        ),
        ({"tsc_deadline": 1}, "tsc_deadline", "TIMER_MISMATCH"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_pending_is_refused(
    events: Fields, field: str, reason: str
) -> None:
    m = machines.machine(b"\xf4")
    digester = Digester(m)
    before = digester.digest()
    with pytest.raises(RecordError) as refused:
        put(m, FRESH | {"vlp_tpr": 0x77}, events=QUIET | events)
    assert (refused.value.field, refused.value.reason) == (field, reason)
    assert digester.digest() == before


@pytest.mark.parametrize(
    ("saved", "field"),
    [
        ({}, "lapic"),
        ({"lapic": 3}, "lapic"),
        ({"lapic": FRESH, "events": [1]}, "events"),
        ({"lapic": FRESH, "events": {}}, "run_state"),
        ({"lapic": FRESH, "now": -1}, "now"),
        ({"lapic": FRESH, "now": 1.5}, "now"),
        ({"lapic": FRESH, "timer_current": 1}, "timer_current"),
        ({"lapic": FRESH, "ioapic": {}}, "ioapic"),
        ([FRESH], "saved state"),
    ],
)
def test_parts_that_cannot_be_are_refused(saved: Any, field: str) -> None:
    m = machines.machine(b"\xf4")
    with pytest.raises(RecordError) as refused:
        m.import_apic(0, saved, "test", lenient=False)
    assert refused.value.field == field
    assert m.log.next_seq == 0


def test_events_are_refused_while_an_instruction_waits() -> None:
    m = machines.machine(b"\xe4\x99\xf4")  # in al, 0x99
    m.run(10)
    assert m.pending()
    with pytest.raises(RecordError, match="events: PENDING_REQUEST: "):
        put(m, FRESH, events=QUIET)
    put(m, FRESH | {"vlp_tpr": 0x40})
    assert m.vcpus[0].apic.ppr == 0x40


# What an import does beside the registers.


def test_bits_that_a_register_does_not_have_are_dropped() -> None:
    m = machines.machine(b"\xf4")
    ones = 0xFFFF_FFFF
    lvts = {name: ones for name in FRESH if "_lvt_" in name}
    put(m, FRESH | lvts | {
        "vlp_svr": ones, "vlp_ldr": ones, "vlp_dfr": 0, "vlp_dcr_timer": ones,
        "vlp_icr": (1 << 64) - 1,
    })  # fmt: skip
    found = export_apic(m, 0)["lapic"]
    assert found["vlp_svr"] == 0x13FF
    assert found["vlp_ldr"] == 0xFF00_0000
    assert found["vlp_dfr"] == 0x0FFF_FFFF
    assert found["vlp_dcr_timer"] == 0xB
    # Bit 12 of the ICR, delivery status, never reads 1.
    assert found["vlp_icr"] == 0xFF00_0000_000C_CFFF
    assert found["vlp_lvt_timer"] == 0x7_10FF
    assert found["vlp_lvt_lint0"] == found["vlp_lvt_lint1"] == 0x1_F7FF
    assert found["vlp_lvt_error"] == 0x1_10FF
    assert found["vlp_lvt_pcint"] == found["vlp_lvt_thermal"] == 0x1_17FF


def test_while_svr_is_off_the_lvt_is_masked() -> None:
    m = machines.machine(b"\xf4")
    put(m, FRESH | {"vlp_svr": 0xFF, "vlp_lvt_error": 0xFE, "vlp_lvt_lint0": 0x700})
    found = export_apic(m, 0)["lapic"]
    assert (found["vlp_lvt_error"], found["vlp_lvt_lint0"]) == (0x100FE, 0x10700)


@pytest.mark.parametrize("profile", ["illumos-pre-12936", "freebsd"])
def test_a_profile_with_a_stack_has_it_empty_after_a_load(profile: str) -> None:
    m = machines.machine(b"\xf4", profile=profile)
    version = export_apic(m, 0)["lapic"]["vlp_version"]
    put(m, FRESH | {"vlp_version": version, "vlp_isr": words(0x31, 0x52)})
    assert m.vcpus[0].apic.isrvec == ()
    m.run(100)
    assert m.vm.panic is not None
    assert m.vm.panic.text.startswith("ISR and isrvec_stk out of sync")


def test_two_vectors_of_a_class_in_service_are_remarked_on() -> None:
    m = machines.machine(b"\xf4")
    assert put(m, FRESH | {"vlp_isr": words(0x32, 0x3A)}) == [
        "0x32 and 0x3a are in service together, both of class 3"
    ]


def test_the_timer_fires_after_what_was_left_of_it_whatever_the_clock_says() -> None:
    m = machines.machine(handlers(0x40))
    m.run(20)
    start = m.now
    assert start > 0
    armed = {"vlp_lvt_timer": 0x40, "vlp_icr_timer": 1000, "vl_timer_target": 70_500}
    put(m, FRESH | armed, now=70_000)
    assert m.vcpus[0].apic.timer_deadline == start + 500
    m.run(1000)
    assert (delivered(m), entered(m)) == ([0x40], 1)
    # One that was due before the save fires at once.
    put(m, FRESH | armed, now=80_000)
    m.run(1000)
    assert delivered(m) == [0x40, 0x40]


def test_a_count_is_as_good_as_a_target() -> None:
    m = machines.machine(b"\xf4", profile="illumos")

    def target() -> int:
        return int(export_apic(m, 0)["lapic"]["vl_timer_target"])

    version = {"vlp_version": 0x0006_0014, "vlp_icr_timer": 0x2000_0000}
    put(m, FRESH | version | {"vlp_dcr_timer": 0xB}, timer_current=134_217_728)
    assert target() == m.now + 1_000_000_000  # 2^27 Hz
    put(m, FRESH | version | {"vlp_dcr_timer": 3}, timer_current=8_388_608)
    assert target() == m.now + 1_000_000_000
    # 1 tick of 2^27 / 16 Hz is 119.2 ns: the count reaches 0 not before 120.
    put(m, FRESH | version | {"vlp_dcr_timer": 3}, timer_current=1)
    assert target() == m.now + 120
    put(m, version, lenient=True, timer_current=0)
    assert target() == 0
    put(m, FRESH | version, timer_current=0x2000_0000)  # not gone on yet
    with pytest.raises(RecordError, match="timer_current: TIMER_MISMATCH: 0x2000"):
        put(m, FRESH | version, timer_current=0x2000_0001)


def test_a_tsc_deadline_is_kept_and_made_where_it_is_not_there() -> None:
    m = machines.machine(handlers(0x40))
    mode = {"vlp_lvt_timer": 0x4_0040, "vl_timer_target": 900}
    put(m, FRESH | mode, events=QUIET | {"tsc_deadline": 77_000})
    state = m.vcpus[0].apic
    assert (state.tsc_deadline, state.timer_deadline) == (77_000, 900)
    assert timer.current_count(state, m.now, m.vm.profile) == 0
    put(m, FRESH | mode)
    assert state.tsc_deadline == 900  # 1 GHz
    with pytest.raises(RecordError, match="tsc_deadline: TIMER_MISMATCH"):
        put(m, FRESH | mode, events=QUIET)
    m.run(2000)
    assert delivered(m) == [0x40]
    assert (state.tsc_deadline, state.timer_deadline) == (0, None)


def test_a_target_beyond_all_time_is_refused() -> None:
    m = machines.machine(b"\x90" * 50 + b"\xf4")
    m.run(20)
    late = {"vlp_icr_timer": 1, "vl_timer_target": (1 << 63) - 1}
    with pytest.raises(RecordError, match="vl_timer_target: BAD_VALUE: "):
        put(m, FRESH | late)


def test_an_nmi_that_was_blocked_is_delivered_after_iret() -> None:
    # mov word [8], 0x20; mov word [10], 0x1000; iret to hlt; at 0x20: inc, hlt
    code = b"\x31\xc0\x8e\xd8\xc7\x06\x08\x00\x20\x00\xc7\x06\x0a\x00\x00\x10"
    code += b"\x9c\x0e\x68\x18\x00\xcf\xf4\xf4\x90\xf4"
    code = code.ljust(0x20, b"\xf4") + b"\xff\x06\x00\x05\xf4\xeb\xfd"
    m = machines.machine(code)
    put(m, FRESH, events=QUIET | {"nmi_blocked": 1, "pend_nmi": 1})
    m.run(6)
    assert entered(m) == 0
    m.run(100)
    assert entered(m) == 1


def test_lenient_takes_a_part_and_leaves_the_rest() -> None:
    m = machines.machine(b"\xf4")
    put(m, FRESH | {"vlp_ldr": 0x0800_0000, "vlp_tpr": 0x30})
    assert put(m, {"vlp_irr": words(0x41)}, lenient=True) == []
    expected = FRESH | {
        "vlp_ldr": 0x0800_0000, "vlp_tpr": 0x30, "vlp_irr": words(0x41),
    }  # fmt: skip
    assert export_apic(m, 0)["lapic"] == expected


def test_lenient_changes_the_mode_and_says_what_it_fitted() -> None:
    m = machines.machine(b"\xf4", 3)
    put(m, FRESH | {
        "vlp_id": 0x0200_0000, "vl_msr_apicbase": 0xFEE0_0800, "vlp_ldr": 0x0400_0000,
    }, 2)  # fmt: skip
    foreign = FRESH | {
        "vlp_version": 0x0005_0014, "vlp_id": 0x25, "vlp_ldr": 0x0002_0020,
        "vl_msr_apicbase": 0xFEE0_0D00, "vlp_icr": 0x25_0000_00FB,
    }  # fmt: skip
    assert put(m, foreign, 2, lenient=True) == [
        "vlp_version 0x50014 became 0x1050014, that of vCPU 2 in profile sdm",
        "vlp_id 0x25 became 0x2, that of vCPU 2 in profile sdm",
        "vl_msr_apicbase 0xfee00d00 became 0xfee00c00, that of vCPU 2 in profile sdm",
        "vlp_ldr 0x20020 became 0x4, that of vCPU 2 in profile sdm",
    ]
    found = export_apic(m, 2)["lapic"]
    assert (found["vlp_id"], found["vlp_ldr"]) == (2, 4)
    assert (found["vl_msr_apicbase"], found["vlp_icr"]) == (0xFEE0_0C00, 0x25_0000_00FB)
    # What belongs to xAPIC mode is gone, as after a change by the guest.
    assert (m.vcpus[2].apic.id, m.vcpus[2].apic.ldr) == (2, 0)
    with pytest.raises(RecordError, match="vCPU 2 is in mode x2apic"):
        put(m, FRESH | {"vl_msr_apicbase": 0xFEE0_0800}, 2)
    # Lenient is not blind: what cannot be is refused all the same.
    with pytest.raises(RecordError, match="vlp_isr: LOW_VECTOR"):
        put(m, {"vlp_isr": words(7)}, 2, lenient=True)


def test_an_id_of_xapic_mode_is_none_of_x2apic_mode() -> None:
    m = machines.machine(b"\xf4", 3)
    # Profile sdm: software may write the id.
    put(m, FRESH | {"vlp_id": 0x7700_0000, "vl_msr_apicbase": 0xFEE0_0800}, 2)
    assert export_apic(m, 2)["lapic"]["vlp_id"] == 0x7700_0000
    # What was not given is fitted without a word.
    assert put(m, {"vl_msr_apicbase": 0xFEE0_0C00}, 2, lenient=True) == []
    assert (m.vcpus[2].apic.id, m.vcpus[2].apic.ldr) == (2, 0)
    saved = export_apic(m, 2)
    saved["lapic"]["vlp_id"] = 0x0200_0000
    with pytest.raises(RecordError, match="vlp_id: BAD_ID: 0x2000000: vCPU 2 has 0x2"):
        m.import_apic(2, saved, "test", lenient=False)


# Round trips.

LEGAL = st.integers(16, 255)


@st.composite
def lapics(draw: st.DrawFn, number: int, *, x2apic: bool) -> tuple[Fields, int]:
    """A state that an APIC of profile sdm can be in, and its IA32_TSC_DEADLINE."""
    bits = st.integers(0, 0xFFFF_FFFF)
    served = draw(st.dictionaries(st.integers(2, 31), st.integers(0, 7)))
    svr = draw(bits) & 0x13FF
    masked = 0 if svr & 0x100 else 0x10000
    lvts = {
        name: draw(bits) & mask | masked
        for name, mask in {
            "vlp_lvt_thermal": 0x117FF, "vlp_lvt_pcint": 0x117FF,
            "vlp_lvt_lint0": 0x1F7FF, "vlp_lvt_lint1": 0x1F7FF,
            "vlp_lvt_error": 0x110FF, "vlp_lvt_timer": 0x710FF,
        }.items()
    }  # fmt: skip
    by_tsc = lvts["vlp_lvt_timer"] & 0x6_0000 == 0x4_0000
    initial = draw(bits)
    target = draw(st.integers(0, 1 << 50)) if initial or by_tsc else 0
    cluster = number // 16 << 16 | 1 << number % 16
    icr = draw(bits) & 0x000C_CFFF
    lapic = FRESH | lvts | {
        "vlp_id": number if x2apic else number << 24,
        "vlp_tpr": draw(st.integers(0, 255)),
        "vlp_ldr": cluster if x2apic else draw(bits) & 0xFF00_0000,
        "vlp_dfr": draw(bits) | 0x0FFF_FFFF,
        "vlp_svr": svr,
        "vlp_isr": words(*(8 * high + low for high, low in served.items())),
        "vlp_tmr": words(*draw(st.sets(LEGAL))),
        "vlp_irr": words(*draw(st.sets(LEGAL))),
        "vlp_esr": draw(st.integers(0, 255)),
        "vl_esr_pending": draw(st.integers(0, 255)),
        "vlp_icr": icr | (draw(bits) & (0xFFFF_FFFF if x2apic else 0xFF00_0000)) << 32,
        "vlp_icr_timer": initial,
        "vlp_dcr_timer": draw(bits) & 0xB,
        "vl_msr_apicbase": 0xFEE0_0800 | 0x400 * x2apic | 0x100 * (number == 0),
        "vl_timer_target": target,
    }  # fmt: skip
    deadline = draw(st.integers(1, (1 << 64) - 1)) if by_tsc and target else 0
    return lapic, deadline


@st.composite
def pending(draw: st.DrawFn, deadline: int) -> Fields:
    """Events that can be pending."""
    flag = st.integers(0, 1)
    states = st.sampled_from([0, 1, 2, 3, 0x4000, 0x8001, 0x8003, 0xC002])
    events = QUIET | {
        "run_state": draw(states), "sipi_vector": draw(st.integers(0, 255)),
        "halted": draw(flag), "pend_nmi": draw(flag), "nmi_blocked": draw(flag),
        "pend_extint": draw(flag), "tsc_deadline": deadline,
    }  # fmt: skip
    match draw(st.sampled_from(["none", "external", "nmi", "exception", "software"])):
        case "external":
            events["pend_intinfo"] = 0x8000_0000 | draw(LEGAL)
        case "nmi":
            events["pend_intinfo"] = 0x8000_0202
        case "software":
            events["pend_intinfo"] = 0x8000_0400 | draw(st.integers(0, 255))
            events["return_rip"] = draw(st.integers(0, (1 << 64) - 1))
        case "exception":
            error = draw(st.integers(0, 0xFFFF))
            info = 0x8000_0B0E | error << 32
            events["pend_excp"] = draw(st.sampled_from([0x8000_0306, info]))
            events["cr2"] = draw(st.integers(0, (1 << 64) - 1))
        case _:
            pass
    return events


@st.composite
def states(draw: st.DrawFn) -> tuple[int, Fields, Fields]:
    number = draw(st.integers(0, 2))
    lapic, deadline = draw(lapics(number, x2apic=draw(st.booleans())))
    return number, lapic, draw(pending(deadline))


ONE, OTHER = machines.machine(b"\xf4", 3), machines.machine(b"\x90" * 5000, 3)
OTHER.run(777)


@given(states())
@example((0, FRESH, QUIET))
@settings(max_examples=300, deadline=None)
def test_what_is_exported_is_what_was_imported(
    state: tuple[int, Fields, Fields],
) -> None:
    number, lapic, events = state
    mode = {"vl_msr_apicbase": lapic["vl_msr_apicbase"]}
    for m in (ONE, OTHER):
        put(m, mode, number, lenient=True, timer_current=0)
    put(ONE, lapic, number, events=events, now=ONE.now)
    first = export_apic(ONE, number)
    assert first == {"lapic": lapic, "events": events, "now": ONE.now}
    assert ONE.vcpus[number].apic.ppr == ppr_of(lapic["vlp_tpr"], lapic["vlp_isr"])
    OTHER.import_apic(number, first, "test", lenient=False)
    second = export_apic(OTHER, number)
    target = lapic["vl_timer_target"]
    moved = target and max(target - ONE.now + OTHER.now, 1)
    assert second["lapic"] == lapic | {"vl_timer_target": moved}
    assert (second["events"], second["now"]) == (events, 777)
    assert OTHER.vcpus[number].apic.ppr == ONE.vcpus[number].apic.ppr
