; fabric-lines: it sleeps, and somebody else moves the lines: pins 9 (a level) and 10
; (edges) of the IOAPIC, LINT0, LINT1, messages. Vector 0x53 ends it.
;
; Intel 82093AA "I/O Redirection Table Registers"; SDM Vol. 3A "Local Vector Table",
; "Message Signalled Interrupts".
; QEMU has nobody to move them.
%include "fabric.inc"
%include "fabric-devices.inc"

DONE        equ SHARED + 0x80

%macro count_of 1               ; eax = how often a vector came
        movzx eax, byte [rbp + COUNTS + (%1)]
%endmacro

main:
        mov dword [rbx + SVR], ON
        on 0x41, count
        on 0x52, count
        on 0x53, stop
        on 0x55, count
        on 0x61, note
        on 0x71, note
        on 2, count_nmi
        mov dword [rbx + LVT_LINT0], 0x55
        mov dword [rbx + LVT_LINT1], 0x400
        set_whom 9, 0
        set_pin 9, LEVEL | 0x52
        set_whom 10, 0
        set_pin 10, 0x41
.sleep: sti
        hlt
        cli
        cmp dword [DONE], 0
        je .sleep

        count_of 0x41
        check "two edges", 2
        count_of 0x52
        check "a level, again and again", 3, 255
        get_pin 9
        check "and it is over", LEVEL | 0x52
        count_of 0x55
        check "LINT0 of mode fixed, pulsed", 1
        count_of 2
        check "LINT1 of mode NMI, pulsed", 1
        mov rax, [ORDER]
        check "two messages at once: the higher class first", 0x7161
        all_bits IRR
        check "nothing waits", 0
        all_bits ISR
        check "and nothing is in service", 0
        ret

stop:   mov dword [DONE], 1
        jmp end_interrupt
