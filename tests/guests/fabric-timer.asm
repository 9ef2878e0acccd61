; fabric-timer: the APIC timer in its three modes, measured with RDTSC.
;
; SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode". Counts and time-stamps run at
; different speeds in general: the guest measures the ratio first, and then says
; how many counts have gone by between two time-stamps.
; QEMU agrees; its TCG has no TSC-deadline mode.
%include "fabric.inc"

TICKS       equ SHARED + 0x80   ; of the timer, since `listen`
COUNTED     equ SHARED + 0x88   ; counts, in
TAKEN       equ SHARED + 0x90   ; so many time-stamps
STARTED     equ SHARED + 0x98   ; time-stamp of the start
HEARD       equ SHARED + 0x100  ; time-stamp of each tick, 8 bytes, 16 at most

DEADLINE    equ 0x6E0           ; MSR
PERIODIC    equ 1 << 17         ; of LVT timer
BY_TSC      equ 2 << 17
LATE        equ 80              ; counts that a handler takes to look, at most
EARLY       equ 8               ; counts that the ratio may be wrong by

%macro start 1                  ; initial count
        now
        mov [STARTED], rax
        mov dword [rbx + INITIAL], %1
%endmacro
%macro listen 1                 ; LVT timer
        mov dword [TICKS], 0
        mov dword [rbx + LVT_TIMER], %1
%endmacro
%macro wait_counts 1
        mov edi, %1
        call wait_for_counts
%endmacro
%macro counts_to 1              ; eax = counts from STARTED to that time-stamp
        mov rax, [%1]
        sub rax, [STARTED]
        call counts_in
%endmacro

main:
        mov dword [rbx + SVR], ON
        on 0x40, tick
        mov dword [rbx + DIVIDE], 0b1011        ; by 1

        ; The ratio.
        mov eax, [rbx + CURRENT]
        check "after reset the current count is 0", 0
        mov dword [rbx + LVT_TIMER], MASKED | 0x40
        start 0xFFFFFFFF
        mov esi, 1000000
        call wait_for_time
        mov r9d, [rbx + CURRENT]
        now
        sub rax, [STARTED]
        mov [TAKEN], rax
        not r9d
        mov [COUNTED], r9
        mov rax, r9
        check "masked, it counts all the same", 10000, 10000000

        ; One-shot.
        listen 0x40
        start 20000
        mov eax, [rbx + CURRENT]
        check "one-shot begins at the initial count", 20000 - LATE, 20000
        wait_counts 8000
        mov eax, [rbx + CURRENT]
        mov r8d, eax
        now
        sub rax, [STARTED]
        call counts_in
        add eax, r8d
        check "what has gone by and what is left are the whole", 20000 - LATE, 20000 + LATE
        mov eax, [rbx + INITIAL]
        check "the initial count stays", 20000
        mov eax, [TICKS]
        check "too early for an interrupt", 0
        sti
        hlt
        cli
        mov eax, [TICKS]
        check "it ends a HLT", 1
        counts_to HEARD
        check "after the initial count, by RDTSC", 20000 - EARLY, 20000 + LATE
        mov eax, [rbx + CURRENT]
        check "then the current count is 0", 0
        sti
        wait_counts 50000
        cli
        mov eax, [TICKS]
        check "and there is no second interrupt", 1

        ; Stopped, started anew, masked.
        listen 0x40
        start 5000
        mov dword [rbx + INITIAL], 0
        mov eax, [rbx + CURRENT]
        check "an initial count of 0 stops it", 0
        sti
        wait_counts 10000
        cli
        mov eax, [TICKS]
        check "for good", 0
        start 20000
        wait_counts 15000
        start 20000
        mov eax, [rbx + CURRENT]
        check "a new initial count starts it anew", 20000 - LATE, 20000
        sti
        hlt
        cli
        counts_to HEARD
        check "and counts from there", 20000 - EARLY, 20000 + LATE
        listen MASKED | 0x40
        start 5000
        wait_counts 10000
        mov eax, [rbx + CURRENT]
        check "masked, it runs out", 0
        mov dword [rbx + LVT_TIMER], 0x40
        call let_in
        mov eax, [TICKS]
        check "and to unmask brings nothing back", 0
        start 20000
        mov dword [rbx + LVT_TIMER], MASKED | 0x40
        wait_counts 5000
        mov dword [rbx + LVT_TIMER], 0x40
        sti
        hlt
        cli
        counts_to HEARD
        check "masked on the way and unmasked, it comes in time", 20000 - EARLY, 20000 + LATE
        listen 0x40
        start 5000
        wait_counts 10000
        read_bit IRR, 0x40
        check "with IF=0 it waits in the IRR", 1
        mov dword [rbx + LVT_TIMER], MASKED | 0x40
        call let_in
        mov eax, [TICKS]
        check "where a mask comes too late", 1

        ; Divide configuration: bits 3, 1 and 0; 0 is by 2, 7 is by 1.
        listen 0x40
%macro divided 3                ; by, raw, name
        mov dword [rbx + DIVIDE], %2
        start 1000
        sti
        hlt
        cli
        counts_to HEARD
        check %3, 1000 * (%1) - EARLY - (%1), 1000 * (%1) + LATE + (%1)
        mov dword [TICKS], 0
%endmacro
        divided 2, 0b0000, "divided by 2"
        divided 4, 0b0001, "divided by 4"
        divided 8, 0b0010, "divided by 8"
        divided 16, 0b0011, "divided by 16"
        divided 32, 0b1000, "divided by 32"
        divided 64, 0b1001, "divided by 64"
        divided 128, 0b1010, "divided by 128"
        divided 1, 0b1011, "divided by 1"

        ; Periodic.
        listen PERIODIC | 0x40
        start 10000
        sti
