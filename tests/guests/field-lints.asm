; field-lints: what each lint is for, and what nearly is that and must not be found.
;
; The test writes a number to CHOICE before it starts the guest: one of `choices`,
; which come in pairs, first what is found. Two processors; on none of them more
; happens than what stands here.
%define PROCESSORS 2
%include "fabric.inc"

CHOICE      equ SHARED + 0xF0
COM1        equ 0x3F8
IER         equ COM1 + 1        ; interrupt enable: bit 1, the transmitter is empty
IIR         equ COM1 + 2        ; to read it takes that interrupt back
MCR         equ COM1 + 4        ; bit 3, OUT2, leads the interrupt out
IOAPIC      equ 0xFEC00000
WINDOW      equ 0x10
UART_PIN    equ 4
LEVEL       equ 1 << 15         ; of a redirection entry
PERIODIC    equ 1 << 17         ; of LVT timer
BY_TSC      equ 2 << 17
DEADLINE    equ 0x6E0           ; MSR
GDT         equ 0xE000          ; with two TSS descriptors at TSS_SELECTOR
TSS_SELECTOR equ 0x40
TSS         equ 0xE800          ; two of them, 0x100 apart
NMI_STACK   equ 0x2F000         ; its end
NESTED      equ SHARED + 0xF8

%macro icr 1-2 0                ; low half, destination: two stores and no more
        mov dword [rbx + ICR_HIGH], (%2) << 24
        mov dword [rbx + ICR], %1
%endmacro

%macro pin 1                    ; entry of the UART's pin, to APIC id 0
        mov dword [rdi], 0x11 + 2 * UART_PIN
        mov dword [rdi + WINDOW], 0
        mov dword [rdi], 0x10 + 2 * UART_PIN
        mov dword [rdi + WINDOW], %1
%endmacro

%macro outb 2
        mov edx, %1
        mov al, %2
        out dx, al
%endmacro

%macro wrmsr_to 2               ; MSR, value
        mov ecx, %1
        mov eax, %2
        xor edx, edx
        wrmsr
%endmacro

main:
        mov dword [rbx + SVR], ON
        mov edi, IOAPIC
        on 0x41, count
        on 0x42, count
        movzx eax, byte [CHOICE]
        jmp [choices + rax * 8]

; One processor starts the other.

init_level_clear:
        icr 0x500, 1
        ret
init_deassert:
        icr 0x8500, 1
        send INIT, 1
        ret

sipi_level_clear:
        send INIT, 1
        send 0x600 | (TRAMPOLINE >> 12), 1
        ret
sipi_asserted:
        jmp start_aps

; Its SIPI is delayed by the test.
start_late:
        mov esi, ap_start
        mov edi, TRAMPOLINE
        mov ecx, ap_end - ap_start
        rep movsb
        send INIT, 1
        send STARTUP | (TRAMPOLINE >> 12), 1
        ret
code_changed:
        call start_late
        mov byte [TRAMPOLINE + 1], 0xF4
        jmp wait_long
data_changed:
        call start_late
        mov dword [TRAMPOLINE + 0x800], 0xF4F4F4F4
wait_long:
        mov ecx, 1000000
.wait:  loop .wait
        ret

starts_in_zeros:
        mov dword [TRAMPOLINE + 0x40], 0xFEEBFA ; cli; jmp $
        send INIT, 1
        send STARTUP | (TRAMPOLINE >> 12), 1
        jmp wait_long
starts_before_zeros:
        mov dword [TRAMPOLINE], 0xFEEBFA
        send INIT, 1
        send STARTUP | (TRAMPOLINE >> 12), 1
        jmp wait_long

faults_in_zeros:
        mov eax, 0x7FFFFFFF             ; where nothing is mapped
        mov rcx, 0x0000400000000000
        or rax, rcx
        mov ecx, TRAMPOLINE             ; zeros: add [rax], al
        jmp rcx
faults_in_code:
        mov eax, 0x7FFFFFFF
        mov rcx, 0x0000400000000000
        or rax, rcx
        add [rax], al
        ret

; IPIs.

icr_twice:
        icr FIXED | TO_SELF | 0x41
        icr FIXED | TO_SELF | 0x42
        ret
icr_looked_at:
        icr FIXED | TO_SELF | 0x41
        mov eax, [rbx + ICR]
        icr FIXED | TO_SELF | 0x42
        ret

by_id:  icr FIXED | 0x41, 0
        ret
by_shorthand:
        icr FIXED | TO_SELF | 0x41
        ret

same_ldr:
        mov dword [rbx + LDR], 1 << 24
        ret
own_ldr:
        mov ecx, [rbx + ID]
        shr ecx, 24
        mov eax, 1 << 24
        shl eax, cl
        mov [rbx + LDR], eax
        ret
logical_shared:
        call start_aps
        mov eax, same_ldr
        call on_all
        send FIXED | LOGICAL | 0x41, 1
        jmp barrier
