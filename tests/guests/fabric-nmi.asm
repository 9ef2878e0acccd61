; fabric-nmi: NMIs by IPI, and what holds them back: only an NMI that has not
; come to its IRET.
;
; SDM Vol. 3A "Nonmaskable Interrupt (NMI)", "Handling Multiple NMIs"; Vol. 3A
; "Issuing Interprocessor Interrupts": an NMI to oneself names one's own id.
; QEMU agrees with every check.
%define PROCESSORS 2
%include "fabric.inc"

COUNT       equ SHARED + 0x80   ; NMIs so far
DEPTH       equ SHARED + 0x88   ; their handlers that have begun and not ended
DEEPEST     equ SHARED + 0x90   ; the most that this has been
SEEN_WITHIN equ SHARED + 0x98   ; COUNT at the end of the first one's handler
TRACES      equ SHARED + 0xA0   ; bits of IRR and ISR seen in a handler
PARKED      equ SHARED + 0xA8   ; the AP is about to halt
WOKEN       equ SHARED + 0xB0   ; it goes on

%macro nmi_to_self 0
        mov dword [rbx + ICR], NMI | 0x55       ; its vector is not used
%endmacro

main:
        mov dword [rbx + SVR], ON
        mov dword [rbx + ICR_HIGH], 0
        on 2, one
        on 0x41, note

        ; Interrupts off by IF, and by TPR.
        mov dword [rbx + TPR], 0xFF
        nmi_to_self
after:  nop
        nop
        mov eax, [COUNT]
        check "neither IF=0 nor TPR=0xFF holds an NMI back", 1
        mov rax, [LAST_RIP]
        check "it comes before the next instruction", after
        mov dword [rbx + TPR], 0

        ; Two more while the first is in its handler.
        call again
        on 2, two_more
        nmi_to_self
after_two:
        nop
        nop
        mov eax, [SEEN_WITHIN]
        check "in the handler of an NMI no other comes", 1
        mov eax, [COUNT]
        check "after its IRET one does; two that waited are one", 2
        mov eax, [DEEPEST]
        check "never one in the other", 1
        mov rax, [LAST_RIP]
        check "it comes before what the first had interrupted goes on", after_two

        ; An IRET of another handler ends the blocking, too.
        call again
        on 2, breakpoint_inside
        on 3, nothing
        nmi_to_self
        nop
        mov eax, [COUNT]
        check "the IRET of a #BP handler lets an NMI in", 2
        mov eax, [DEEPEST]
        check "and now it is one in the other", 2

        ; NMI, then the vector, when an IRET lets both in.
        call again
        on 2, both
        sti
        nmi_to_self
        nop
        nop
        cli
        mov rax, [ORDER]
        check "of an NMI and a vector the NMI is first", 0x020241
        mov eax, [TRACES]
        check "an NMI leaves no trace in IRR and ISR", 0

        ; The AP, halted with interrupts off.
        on 2, count_nmi
        call start_aps
        mov qword [ERRAND], park
        send FIXED | TO_OTHERS | ON_ALL
.parked:
        pause
        cmp dword [PARKED], 1
        jb .parked
        mov ecx, 100
.delay: pause
        loop .delay
        mov eax, [WOKEN]
        check "with IF=0 the AP is halted", 0
        mov r8d, 1000
.send:  send NMI, 1
        mov ecx, 100
.woken: pause
        cmp dword [WOKEN], 1
        loopne .woken
        je .end
        dec r8d
        jnz .send
.end:   mov eax, [WOKEN]
        check "an NMI ends the HLT", 1
        movzx eax, byte [OWN_PAGES + 0x1000 + COUNTS + 2]
        check "after its handler has run", 1, 255
        ret

park:   mov dword [PARKED], 1
        hlt
        mov dword [WOKEN], 1
        ret

again:  mov qword [ORDER], 0
        mov dword [COUNT], 0
        mov dword [DEEPEST], 0
nothing:
        ret

; Handlers of the NMI. Each begins with `begin`, which returns COUNT, and ends
; with `done`.
begin:  inc dword [COUNT]
        mov eax, [DEPTH]
        inc eax
        mov [DEPTH], eax
        cmp eax, [DEEPEST]
        jb .end
        mov [DEEPEST], eax
.end:   mov rcx, [rsp + AT_RIP + 8]
        mov [LAST_RIP], rcx             ; what this one interrupted
        mov eax, [COUNT]
        ret
done:   dec dword [DEPTH]
        ret

one:    call begin
        jmp done

two_more:
        call begin
        cmp eax, 1
        ja done
        nmi_to_self
        nmi_to_self
        nop
        nop
        mov eax, [COUNT]
        mov [SEEN_WITHIN], eax
        jmp done

breakpoint_inside:
        call begin
        cmp eax, 1
        ja done
        nmi_to_self
        int3
        nop
        jmp done

both:   call begin
        push rax
        mov al, 2
        call note_order
        all_bits ISR
        or [TRACES], eax
        pop rax
        cmp eax, 1
        ja done
        all_bits IRR
        or [TRACES], eax
        self 0x41
        mov dword [rbx + ICR_HIGH], 0
        nmi_to_self
        jmp done
