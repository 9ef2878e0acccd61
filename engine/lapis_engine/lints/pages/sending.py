"""Pages of the lints about what is sent, and to whom."""

from __future__ import annotations

from typing import Final

from lapis_engine.lints.lint import Page

PAGES: Final = {
    "icr-reserved-bits": Page(
        what="The ICR was written with reserved bits set.",
        why=(
            "In x2APIC mode that is #GP; in xAPIC mode the bits are to be written as "
            'they were read: SDM Vol. 3A "Interrupt Command Register (ICR)".'
        ),
        where=(
            "Code that worked in xAPIC mode for years faults the day the APIC is in "
            "x2APIC mode. COCONUT-SVSM checks them since coconut-svsm/svsm#1126."
        ),
        fix="Bits 31:20, 17:16 and 13 of the low half are 0.",
    ),
    "ipi-absent": Page(
        what=(
            "An IPI without a shorthand names a destination that no APIC has, or none "
            "that is enabled."
        ),
        why=(
            "It is dropped; older APICs set a bit of the ESR, today's do not. Who "
            "waits for an answer waits for ever."
        ),
        where=(
            "APIC ids that are taken for numbers of processors: they have gaps on "
            "boards (asterinas/asterinas#2091)."
        ),
        fix="Take ids from the MADT. In xAPIC mode 0xff is everybody.",
    ),
    "icr-busy": Page(
        what=(
            "In xAPIC mode the ICR was written while an IPI of the same processor was "
            "still on its way (a rule `ipi delay` holds it), or a few instructions "
            "after the write before, between which nothing was read, delivery status "
            "least of all."
        ),
        why=(
            "Delivery status, bit 12, says that the last IPI is not sent yet; to write "
            "then may replace it: SDM Vol. 3A "
            '"Interrupt Command Register (ICR)". Here delivery status never reads 1, '
            "as in bhyve, and nothing is lost."
        ),
        where=(
            "Boards of the Pentium and P6 family and others whose APIC bus is busy; "
            "x2APIC mode has no delivery status, and its writes wait by themselves. "
            "Linux asks it before each IPI in xAPIC mode; a crate that could not was a "
            "bug (kwzhao/x2apic-rs#14)."
        ),
        fix=(
            "Read the ICR until bit 12 is 0 before writing its low half; with a time "
            "limit."
        ),
    ),
    "self-by-id": Page(
        what=(
            "A fixed IPI whose destination is the sender's own APIC id, without the "
            "shorthand self."
        ),
        why=(
            "It works by the manual. It takes the way of an IPI to another processor, "
            "which hypervisors with virtual APICs take apart by an exit, and it rests "
            "on knowing the id: with that wrong it goes elsewhere."
        ),
        where=(
            "A note. A test suite shifted the id wrongly and never saw it while the "
            "BSP had id 0 (cyberus-technology/guest-tests#1). Linux itself resends an "
            "edge to its own processor this way."
        ),
        fix="The shorthand self (0x40000), or the SELF IPI register of x2APIC mode.",
    ),
    "logical-id-shared": Page(
        what=(
            "An IPI or an interrupt went by logical destination, and two enabled APICs "
            "of xAPIC mode have a bit of their logical ids in common."
        ),
        why=(
            "Each whose LDR shares a bit with the destination takes it: SDM Vol. 3A "
            '"Logical Destination Mode". What was for one comes to two, or lowest '
            "priority chooses one that was not meant."
        ),
        where=(
            "More than eight processors in the flat model, an LDR that was copied with "
            "the rest of an APIC page, masks of several clusters put together "
            "(projectacrn/acrn-hypervisor#8437)."
        ),
        fix=(
            "One bit a processor in the flat model, for eight; then the cluster model, "
            "physical destinations, or x2APIC mode, where the LDR follows from the id."
        ),
    ),
    "x2apic-msr": Page(
        what=("RDMSR or WRMSR of 0x800 to 0x8ff while the APIC is not in x2APIC mode."),
        why=(
            "It is #GP(0): SDM Vol. 3A "
            '"x2APIC Register Availability". Early in the life of a processor nobody '
            "handles that, and the machine resets."
        ),
        where=(
            "Application processors that read their id by MSR 0x802 before they have "
            "switched: they start in xAPIC mode after INIT wherever firmware did not "
            "lock x2APIC (zephyrproject-rtos/zephyr#112367). FreeBSD's bhyve gives 0 "
            "and no fault."
        ),
        fix=(
            "Set bits 11 and 10 of IA32_APIC_BASE first, on each processor; ask "
            "CPUID.1:ECX[21]."
        ),
    ),
    "low-vector": Page(
        what=(
            "A fixed or lowest-priority interrupt was sent with a vector below 16: by "
            "the ICR, an IOAPIC or MSI, or an LVT entry that is not masked."
        ),
        why=(
            "Vectors 0 to 15 are illegal in an APIC, and set a bit of the ESR: SDM "
            'Vol. 3A "Valid Interrupt Vectors". Nothing is delivered.'
        ),
        where=(
            "An LVT or redirection entry that was unmasked before its vector was "
            "written, and MSI data of 0: a device that was switched on before it was "
            "set up. bhyve drops them without a trace."
        ),
        fix="Vectors from 0x20 on; write the entry with its mask set, then clear it.",
    ),
    "shared-vector": Page(
        what=(
            "One vector comes to one processor from two sources that are set up at "
            "once: IOAPIC pins, MSI, the APIC timer, an IPI, or the "
            "spurious-interrupt vector."
        ),
        why=(
            "The IRR holds a vector once: two interrupts become one. The TMR bit is "
            "the last one's, so that after an edge of the same vector the EOI of a "
            "level is not sent on, and its pin stays silent: SDM Vol. 3A "
            '"Interrupt Acceptance for Fixed Interrupts". A spurious interrupt has no '
            "EOI at all."
        ),
        where=(
            "Level pins and IPIs of one vector: lost interrupts with APICv, where the "
            "EOI exit bitmap follows the TMR (projectacrn/acrn-hypervisor#4200). An "
            "IPI by which a kernel sends a lost edge again, as Linux does, is found as "
            "well, and is all right."
        ),
        fix="A vector for each source; 0xff for spurious interrupts.",
    ),
}