logical_unique:
        call start_aps
        mov eax, own_ldr
        call on_all
        send FIXED | LOGICAL | 0x41, 3
        jmp barrier

msr_early:
        mov ecx, X2APIC + ID / 16
        faults rdmsr
        ret
msr_in_time:
        mov ecx, APIC_BASE
        rdmsr
        or ah, 4
        wrmsr
        mov byte [rbp + WIDE], 1
        mov ecx, X2APIC + ID / 16
        faults rdmsr
        ret

low_ipi:
        icr FIXED | TO_SELF | 0x0F
        ret
low_masked:
        mov dword [rbx + LVT_TIMER], MASKED | 0x0F
        mov dword [rbx + INITIAL], 100
        icr FIXED | TO_SELF | 0x10
        jmp wait_long

low_timer:
        mov dword [rbx + LVT_TIMER], 0x0F
        mov dword [rbx + INITIAL], 100
        jmp wait_long

timer_and_ipi:
        mov dword [rbx + LVT_TIMER], 0x41
        mov dword [rbx + INITIAL], 100
        sti
        icr FIXED | TO_SELF | 0x41
        jmp wait_long
timer_beside_ipi:
        mov dword [rbx + LVT_TIMER], 0x41
        mov dword [rbx + INITIAL], 100
        sti
        icr FIXED | TO_SELF | 0x42
        jmp wait_long

; In service, and asleep.

deaf:   mov dword [rbx + LVT_TIMER], 0x41
        mov dword [rbx + INITIAL], 1000
        cli
        hlt
parked: mov dword [rbx + LVT_TIMER], MASKED | 0x41
        mov dword [rbx + INITIAL], 1000
        cli
        hlt

no_end: ret
edge_open:
        on 0x41, no_end
        sti
        icr FIXED | TO_SELF | 0x41
        hlt
edge_ended:
        sti
        icr FIXED | TO_SELF | 0x41
        hlt

; A handler that is over, and one that is interrupted from below.
handler_over:
        on 0x41, no_end
        sti
        icr FIXED | TO_SELF | 0x41
        nop
        icr FIXED | TO_SELF | 0x42
        ret
from_within:
        icr FIXED | TO_SELF | 0x42
        jmp end_interrupt
handler_on:
        on 0x41, from_within
        sti
        icr FIXED | TO_SELF | 0x41
        nop
        ret

; The 8254 through the 8259, as ExtINT: ticks of 0.2 ms are taken, then not any more.
end_pic:
        outb 0x20, 0x20
        ret
ticks_by_pic:
        on 0x60, end_pic
        mov dword [rbx + LVT_LINT0], 0x700
        outb 0x20, 0x11
        outb 0x21, 0x60
        outb 0x21, 4
        outb 0x21, 1
        outb 0x21, 0xFE
        outb 0x43, 0x34
        outb 0x40, 0
        outb 0x40, 1
        sti
        call wait_long
        cli
        ret
deaf_to_pic:
        call ticks_by_pic
        call wait_long
        hlt
parked_from_pic:
        call ticks_by_pic
        mov dword [rbx + LVT_LINT0], MASKED | 0x700
        call wait_long
        hlt

; Ticks of 11 ms: the handler of the first takes longer.
linger: mov ecx, 15000000
.wait:  loop .wait
        ret
tick_waits:
        on 0x41, linger
tick:   mov dword [rbx + LVT_TIMER], PERIODIC | 0x41
        mov dword [rbx + DIVIDE], 0b1011
        mov dword [rbx + INITIAL], 11000000
        sti
        mov ecx, 25000000
.wait:  loop .wait
        cli
        ret

; The UART's pin.

serve_late:
        call end_interrupt
        outb IER, 0
        ret
serve_first:
        mov edx, IIR
        in al, dx
        jmp end_interrupt
ended_early:
        on 0x43, serve_late
        jmp level
ended_late:
        on 0x43, serve_first
level:  pin LEVEL | 0x43
        sti
        outb MCR, 8
        outb IER, 2
        jmp wait_long

edge_behind_mask:
        on 0x43, serve_first
        pin MASKED | 0x43
        outb MCR, 8
        outb IER, 2
        pin 0x43
        sti
        hlt
edge_let_in:
        on 0x43, serve_first
        pin 0x43
        sti
        outb MCR, 8
        outb IER, 2
        hlt

; The timer.

count_dropped:
        mov dword [rbx + INITIAL], 100000
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x41
        ret
count_stopped:
        mov dword [rbx + INITIAL], 100000
        mov dword [rbx + INITIAL], 0
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x41
        ret

count_before_mode:
        mov dword [rbx + INITIAL], 1000
        mov dword [rbx + LVT_TIMER], PERIODIC | 0x41
        jmp wait_long
count_behind_mode:
        mov dword [rbx + LVT_TIMER], PERIODIC | 0x41
        mov dword [rbx + INITIAL], 1000
        jmp wait_long

