; irq-why: planted faults, each followed by the same without it. At `ask` the guest
; writes the number of the scene to a port that nobody serves: there one may ask.
;
; SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode", "EOI Register", "Task and Processor
; Priorities"; Intel 82093AA "I/O Redirection Table Registers"; 8259A "Interrupt
; Sequence".
%include "fabric.inc"
%include "fabric-devices.inc"

DOUBLE      equ SHARED + 0x80   ; `level` is to send an IPI with its own vector
ONE_SHOT    equ 0x40
PERIODIC    equ 1 << 17 | 0x40
DEADLINE    equ 1 << 18 | 0x40
FOR_EVER    equ 0xF0000000
TSC_DEADLINE equ 0x6E0

%macro ask 1                    ; the number of the scene
        mov al, %1
        out 0x99, al
%endmacro

main:   mov dword [rbx + SVR], ON
        on 0x40, count
        on 0x52, level
        on 0x61, silent
        on 0x62, count
        on 0x37, count_pic
        mov dx, 0x3FC
        mov al, 8
        out dx, al                      ; MCR: OUT2, which lets the line out

; The timer (0x40).
        mov dword [rbx + LVT_TIMER], DEADLINE
count_ignored:
        mov dword [rbx + INITIAL], 3000
        ask 1                           ; the count is ignored in that mode
mode_changed:
        mov dword [rbx + LVT_TIMER], PERIODIC
        ask 2                           ; and is not made up for by the mode
        mov dword [rbx + INITIAL], FOR_EVER
        ask 3                           ; sound
disarmed:
        mov dword [rbx + LVT_TIMER], DEADLINE
        ask 4                           ; the mode disarmed what ran
        mov ecx, TSC_DEADLINE
        mov eax, -1
        mov edx, 0x7FFF
        wrmsr
        ask 5                           ; sound
        mov dword [rbx + LVT_TIMER], ONE_SHOT
deadline_ignored:
        mov ecx, TSC_DEADLINE
        wrmsr
        ask 6                           ; the deadline is ignored in that mode
        mov dword [rbx + INITIAL], 100
        mov ecx, 300
.wait:  loop .wait
        call let_in
        ask 7                           ; it has fired, once
        mov dword [rbx + LVT_TIMER], MASKED | ONE_SHOT
        mov dword [rbx + INITIAL], 100
        mov ecx, 300
.lost:  loop .lost
        mov dword [rbx + LVT_TIMER], ONE_SHOT
        ask 8                           ; it fired while it was masked

; The IOAPIC (0x52, the UART's line).
        set_whom UART_PIN, 0
        set_pin UART_PIN, MASKED | 0x52
        line_up
        set_pin UART_PIN, 0x52
        ask 9                           ; its edge came while it was masked
        line_down
        line_up
        call let_in
        ask 10                          ; sound: delivered
        line_down
        mov byte [DOUBLE], 1
        set_pin UART_PIN, LEVEL | 0x52
        line_up
        call let_in
        call let_in
        ask 11                          ; an IPI made an edge of the level
        set_pin UART_PIN, MASKED | 0x52
        line_down
        set_pin UART_PIN, LEVEL | 0x52
        line_up
        call let_in
        ask 12                          ; sound: its EOI has come back
        set_pin UART_PIN, MASKED | 0x52

; Priority (0x62 below 0x61 in service).
        self 0x61
        call let_in
        self 0x62
        sti
        nop
        ask 13                          ; no EOI of 0x61
        cli
        call end_interrupt
        call let_in
        ask 14                          ; sound: 0x62 delivered
        self 0x62
        ask 15                          ; IF is 0
        call let_in

; The 8259 pair (IRQ 7, vector 0x37).
        pic 0x20, 0x11
        pic 0x21, 0x30
        pic 0x21, 4
        pic 0x21, 1
        pic 0x21, 0xFB
        mov dword [rbx + LVT_LINT0], 0x700
        ask 16                          ; here LINT0 is pulsed by hand
        call let_in
        ask 17                          ; it was spurious
        ret

; A level that goes down when it is served, and with DOUBLE an IPI in between.
level:  cmp byte [DOUBLE], 0
        je .down
        mov byte [DOUBLE], 0
        self 0x52
        jmp end_interrupt
.down:  inc byte [rbp + COUNTS + rax]
        push rax
        line_down
        pop rax
        jmp end_interrupt

silent: ret                             ; no EOI

count_pic:
        inc byte [rbp + COUNTS + rax]
        ret
