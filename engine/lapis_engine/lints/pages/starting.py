"""Pages of the lints about starting processors, and about what each must have."""

from __future__ import annotations

from typing import Final

from lapis_engine.lints.lint import Page

PAGES: Final = {
    "sipi-ignored": Page(
        what=(
            "A SIPI came to a processor that runs already, or that had no INIT before "
            "it. The second SIPI of INIT-SIPI-SIPI is one, when the first has worked."
        ),
        why=(
            "A SIPI counts only while the processor waits for it: SDM Vol. 3A, "
            '"MP Initialization Protocol Algorithm for MP Systems". A kernel that '
            "takes the second one for the one that works starts nothing where the "
            "first is lost."
        ),
        where=(
            "Everywhere, as a note. bhyve latches a SIPI for the next INIT (illumos "
            "13645), so that a stale one starts a processor later, at an old vector: "
            "guest `stale-sipi`."
        ),
        fix=(
            "Nothing, for the second of two. Else send INIT first, wait 10 ms, then "
            "the SIPI; after a processor has answered, send no more."
        ),
    ),
    "init-level-clear": Page(
        what=(
            "An INIT was written to the ICR with the level bit (14) clear and the "
            "trigger mode (15) edge. INIT level de-assert (0x8500) is not meant."
        ),
        why=(
            'SDM Vol. 3A "Interrupt Command Register (ICR)": the level flag must be 1 '
            "for every delivery mode but INIT level de-assert. What a processor makes "
            "of 0 is its own affair: today's take the INIT, others an end of it."
        ),
        where=(
            "bhyve drops it, edge-triggered or not; Hyper-V does, and application "
            "processors never start there (nanovms/nanos#1529, "
            "Limine-Bootloader/Limine#59). QEMU, KVM and boards do not mind, nor does "
            "COCONUT-SVSM since coconut-svsm/svsm#786."
        ),
        fix="Write 0x4500, or 0xC500 with level trigger as Linux does.",
    ),
    "sipi-level-clear": Page(
        what="A SIPI was written to the ICR with the level bit (14) clear.",
        why=(
            "By the same words of the manual as for an INIT it must be set: SDM "
            'Vol. 3A "Interrupt Command Register (ICR)".'
        ),
        where=(
            "A note: Linux and xv6 send 0x600 with the vector, and all that is to run "
            "them takes it. A hypervisor that reads the manual to the letter does not "
            "(coconut-svsm/svsm#786, before it was repaired)."
        ),
        fix="Write 0x4600 with the vector: that is right everywhere.",
    ),
    "trampoline-changed": Page(
        what=(
            "Between the SIPI and the first instruction of the processor that it "
            "starts, code in its first page was written. What is compared is the code "
            "that can be followed from the entry; a mailbox or a stack beside it may "
            "change."
        ),
        why=(
            "A SIPI names a page and carries no code: SDM Vol. 3A, "
            '"MP Initialization Example". Who comes late, because it was busy in SMM '
            "or its host did not schedule it, executes what is there by then."
        ),
        where=(
            "Firmware that frees its start page after a time limit: a debug build of "
            "EDK II fills it with 0xAF, and a late processor runs that "
            "(tianocore/edk2#23). Overcommitted hosts, where a vCPU may be late by "
            "milliseconds."
        ),
        fix=(
            "Keep the page until every processor that was sent a SIPI has said that it "
            "left it, or was sent INIT again."
        ),
    ),
    "empty-trampoline": Page(
        what="A processor was started in a page of which every byte is 0.",
        why=(
            "Zeros are `add [bx+si], al`: it runs through the segment and writes as it "
            "goes, without a fault."
        ),
        where=(
            "A SIPI with the vector of another page than the code was copied to, a "
            "copy that was made behind paging to another address, or a page that was "
            "cleared. Nothing is seen of it on any machine but that the processor is "
            "missing."
        ),
        fix=(
            "The vector is the physical address divided by 4096; copy the code first, "
            "and below 1 MiB."
        ),
    ),
    "runs-zeros": Page(
        what=(
            "A processor starts in at least 16 bytes of zeros in a page that has "
            "something else behind them, or faults or exits at an instruction that is "
            "zeros."
        ),
        why=(
            "Zeros are an instruction, add [rax], al, that writes where RAX points. "
            "Where it faults is not where it went wrong: look at the last jump."
        ),
        where=(
            "An entry that is linked at an offset (a header before the code), a jump "
            "through a pointer that was not filled in, a stack that was cleared."
        ),
        fix="Look at `backtrace` and the page's symbols; the entry is offset 0.",
    ),
    "bsp-spins": Page(
        what=(
            "The BSP stays within 256 bytes of code for 16 ms of virtual time while "
            "another processor waits for a SIPI."
        ),
        why="It waits for a processor that nobody starts any more.",
        where=(
            "Wherever an INIT or SIPI was lost, refused or dropped: `why vcpu N` of "
            "the one that waits tells which."
        ),
        fix="Send INIT and SIPI again after a time limit, and go on without it.",
    ),
    "shared-tss": Page(
        what="Two processors that run have loaded TR with one and the same TSS.",
        why=(
            "An interrupt from user mode takes its stack from there, and so does "
            'every gate with an IST: SDM Vol. 3A "Task Management in 64-bit Mode". '
            "Two processors push onto one stack."
        ),
        where=(
            "Kernels that were written for one processor (KaiNorberg/PatchworkOS#15, "
            "hhuOS/hhuOS#39). It works until two interrupts come at once: seldom on "
            "two vCPUs of one core, at once on a board. LTR of a busy TSS is #GP, so "
            "that the busy bit was cleared, or there are two descriptors."
        ),
        fix="A TSS for each processor, with stacks and IST stacks of its own.",
    ),
    "ist-reuse": Page(
        what=(
            "An NMI was taken while RSP was on the very IST stack to whose top it "
            "switches."
        ),
        why=(
            "A gate with an IST begins at the top every time: SDM Vol. 3A "
            '"Interrupt Stack Table". NMIs are blocked until IRET, and the IRET of an '
            "exception within the handler ends that, too ("
            '"Handling Multiple NMIs"): the second frame overwrites the first, and '
            "the first handler returns to itself."
        ),
        where=(
            "A breakpoint or page fault in an NMI handler: Linux up to 3.2 (its "
            "handler copies the frame since, and expects this: the finding is then "
            "about a case that it handles). With perf or a watchdog that sends NMIs."
        ),
        fix=(
            "Take no exception in the handler; or copy the frame away at once and let "
            "a nested one see that it is nested."
        ),
    ),
}