.period:
        hlt
        cmp dword [TICKS], 10
        jb .period
        cli
        mov eax, [rbx + CURRENT]
        check "periodic, it has begun again", 10000 - 2 * LATE, 10000
        counts_to HEARD
        check "the first period", 10000 - EARLY, 10000 + LATE
        counts_to HEARD + 9 * 8
        check "ten periods, and no drift", 100000 - EARLY, 100000 + LATE
        call widest
        check "no tick late", 10000 - LATE, 10000 + LATE
        mov dword [TICKS], 0
        wait_counts 35000               ; three periods with IF=0
        call let_in
        mov eax, [TICKS]
        check "what is missed with IF=0 is one interrupt", 1
        mov dword [rbx + INITIAL], 0
        mov dword [TICKS], 0
        sti
        wait_counts 25000
        cli
        mov eax, [TICKS]
        check "an initial count of 0 stops it, too", 0

        ; TSC-deadline.
        mov eax, 1
        push rbx
        cpuid
        pop rbx
        bt ecx, 24
        jnc no_deadline
        listen BY_TSC | 0x40
        mov dword [rbx + INITIAL], 5000
        mov eax, [rbx + CURRENT]
        check "by TSC deadline there is no count", 0
        mov edi, 30000
        call set_deadline
        call get_deadline
        sub rax, [STARTED]
        check "the deadline reads back", 30000
        sti
        hlt
        cli
        mov eax, [TICKS]
        check "by TSC deadline it ends a HLT", 1
        mov rax, [HEARD]
        sub rax, [STARTED]
        check "at the deadline, by RDTSC", 30000, 30000 + LATE
        call get_deadline
        check "and then the deadline is 0", 0
        mov dword [TICKS], 0
        mov edi, -1000
        call set_deadline
        call let_in
        mov eax, [TICKS]
        check "a deadline that has passed comes at once", 1
        call get_deadline
        check "and is 0, too", 0
        mov dword [TICKS], 0
        mov edi, 5000
        call set_deadline
        mov edi, 40000
        call set_deadline
        sti
        hlt
        cli
        mov rax, [HEARD]
        sub rax, [STARTED]
        check "the last of two deadlines counts", 40000, 40000 + LATE
        mov dword [TICKS], 0
        mov edi, 5000
        call set_deadline
        xor eax, eax
        xor edx, edx
        wrmsr
        sti
        wait_counts 10000
        cli
        mov eax, [TICKS]
        check "a deadline of 0 disarms it", 0
        mov edi, 5000
        call set_deadline
        mov dword [rbx + LVT_TIMER], 0x40
        call get_deadline
        check "so does leaving the mode", 0
        mov edi, 5000
        call set_deadline
        call get_deadline
        check "outside of which a deadline is ignored", 0
        mov dword [rbx + LVT_TIMER], MASKED | BY_TSC | 0x40
        mov edi, 5000
        call set_deadline
        wait_counts 10000
        mov dword [rbx + LVT_TIMER], BY_TSC | 0x40
        sti
        wait_counts 10000
        cli
        mov eax, [TICKS]
        check "masked, the deadline passes without an interrupt", 0
        mov edi, 200000
        call set_deadline
        mov ecx, 0x10                   ; IA32_TIME_STAMP_COUNTER
        now
        add rax, 190000
        mov rdx, rax
        shr rdx, 32
        wrmsr
        now
        mov [STARTED], rax
        sti
        hlt
        cli
        mov rax, [HEARD]
        sub rax, [STARTED]
        check "a new time-stamp brings it nearer", 10000 - LATE, 10000 + LATE
        ret

no_deadline:
%ifndef QEMU
        mov dword [rbx + LVT_TIMER], MASKED | BY_TSC | 0x40
        mov eax, [rbx + LVT_TIMER]
        check "without TSC-deadline mode its bit of LVT timer is reserved", MASKED | 0x40
        mov ecx, DEADLINE
        faults rdmsr
        check "and there is no such MSR", 0
%endif
        ret

; Handler: note the time of a tick.
tick:   now
        mov ecx, [TICKS]
        cmp ecx, 16
        jae .end
        mov [HEARD + rcx * 8], rax
.end:   inc dword [TICKS]
        jmp end_interrupt

; eax = the counts in rax time-stamps.
counts_in:
        mul qword [COUNTED]
        div qword [TAKEN]
        ret

; Wait for edi counts, without HLT.
wait_for_counts:
        mov eax, edi
        mul qword [TAKEN]
        div qword [COUNTED]
        mov rsi, rax
        ; fall through

; Wait for rsi time-stamps, without HLT.
wait_for_time:
        now
        lea rdi, [rax + rsi]
.wait:  mov ecx, 1000
        loop $
        now
        cmp rax, rdi
        jb .wait
        ret

; eax = the greatest number of counts between two ticks of ten.
widest: xor r8d, r8d
        mov ecx, 9
.tick:  mov rax, [HEARD + rcx * 8]
        sub rax, [HEARD + rcx * 8 - 8]
        cmp rax, r8
        cmova r8, rax
        loop .tick
        mov rax, r8
        jmp counts_in

; Set the deadline to edi time-stamps after now, which is noted in STARTED.
set_deadline:
        now
        mov [STARTED], rax
        movsxd rdi, edi
        add rax, rdi
        mov rdx, rax
        shr rdx, 32
        mov ecx, DEADLINE
        wrmsr
        ret

; rax = the deadline.
get_deadline:
        mov ecx, DEADLINE
        rdmsr
        shl rdx, 32
        or rax, rdx
        ret
