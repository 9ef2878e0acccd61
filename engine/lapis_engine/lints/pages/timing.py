"""Pages of the lints about the APIC timer."""

from __future__ import annotations

from typing import Final

from lapis_engine.lints.lint import Page

PAGES: Final = {
    "timer-dropped": Page(
        what=(
            "LVT TIMER, written and not masked, changed its mode and so dropped a "
            "count or deadline that was running; or fires by a count that was written "
            "before its mode, which goes on here; or the initial count was written in "
            "TSC-deadline mode, or IA32_TSC_DEADLINE in another, which is ignored."
        ),
        why=(
            "A write to LVT TIMER that changes the mode disarms the timer, and each "
            'mode ignores the register of the other: SDM Vol. 3A "TSC-Deadline Mode".'
        ),
        where=(
            "Drivers that write the count first (tianocore/edk2-staging#217): bhyve "
            "disarms only between TSC-deadline mode and the others, a board by the "
            "manual at every change. In xAPIC "
            "mode on boards a deadline can be lost although the order is right, as the "
            "LVT is in memory and the deadline an MSR: Linux has an MFENCE between. "
            "Profiles without TSC-deadline mode ignore bit 18."
        ),
        fix=(
            "Divide configuration, then LVT TIMER, in xAPIC mode MFENCE, then the "
            "count or deadline; and ask CPUID.1:ECX[24]."
        ),
    ),
    "calibration-interrupted": Page(
        what=(
            "While the APIC timer counted down from 0x80000000 or above, which is to "
            "measure something, interrupts were delivered to the same processor. Three "
            "or more of one vector are the clock that it is measured by, and then "
            "nothing is found."
        ),
        why=(
            "The time in a handler is counted, and the wait for the reference is not "
            "cut short by it: the timer is taken to be faster than it is, and all that "
            "it times comes late."
        ),
        where=(
            "Kernels that wait by polling the 8254 or the ACPI timer with IF set; it "
            "is worse on a hypervisor, where each interrupt is an exit, and differs "
            "from boot to boot (DeanoBurrito/northport#45, "
            "SerenityOS/serenity#24805). Linux counts ticks of its clock by "
            "interrupts on purpose, which is no finding."
        ),
        fix=(
            "CLI for the measurement, measure several times and take the least; or "
            "take the frequency from CPUID 15H or the hypervisor's leaf."
        ),
    ),
}