count_ignored:
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x41
        mov dword [rbx + INITIAL], 0
        mov dword [rbx + INITIAL], 3000
        ret
count_taken:
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x41
        mov dword [rbx + INITIAL], 0
        mov dword [rbx + LVT_TIMER], MASKED | 0x41
        mov dword [rbx + INITIAL], 3000
        ret

deadline_dropped:
        mov dword [rbx + LVT_TIMER], 0x41
        wrmsr_to DEADLINE, 0x7FFFFFFF
        ret
deadline_taken:
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x41
        wrmsr_to DEADLINE, 0x7FFFFFFF
        wrmsr_to DEADLINE, 0
        ret

measure:
        mov dword [rbx + LVT_TIMER], MASKED | 0x41
        mov dword [rbx + INITIAL], 0xFFFFFFFF
        ret
measured_open:
        sti
        call measure
        icr FIXED | TO_SELF | 0x42
        mov dword [rbx + INITIAL], 0
        ret
measured_closed:
        call measure
        icr FIXED | TO_SELF | 0x42
        mov dword [rbx + INITIAL], 0
        sti
        nop
        ret

measured_twice:
        sti
        call measure
        icr FIXED | TO_SELF | 0x42
        icr FIXED | TO_SELF | 0x41
        icr FIXED | TO_SELF | 0x41
        mov dword [rbx + INITIAL], 0
        ret
measured_by_ticks:
        sti
        call measure
        icr FIXED | TO_SELF | 0x41
        icr FIXED | TO_SELF | 0x42
        icr FIXED | TO_SELF | 0x41
        icr FIXED | TO_SELF | 0x41
        mov dword [rbx + INITIAL], 0
        ret

; TSS and stacks.

load_tss:
        lgdt [tables]
        mov eax, [rbx + ID]
        shr eax, 20                     ; 16 bytes a descriptor
        add eax, TSS_SELECTOR
        ltr ax
        ret
%macro tss 2                    ; number, address
        mov dword [GDT + TSS_SELECTOR + 16 * (%1)], ((%2) & 0xFFFF) << 16 | 0xFF
        mov dword [GDT + TSS_SELECTOR + 16 * (%1) + 4], 0x8900 | ((%2) >> 16)
%endmacro
copy_gdt:
        sgdt [tables]
        mov rsi, [tables + 2]
        mov edi, GDT
        mov ecx, TSS_SELECTOR
        rep movsb
        mov word [tables], 0xFF
        mov qword [tables + 2], GDT
        tss 0, TSS
        tss 1, TSS + 0x100
        ret
tss_shared:
        call start_aps
        call copy_gdt
        tss 1, TSS
        mov eax, load_tss
        call on_all
        jmp barrier
tss_own:
        call start_aps
        call copy_gdt
        mov eax, load_tss
        call on_all
        jmp barrier

; An NMI in the handler of an NMI: at once behind an IRET, or when the first is over.
unblock:
        mov rax, rsp
        push 0x18
        push rax
        pushfq
        push 0x10
        push .on
        iretq
.on:    ret
nest:   inc dword [NESTED]
        cmp dword [NESTED], 1
        jne .done
        call unblock
        icr NMI, 0
        nop
.done:  ret
follow: inc dword [NESTED]
        cmp dword [NESTED], 1
        jne .done
        icr NMI, 0
        nop
.done:  ret
nmi_nests:
        on 2, nest
        jmp nmi
nmi_follows:
        on 2, follow
nmi:    call copy_gdt
        call load_tss
        mov qword [TSS + 0x24], NMI_STACK
        mov byte [IDT + 2 * 16 + 4], 1
        icr NMI, 0
        nop
        ret

        section .data
tables: times 10 db 0
        align 8
choices:
        dq init_level_clear, init_deassert
        dq sipi_level_clear, sipi_asserted
        dq code_changed, data_changed
        dq starts_in_zeros, starts_before_zeros
        dq faults_in_zeros, faults_in_code
        dq icr_twice, icr_looked_at
        dq by_id, by_shorthand
        dq logical_shared, logical_unique
        dq msr_early, msr_in_time
        dq low_ipi, low_masked
        dq low_timer, low_masked
        dq timer_and_ipi, timer_beside_ipi
        dq deaf, parked
        dq edge_open, edge_ended
        dq tick_waits, tick
        dq ended_early, ended_late
        dq edge_behind_mask, edge_let_in
        dq count_dropped, count_stopped
        dq deadline_dropped, deadline_taken
        dq measured_open, measured_closed
        dq measured_twice, measured_by_ticks
        dq tss_shared, tss_own
        dq nmi_nests, nmi_follows
        dq count_before_mode, count_behind_mode
        dq handler_over, handler_on
        dq deaf_to_pic, parked_from_pic
        dq count_ignored, count_taken
