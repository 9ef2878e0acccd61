"""Pages of the lints about interrupts in service, and processors that halt."""

from __future__ import annotations

from typing import Final

from lapis_engine.lints.lint import Page

PAGES: Final = {
    "eoi-empty-isr": Page(
        what="EOI was written while no vector was in service.",
        why=(
            "Nothing happens; with another vector in service the same write would have "
            'ended that: SDM Vol. 3A "Signaling Interrupt Servicing Completion".'
        ),
        where=(
            "Handlers of spurious interrupts, of NMI or of what came as ExtINT, which "
            "have no EOI here; a dispatcher that ends every vector of a range, "
            "software interrupts too (SQLpassion/osdev#31). illumos counts them."
        ),
        fix="EOI once for each vector that was delivered from the IRR, and none else.",
    ),
    "level-no-eoi": Page(
        what=(
            "A level vector is in service and the processor halts, or 10 ms of "
            "virtual time go by."
        ),
        why=(
            "Until its EOI it, and all of its class and below, stay in the IRR, and "
            "remote-IRR keeps the pin silent: SDM Vol. 3A "
            '"Signaling Interrupt Servicing Completion".'
        ),
        where="A handler that returns early; EOI written to the 8259 alone.",
        fix="EOI on every way out of the handler.",
    ),
    "edge-no-eoi": Page(
        what=(
            "An edge vector is in service and the processor halts, or another of its "
            "class or below comes and waits behind it: when the processor is back on "
            "the stack that was interrupted, or 10 ms after the delivery."
        ),
        why=(
            "The ISR holds back every vector of that priority class and below: SDM "
            'Vol. 3A "Task and Processor Priorities". A timer comes once, and never '
            "again."
        ),
        where=(
            "An interrupt that came before its handler was there, and was taken by a "
            "default one without EOI (tianocore/edk2-staging#217); a switch of threads "
            "in the handler before EOI (plos-clan/CoolPotOS#37). EOI deferred until "
            "after nested work stopped the clock of OVMF (tianocore/edk2#9256)."
        ),
        fix=(
            "EOI before anything that may not come back; a default handler for "
            "vectors of the APIC writes EOI, too."
        ),
    ),
    "eoi-early": Page(
        what=(
            "EOI of a level vector while its IOAPIC pin is asserted by one device that "
            "has not let go of it since the interrupt was sent."
        ),
        why=(
            "The pin is looked at when the EOI comes, and the message goes out again: "
            "82093AA, remote IRR. The handler runs twice for each interrupt, or for "
            "ever when the device is served elsewhere."
        ),
        where=(
            "Handlers that end first and serve in a bottom half without masking the "
            "pin: an interrupt storm with the processor between two EOIs "
            "(tock/tock#4591, TF-Hafnium/hafnium#17). A device with more work than one "
            "pass of its handler does is found as well, and is all right."
        ),
        fix=(
            "Serve the device, read back its status (posted writes), then EOI; or mask "
            "the pin, EOI, and unmask it when it is served."
        ),
    ),
    "cli-hlt": Page(
        what=(
            "A processor halts with IF clear though a vector waits in its IRR, the "
            "8259 asks for it or its timer is armed, or one comes to it while it halts "
            "so. One that is parked, with nothing to come, is not found, nor is what "
            "the 8259 wants of one that never took an interrupt from there."
        ),
        why=(
            "Only NMI, SMI, INIT and reset wake it: SDM Vol. 2A "
            '"HLT-Halt". An interrupt stays in the IRR.'
        ),
        where=(
            "Idle loops that look for work with interrupts off and forget STI; STI "
            "and HLT are one by the shadow of STI, and something between them is a "
            "lost wake-up (rust-osdev/x86_64#138, SerenityOS/serenity#26443). "
            "Kernels that park a processor but leave it a destination of IPIs."
        ),
        fix=(
            "`sti; hlt`, adjacent. To park: mask the LVT, stop the timer, switch the "
            "APIC off by SVR, then `cli; hlt` in a loop."
        ),
    ),
    "isrvec": Page(
        what=(
            "The ISR is not the stack of what was delivered and ended, with "
            "`set isrvec on`."
        ),
        why=(
            "Vectors are delivered upwards only, so that in service they form a stack; "
            "bhyve kept it as isrvec_stk, and asserted that it agrees."
        ),
        where=(
            "APICs that were imported with an ISR, and illumos before 12936, which "
            "panicked by it."
        ),
        fix="Look at what wrote the ISR: an import, or a way of EOI that skips one.",
    ),
}
