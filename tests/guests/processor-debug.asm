; processor-debug: breakpoints of DR0 to DR3 on code, data and ports, single steps, RF
; and DR7.GD, in 64-bit code.
;
; SDM Vol. 3B "Debug Registers", "Debug Exceptions". QEMU's TCG agrees, but that it has
; no DR7.GD, does not mask the low bits of an address by LENn, tells of one of two that
; are hit at once, and knows nothing of a MOV SS before a breakpoint (left out there).
%include "fabric.inc"

SEEN_DR6    equ SHARED + 0x80   ; DR6 in the last handler
SEEN_RIP    equ SHARED + 0x88   ; where it was to return to
TRAPS       equ SHARED + 0x90   ; handlers so far
PLACE       equ SHARED + 0xA0   ; what is watched

CLEAR       equ 0xFFFF0FF0      ; DR6 without any bit
DE          equ 1 << 3          ; CR4
GD          equ 1 << 13         ; DR7
TF          equ 1 << 8
RF          equ 1 << 16

%macro arm 2                    ; DR7, address in DR0
        mov eax, %2
        mov dr0, rax
        mov eax, %1
        mov dr7, rax
%endmacro

%macro traps 2                  ; name, how many since the last time
        mov eax, [TRAPS]
        mov dword [TRAPS], 0
        check %1, %2
%endmacro

%macro seen 3                   ; name, DR6, RIP
        mov eax, [SEEN_DR6]
        check {%1, ": DR6"}, %2
        mov rax, [SEEN_RIP]
        check {%1, ": RIP"}, %3
%endmacro

main:
        on 1, debugged
        mov eax, CLEAR
        mov dr6, rax

        ; Code: before the instruction, and once with RF.
        arm 1, here
        xor esi, esi
here:   inc esi
        mov eax, esi
        check "the instruction is done once", 1
        traps "and is hit once", 1
        seen "code", CLEAR | 1, here

        ; Data: after it.
        arm 1 | 0xD << 16, PLACE
        mov [PLACE], eax
written:
        mov eax, [PLACE]
        traps "a write is hit, and a read not", 1
        seen "a write", CLEAR | 1, written
        arm 1 | 0xF << 16, PLACE
        mov eax, [PLACE]
was_read:
        traps "a read is hit", 1
        seen "a read", CLEAR | 1, was_read
        mov byte [PLACE + 4], 0
        traps "the byte behind it is not watched", 0
%ifndef QEMU
        arm 1 | 0x5 << 16, PLACE + 1
        mov byte [PLACE], 0
        traps "its low bits do not count", 1
%endif

        ; Ports.
        mov rax, cr4
        or eax, DE
        mov cr4, rax
        arm 1 | 0x2 << 16, 0x61
        in al, 0x61
was_in: traps "a port is hit", 1
        seen "a port", CLEAR | 1, was_in
        mov rax, cr4
        and eax, ~DE
        mov cr4, rax

        ; Single steps, also over what is no plain instruction.
        arm 0, 0
        pushfq
        or dword [rsp], TF
        popfq
        nop
        cpuid
        mov rax, cr0
last:   pushfq
        and dword [rsp], ~TF
        popfq
after:  traps "a step each, the last one that clears TF too", 6
        seen "a step", CLEAR | 1 << 14, after
        mov ebx, 0xFEE0_0000            ; CPUID took it

%ifndef QEMU
        ; The guard.
        mov eax, GD
        mov dr7, rax
guarded:
        mov rcx, dr7
        traps "a MOV DR under GD is hit, and not done", 1
        seen "the guard", CLEAR | 1 << 13, guarded
        mov rax, dr7
        check "GD is gone in the handler", 0x400

        arm 5 | 0xD << 16 | 0xD << 20, PLACE
        mov eax, PLACE
        mov dr1, rax
        mov [PLACE], eax
both:   traps "two on one place are one trap", 1
        seen "both", CLEAR | 3, both
        arm 1, shadowed
        mov ax, ss
        mov ss, ax
shadowed:
        nop
        traps "MOV SS holds it off, for good", 0
%endif
        xor eax, eax
        mov dr7, rax
        ret

debugged:
        mov rax, dr6
        mov [SEEN_DR6], eax
        mov rax, [rsp + AT_RIP]
        mov [SEEN_RIP], rax
        or dword [rsp + AT_RFLAGS], RF
        mov eax, CLEAR
        mov dr6, rax
        inc dword [TRAPS]
        ret
