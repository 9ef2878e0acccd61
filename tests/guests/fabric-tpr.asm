; fabric-tpr: what the task priority holds back, CR8, and the boundaries between
; instructions at which an interrupt is not taken: after STI, after MOV SS.
;
; SDM Vol. 3A "Task Priority in IA-32e Mode", "Task and Processor Priorities",
; "Masking Exceptions and Interrupts When Switching Stacks"; Vol. 2B "STI".
; QEMU agrees, but that MOV CR8 never faults for it (left out there).
%include "fabric.inc"

TICKS       equ SHARED + 0x80   ; of the timer
PLACES      equ SHARED + 0x88   ; bit n: one came n bytes into the loop

main:
        mov dword [rbx + SVR], ON
        on 0x41, note
        on 0x5F, note
        on 0x61, note

        ; CR8 is TPR bits 7:4.
        mov eax, 5
        mov cr8, rax
        mov eax, [rbx + TPR]
        check "CR8 = 5 is TPR = 0x50", 0x50
        mov eax, [rbx + PPR]
        check "and PPR = 0x50", 0x50
        sti
        self 0x5F
        self 0x61
        nop
        mov rax, [ORDER]
        check "CR8 = 5 holds 0x5F back and lets 0x61 through", 0x61
        read_bit IRR, 0x5F
        check "0x5F waits in the IRR", 1
        mov eax, 4
        mov cr8, rax
lowered:
        nop
        cli
        mov rax, [ORDER]
        check "CR8 = 4 lets 0x5F through", 0x615F
        mov rax, [LAST_RIP]
        check "before the next instruction", lowered

        ; By the register; bits 3:0 are of no account for what comes through.
        mov qword [ORDER], 0
        mov dword [rbx + TPR], 0x5A
        mov rax, cr8
        check "TPR = 0x5A is CR8 = 5", 5
        mov eax, [rbx + PPR]
        check "and PPR = 0x5A", 0x5A
        sti
        self 0x5F
        nop
        mov rax, [ORDER]
        check "TPR = 0x5A holds 0x5F back", 0
        mov dword [rbx + TPR], 0x4F
stored: nop
        cli
        mov rax, [ORDER]
        check "TPR = 0x4F does not", 0x5F
        mov rax, [LAST_RIP]
        check "nor longer than the store that lowers it", stored
        on 0x61, keep_ppr
        mov dword [rbx + TPR], 0x3C
        self 0x61
        call let_in
        mov eax, [ORDER]
        check "in the handler of 0x61 with TPR = 0x3C the PPR is", 0x60
        mov eax, [rbx + PPR]
        check "after it", 0x3C
        mov dword [rbx + TPR], 0x45
        mov eax, 2
        mov cr8, rax
        mov eax, [rbx + TPR]
        check "MOV CR8 clears TPR bits 3:0", 0x20

        ; A TPR raised in a handler holds back what comes next, not what is served.
        mov qword [ORDER], 0
        mov dword [rbx + TPR], 0xF0
        self 0x61
        call let_in
        mov eax, [ORDER]
        check "TPR = 0xF0 holds everything back", 0
        mov eax, 15
        mov cr8, rax
        mov rax, cr8
        check "CR8 = 15 can be read back", 15
        xor eax, eax
        mov cr8, rax
        call let_in

%ifndef QEMU
        mov eax, 3
        mov cr8, rax
        mov eax, 16
        faults mov cr8, rax
        check "MOV CR8 of 16 is #GP(0)", 0
        mov rax, 1 << 63
        faults mov cr8, rax
        check "MOV CR8 of 1 << 63 is #GP(0)", 0
        mov rax, cr8
        check "and CR8 stays", 3
        xor eax, eax
        mov cr8, rax
%endif

        ; STI: not before the next instruction has been carried out.
        mov qword [ORDER], 0
        self 0x41
        sti
        nop
after_sti:
        nop
        cli
        mov rax, [LAST_RIP]
        check "STI lets nothing in before its next instruction is over", after_sti
        mov qword [ORDER], 0
        self 0x41
        sti
        cli
        nop
        mov rax, [ORDER]
        check "STI, CLI lets nothing in", 0
        sti
        hlt
after_hlt:
        cli
        mov rax, [ORDER]
        check "STI, HLT with a vector in the IRR goes on", 0x41
        mov rax, [LAST_RIP]
        check "after the HLT", after_hlt
        self 0x41
        pushf
        or dword [rsp], 1 << 9
        popf
after_popf:
        nop
        cli
        mov rax, [LAST_RIP]
        check "POPF has no such shadow", after_popf

        ; MOV SS: a timer meets every boundary of a loop, but for one.
        on 0x70, tick
        mov dword [rbx + DIVIDE], 0b1011        ; by 1
        mov dword [rbx + LVT_TIMER], 1 << 17 | 0x70     ; periodic
        mov eax, ss
        sti
        mov dword [rbx + INITIAL], 997
again:  mov ss, eax
shadow: nop
open:   nop
look:   cmp dword [TICKS], 200
jump:   jb again
        cli
        mov dword [rbx + INITIAL], 0
        mov rax, [PLACES]
        check "200 ticks: everywhere in a loop, but right after MOV SS", \
            1 << 0 | 1 << (open - again) | 1 << (look - again) | 1 << (jump - again)
        ret

keep_ppr:
        mov eax, [rbx + PPR]
        mov [ORDER], rax
        jmp end_interrupt

; Handler: count it, and note where in the loop.
tick:   inc dword [TICKS]
        mov rcx, [rsp + AT_RIP]
        sub rcx, again
        mov rax, [PLACES]
        bts rax, rcx
        mov [PLACES], rax
        mov ecx, [TICKS]                ; and take more time every 16 ticks, lest
        shr ecx, 4                      ; all end at the same place of the loop
        inc ecx
        loop $
        jmp end_interrupt
