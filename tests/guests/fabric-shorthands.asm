; fabric-shorthands: whom an IPI reaches by shorthand and by physical destination,
; seen by each of four processors.
;
; SDM Vol. 3A "Issuing Interprocessor Interrupts"; the table "Valid Combinations
; for the Pentium 4 Processor Family's Local xAPIC Interrupt Command Register"
; allows NMI and INIT to "all excluding self" only.
; QEMU agrees, but that it sends what that table does not allow (left out there:
; a processor would get INIT).
%define PROCESSORS 4
%include "fabric.inc"

main:
        mov dword [rbx + SVR], ON
%assign vector 0x40
%rep 16
        on vector, count
  %assign vector vector + 1
%endrep
        on 0x60, from_ap
        on 2, count_nmi
        call start_aps
        mov eax, [ARRIVED]
        check "three processors have come up", 3

        send FIXED | 0x40, 2
        call barrier
        who 0x40
        check "no shorthand: processor 2 alone", 0b0100
        send FIXED | TO_SELF | 0x41, 2
        call barrier
        who 0x41
        check "self, whatever the destination", 0b0001
        send FIXED | TO_ALL | 0x42, 2
        call barrier
        who 0x42
        check "all, whatever the destination", 0b1111
        send FIXED | TO_OTHERS | 0x43, 0
        call barrier
        who 0x43
        check "all but self", 0b1110
        send FIXED | 0x44, 0xFF
        call barrier
        who 0x44
        check "destination 0xFF is all", 0b1111
        send FIXED | 0x45, 0
        call barrier
        who 0x45
        check "one's own id is a destination too", 0b0001
        send FIXED | 0x46, 9
        call barrier
        who 0x46
        check "an id that is nobody's", 0
        mov eax, [rbx + ICR]
        check "the ICR reads back, its delivery status 0", FIXED | TO_OTHERS | SYNC

        send FIXED | 0x60, 2
        call barrier
        call barrier
        who 0x47
        check "all but self, sent by processor 2", 0b1011

        send NMI | TO_OTHERS
        call barrier
        who 2
        check "NMI to all but self", 0b1110
        send NMI | 0x48, 1
        call barrier
        who 2
        check "NMI to processor 1 has vector 2, not its own", 0b0010

%ifndef QEMU
        send NMI | TO_SELF
        send NMI | TO_ALL
        call barrier
        who 2
        check "NMI cannot have the shorthands self and all", 0
        send INIT | TO_SELF
        send INIT | TO_ALL
        call barrier
        check "nor can INIT: all three answer still", 3
        mov eax, [ARRIVED]
        check "and none has started anew", 3
%endif
        ; INIT, level-triggered, de-assert: the old way to end an INIT.
        send (INIT | TO_OTHERS) & ~0x4000 | 0x8000
        call barrier
        check "INIT de-assert is no INIT", 3
        ret

from_ap:
        send FIXED | TO_OTHERS | 0x47
        jmp end_interrupt
