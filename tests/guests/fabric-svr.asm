; fabric-svr: a local APIC that software has switched off by SVR bit 8, and what
; it does all the same.
;
; SDM Vol. 3A "Local APIC State After It Has Been Software Disabled", "Local APIC
; State After Power-Up or Reset".
; Of a switched off APIC QEMU knows only what is sent: it agrees on NMI, INIT, SIPI
; and what the APIC itself sends, and on the values after reset but LINT0's.
%define PROCESSORS 2
%include "fabric.inc"

OFF         equ 0x0FF

main:
        ; After reset.
        mov eax, [rbx + SVR]
        check "after reset the APIC is off, its spurious vector 0xFF", OFF
        mov eax, [rbx + LVT_TIMER]
        check "and LVT timer is masked", MASKED
%ifndef QEMU
        mov eax, [rbx + LVT_LINT0]
        check "so is LINT0", MASKED
%endif
        mov eax, [rbx + LVT_LINT1]
        check "so is LINT1", MASKED
        mov eax, [rbx + LVT_ERROR]
        check "so is the error entry", MASKED
        mov dword [rbx + LVT_TIMER], 0x40
        mov eax, [rbx + LVT_TIMER]
        check "off, a write cannot unmask", MASKED | 0x40
        mov dword [rbx + SVR], ON
        mov eax, [rbx + LVT_TIMER]
        check "switched on, it stays masked", MASKED | 0x40
        mov dword [rbx + LVT_TIMER], 0x40
        mov eax, [rbx + LVT_TIMER]
        check "until it is written again", 0x40

        ; Off: every entry is masked.
        on 0x40, note
        on 0x41, note
        on 0x42, note
        on 2, count_nmi
        mov dword [rbx + LVT_THERMAL], 0x44
        mov dword [rbx + LVT_PERF], 0x400
        mov dword [rbx + LVT_LINT0], 0x45
        mov dword [rbx + LVT_LINT1], 0x400
        mov dword [rbx + LVT_ERROR], 0x46
        mov dword [rbx + DIVIDE], 0b1011        ; by 1
        mov dword [rbx + INITIAL], 3000
        mov dword [rbx + SVR], OFF
        mov eax, [rbx + LVT_TIMER]
        check "SVR off masks the timer", MASKED | 0x40
        mov eax, [rbx + LVT_THERMAL]
        check "and the thermal sensor", MASKED | 0x44
        mov eax, [rbx + LVT_PERF]
        check "and the performance counters", MASKED | 0x400
        mov eax, [rbx + LVT_LINT0]
        check "and LINT0", MASKED | 0x45
        mov eax, [rbx + LVT_LINT1]
        check "and LINT1", MASKED | 0x400
        mov eax, [rbx + LVT_ERROR]
        check "and errors", MASKED | 0x46
        mov dword [rbx + LVT_PERF], 0x47
        mov eax, [rbx + LVT_PERF]
        check "what is written then is masked, too", MASKED | 0x47

        self 0x41
        send FIXED | TO_ALL | 0x41
        read_bit IRR, 0x41
        check "off, it takes no vector", 0
        mov ecx, 4000
        loop $                          ; the timer has run out long since
        call let_in
        mov rax, [ORDER]
        check "nor does the timer interrupt", 0
        send NMI, 0
        nop
        movzx eax, byte [rbp + COUNTS + 2]
        check "but an NMI", 1

        mov dword [rbx + SVR], ON
        mov eax, [rbx + LVT_LINT0]
        check "on again, LINT0 is still masked", MASKED | 0x45
        mov eax, [rbx + LVT_TIMER]
        check "and the timer", MASKED | 0x40
        call let_in
        mov rax, [ORDER]
        check "what was sent meanwhile is lost", 0
        self 0x41
        call let_in
        mov rax, [ORDER]
        check "and what is sent now comes", 0x41

        ; What is in the IRR and the ISR.
        mov qword [ORDER], 0
        self 0x42
        mov dword [rbx + SVR], OFF
        read_bit IRR, 0x42
        check "the IRR keeps what it had", 1
%ifndef QEMU
        call let_in
        mov rax, [ORDER]
        check "and the processor gets it, with the APIC off", 0x42
%endif
        mov dword [rbx + SVR], ON
        call let_in
        mov qword [ORDER], 0

        ; The AP: off, it takes NMI and INIT and SIPI, and sends.
        on 0x50, count
        on 0x51, count
        call start_aps
        mov eax, switch_off
        call on_all
        send FIXED | 0x50, 1
        send NMI, 1
        mov ecx, 2000
.nmi:   pause
        cmp byte [OWN_PAGES + 0x1000 + COUNTS + 2], 0
        loope .nmi
        movzx eax, byte [OWN_PAGES + 0x1000 + COUNTS + 2]
        check "the AP, off, takes an NMI", 1
        send INIT, 1
        mov ecx, 2000
.init:  pause
        loop .init
        send STARTUP | (TRAMPOLINE >> 12), 1
        mov ecx, 2000
.sipi:  pause
        cmp dword [ARRIVED], 2
        loopne .sipi
        mov eax, [ARRIVED]
        check "and INIT and SIPI, and starts anew", 2
        call let_in
        who 0x50
        check "it never had the vector", 0
        who 0x51
        check "the one that it sent came", 0b01
        ret

; AP: switch off, and send from there.
switch_off:
        cmp ebp, OWN_PAGES
        je .bsp
        mov dword [rbx + SVR], OFF
        send FIXED | 0x51, 0
.bsp:   ret
