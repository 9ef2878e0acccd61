"""Slices and arrows of a trace, worked out by hand from a few events."""

from lapis_engine.events import (
    Answered,
    ApicImported,
    Event,
    Exited,
    Halted,
    InitReceived,
    Interfered,
    IpiSent,
    Logged,
    NmiReceived,
    RunStateChanged,
    SipiReceived,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    Woken,
)
from lapis_sessions.recording.export.arrows import Arrows
from lapis_sessions.recording.export.levels import Levels


def edges(*events: Event) -> str:
    """Return the edges as text: +name where one begins, -name where it ends."""
    levels = Levels(1)
    found = [
        f"{'+' if edge.phase == 'B' else '-'}{edge.name}"
        for seq, event in enumerate(events)
        for edge in levels.take(Logged(seq, seq, event))
    ]
    return " ".join(found)


def delivered(vector: int) -> VectorDelivered:
    return VectorDelivered(1, vector, vector & 0xF0)


def ended(vector: int) -> VectorEnded:
    return VectorEnded(1, vector, level=False, ppr=0)


def test_a_vector_is_in_service_from_its_delivery_to_its_eoi() -> None:
    found = edges(delivered(0x31), delivered(0x52), ended(0x52), ended(0x31))
    assert found == "+vector 0x31 +vector 0x52 -vector 0x52 -vector 0x31"


def test_an_eoi_out_of_order_ends_what_lies_above_it_too() -> None:
    found = edges(delivered(0x31), delivered(0x52), ended(0x31), ended(0x52))
    assert found == "+vector 0x31 +vector 0x52 -vector 0x52 -vector 0x31"


def test_of_two_equal_slices_the_inner_one_ends() -> None:
    found = edges(
        Halted(1, interrupts=True), delivered(0x31), Halted(1, interrupts=True),
        Woken(1, "NMI"), ended(0x31),
    )  # fmt: skip
    assert found == "+halted +vector 0x31 +halted -halted -vector 0x31"


def test_a_halt_ends_when_the_vcpu_wakes() -> None:
    found = edges(Halted(1, interrupts=True), Woken(1, "NMI"), delivered(0x31))
    assert found == "+halted -halted +vector 0x31"


def test_taking_init_ends_everything_and_a_pending_one_nothing() -> None:
    pending = RunStateChanged(1, 0x3, 0x4003, "INIT pending")
    found = edges(delivered(0x31), Halted(1, interrupts=False), pending)
    assert found == "+vector 0x31 +halted"
    taken = RunStateChanged(1, 0x4003, 0x1, "INIT taken")
    again = edges(delivered(0x31), Halted(1, interrupts=False), pending, taken)
    assert again == "+vector 0x31 +halted -halted -vector 0x31"
    bsp = RunStateChanged(1, 0x4002, 0x2, "INIT taken")
    assert edges(delivered(0x31), bsp) == "+vector 0x31 -vector 0x31"


def test_an_exit_waits_till_it_is_answered_and_is_one_however_often_told() -> None:
    exit_ = Exited(1, "MMIO", "read", 0)
    answer = Answered(1, "FULFILL_MMIO", "", "user")
    assert edges(exit_, answer) == "+waits: MMIO -waits: MMIO"
    twice = edges(exit_, exit_, answer)
    assert twice == "+waits: MMIO -waits: MMIO +waits: MMIO -waits: MMIO"
    assert edges(Exited(1, "HLT", "", 0)) == ""


def test_an_imported_apic_has_nothing_of_the_old_one_in_service() -> None:
    found = edges(delivered(0x31), delivered(0x52), ApicImported(1, "file"))
    assert found == "+vector 0x31 +vector 0x52 -vector 0x52 -vector 0x31"


def arrows(*events: Event) -> list[tuple[int, int, int]]:
    """Return (number of the IPI, target, number of what it became)."""
    following = Arrows()
    taken = (following.take(Logged(n, n, event)) for n, event in enumerate(events))
    return [(a.sent.seq, a.target, a.arrived.seq) for a in taken if a is not None]


def sent(mode: str, vector: int, *targets: int, vcpu: int = 0) -> IpiSent:
    return IpiSent(vcpu, vector, mode, "", targets, None)


def accepted(vcpu: int, vector: int, source: str = "ipi of vCPU 0") -> VectorAccepted:
    return VectorAccepted(vcpu, vector, level=False, source=source)


def test_an_ipi_leads_to_the_vector_at_each_target() -> None:
    found = arrows(sent("fixed", 0x31, 1, 2), accepted(1, 0x31), accepted(2, 0x31))
    assert found == [(0, 1, 1), (0, 2, 2)]


def test_another_vector_source_or_target_is_none_of_its() -> None:
    ipi = sent("fixed", 0x31, 1)
    assert arrows(ipi, accepted(1, 0x32)) == []
    assert arrows(ipi, accepted(2, 0x31)) == []
    assert arrows(ipi, accepted(1, 0x31, "timer")) == []
    assert arrows(ipi, NmiReceived(1, "vCPU 0"), InitReceived(1, "vCPU 0")) == []


def test_init_sipi_and_nmi_lead_to_their_own_kind() -> None:
    found = arrows(
        sent("init", 0, 1), sent("sipi", 8, 1), sent("nmi", 0, 1),
        NmiReceived(1, ""), SipiReceived(1, 8, "", None), InitReceived(1, ""),
    )  # fmt: skip
    assert found == [(2, 1, 3), (1, 1, 4), (0, 1, 5)]
    assert arrows(sent("sipi", 8, 1), SipiReceived(1, 9, "", None)) == []


def test_a_dropped_ipi_leads_to_what_dropped_it_and_a_delayed_one_on() -> None:
    drop = Interfered(1, "drop", "fixed", 0, "")
    delay = Interfered(1, "delay", "fixed", 0, "")
    ipi = sent("fixed", 0x31, 1)
    assert arrows(ipi, drop, accepted(1, 0x31)) == [(0, 1, 1)]
    assert arrows(ipi, delay, accepted(1, 0x31)) == [(0, 1, 2)]


def test_an_ipi_that_reaches_nobody_has_no_arrow() -> None:
    assert arrows(sent("fixed", 0x31), accepted(1, 0x31)) == []
