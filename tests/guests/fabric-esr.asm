; fabric-esr: the error status register, which shows nothing until it is written,
; and the error entry of the local vector table.
;
; SDM Vol. 3A "Error Handling"; "Valid Interrupt Vectors".
; QEMU never latches errors, so it is no second opinion here.
%define PROCESSORS 2
%include "fabric.inc"
%include "fabric-devices.inc"

SEND        equ 1 << 5          ; errors: an illegal vector sent,
RECEIVED    equ 1 << 6          ; received, or in a LVT entry,
NO_REGISTER equ 1 << 7          ; an offset without a register

%macro latch 0                  ; eax = the errors since the last time
        mov dword [rbx + ESR], 0
        mov eax, [rbx + ESR]
%endmacro
%macro errors_seen 0            ; eax = how often the error entry's vector came
        call let_in
        movzx eax, byte [rbp + COUNTS + 0x45]
        mov byte [rbp + COUNTS + 0x45], 0
%endmacro

main:
        mov dword [rbx + SVR], ON
        on 0x40, count
        on 0x45, count
        on 0x46, count
        mov eax, [rbx + ESR]
        check "after reset there is no error", 0

        ; Write, then read.
        mov eax, [rbx + 0x040]
        check "an offset without a register reads 0", 0
        mov eax, [rbx + ESR]
        check "before the ESR is written, it shows nothing", 0
        mov dword [rbx + ESR], 0
        mov eax, [rbx + ESR]
        check "written, it shows the illegal register", NO_REGISTER
        mov eax, [rbx + ESR]
        check "and again, for reading clears nothing", NO_REGISTER
        latch
        check "the next write does", 0
        mov dword [rbx + 0x3F0], 0
        mov dword [rbx + ESR], 0xFFFFFFFF
        mov eax, [rbx + ESR]
        check "a write to such an offset is an error; any value latches", NO_REGISTER
        latch

        ; Illegal vectors sent.
        send FIXED | 0x0F, 1
        latch
        check "an IPI with vector 15 is a send error", SEND
        send FIXED | 0x10, 9
        latch
        check "vector 16 is none, nor is an id that is nobody's", 0
        send FIXED | 0x00, 1
        mov eax, [rbx + 0x040]
        latch
        check "two errors are two bits", SEND | NO_REGISTER
        send NMI | 0x00, 9
        latch
        check "an NMI needs no vector", 0
        send STARTUP | 0x08, 9
        latch
        check "a SIPI's vector is none", 0

        ; Illegal vectors received.
        mov dword [rbx + LVT_TIMER], MASKED | 0x0F
        latch
        check "writing LVT timer with vector 15 is a receive error", RECEIVED
        mov dword [rbx + LVT_TIMER], MASKED | 0x10
        latch
        check "vector 16 is none", 0
        mov dword [rbx + LVT_PERF], MASKED | 0x400
        latch
        check "nor vector 0 in mode NMI", 0
        mov dword [rbx + DIVIDE], 0b1011
        mov dword [rbx + LVT_TIMER], 0x05
        latch
        mov dword [rbx + INITIAL], 200
        mov ecx, 4000
        loop $
        latch
        check "the timer that fires vector 5 is a receive error", RECEIVED
        mov dword [rbx + LVT_TIMER], MASKED | 0x40
        set_whom UART_PIN, 0
        set_pin UART_PIN, 0x0A
        line_up
        line_down
        set_pin UART_PIN, MASKED
        latch
        check "so is a message of the IOAPIC with vector 10", RECEIVED
        all_bits IRR
        check "none of them is in the IRR", 0

        ; The error entry.
        mov dword [rbx + LVT_ERROR], 0x45
        mov eax, [rbx + 0x040]
        read_bit IRR, 0x45
        check "an error sends the error entry's vector", 1
        errors_seen
        check "which comes", 1
        mov eax, [rbx + 0x040]
        errors_seen
        check "the same error again does not, until the ESR is written", 0
        latch
        mov eax, [rbx + 0x040]
        errors_seen
        check "then it does", 1
        latch
        send FIXED | 0x0F, 1
        errors_seen
        check "a send error sends it, too", 1
        latch
        mov dword [rbx + LVT_ERROR], MASKED | 0x45
        mov eax, [rbx + 0x040]
        errors_seen
        check "masked, the entry sends nothing", 0
        mov dword [rbx + LVT_ERROR], 0x45
        errors_seen
        check "and to unmask it brings nothing back", 0
        latch
        check "but the ESR has it", NO_REGISTER

        ; Each processor has its own.
        call start_aps
        mov qword [ERRAND], blunder
        send FIXED | ON_ALL, 1
        call barrier
        latch
        check "an error of the AP's is not the BSP's", 0
        movzx eax, byte [OWN_PAGES + 0x1000 + COUNTS + 0x46]
        check "its own error entry's vector came there", 1
        movzx eax, byte [OWN_PAGES + COUNTS + 0x46]
        check "and not here", 0
        mov eax, [OWN_PAGES + 0x1000 + 0x200]
        check "its ESR has the error", NO_REGISTER

        ; x2APIC mode, if it can be had.
        mov ecx, APIC_BASE
        rdmsr
        or eax, 1 << 10
        faults wrmsr
        mov ecx, APIC_BASE
        rdmsr
        bt eax, 10
        jnc no_x2apic
        mov byte [rbp + WIDE], 1
        mov ecx, X2APIC + ICR / 16
        mov eax, FIXED | 0x0F
        mov edx, 1
        wrmsr
        call latch_wide
        check "x2APIC: an IPI with vector 15 is a send error", SEND
        mov ecx, X2APIC + 0x3F0 / 16
        mov eax, 0x0F
        xor edx, edx
        wrmsr
        call latch_wide
        and eax, SEND
        check "so is SELF IPI", SEND
        mov ecx, X2APIC + 0x040 / 16
        faults rdmsr
        check "an MSR without a register is #GP(0)", 0
        call latch_wide
        check "and no error", 0
no_x2apic:
        ret

; AP: an error.
blunder:
        mov dword [rbx + LVT_ERROR], 0x46
        mov eax, [rbx + 0x040]
        latch
        mov [rbp + 0x200], eax
        ret

; eax = the errors since the last time, in x2APIC mode.
latch_wide:
        mov ecx, X2APIC + ESR / 16
        xor eax, eax
        xor edx, edx
        wrmsr
        rdmsr
        ret
