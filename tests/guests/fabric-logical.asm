; fabric-logical: whom an IPI reaches by logical destination in xAPIC mode, flat
; and in clusters, and who wins the arbitration of lowest priority, seen by each
; of eight processors.
;
; SDM Vol. 3A "Logical Destination Mode", "Lowest Priority Delivery Mode"
; QEMU agrees, but that 0xFF is no broadcast for it in clusters, and that lowest
; priority does not look at the processors' priorities (both left out there).
%define PROCESSORS 8
%include "fabric.inc"

%macro set_all 1                ; what every processor does for itself
        mov eax, %1
        call on_all
%endmacro

main:
        mov dword [rbx + SVR], ON
%assign vector 0x40
%rep 0x50
        on vector, count
  %assign vector vector + 1
%endrep
        call start_aps

        mov eax, [rbx + DFR]
        check "after reset the DFR is flat", 0xFFFFFFFF
        mov eax, [rbx + LDR]
        check "and the LDR is 0", 0
        send FIXED | LOGICAL | 0x40, 0x7F
        call barrier
        who 0x40
        check "an LDR of 0 is no destination", 0

        ; Flat: a bit a processor.
        set_all be_flat
        mov eax, [rbx + LDR]
        check "the LDR keeps bits 31:24 only", 0x01000000
        send FIXED | LOGICAL | 0x41, 0x04
        call barrier
        who 0x41
        check "flat: one bit", 0b00000100
        send FIXED | LOGICAL | 0x42, 0xA5
        call barrier
        who 0x42
        check "flat: four bits, the sender's among them", 0b10100101
        send FIXED | LOGICAL | 0x43, 0xFF
        call barrier
        who 0x43
        check "flat: all bits", 0b11111111
        send FIXED | LOGICAL | 0x44, 0
        call barrier
        who 0x44
        check "flat: no bit", 0
        on 2, count_nmi
        send NMI | LOGICAL, 0x60
        call barrier
        who 2
        check "flat: NMI, too", 0b01100000
        set_all be_two_bits
        send FIXED | LOGICAL | 0x45, 0x10
        call barrier
        who 0x45
        check "flat: an LDR of two bits has either", 0b00011000

        ; Clusters: processors 0 to 3 are members of cluster 0, 4 to 7 of cluster 1.
        set_all be_cluster
        mov eax, [rbx + DFR]
        check "the DFR's bits 27:0 are ones", 0x0FFFFFFF
        send FIXED | LOGICAL | 0x48, 0x05
        call barrier
        who 0x48
        check "cluster 0: two members", 0b00000101
        send FIXED | LOGICAL | 0x49, 0x1A
        call barrier
        who 0x49
        check "cluster 1: two members", 0b10100000
        send FIXED | LOGICAL | 0x4A, 0x0F
        call barrier
        who 0x4A
        check "cluster 0: all members", 0b00001111
        send FIXED | LOGICAL | 0x4B, 0x2F
        call barrier
        who 0x4B
        check "cluster 2: nobody is there", 0
%ifndef QEMU
        send FIXED | LOGICAL | 0x4C, 0xFF
        call barrier
        who 0x4C
        check "0xFF is every cluster", 0b11111111
%endif

        ; A DFR is the receiver's own: flat processors read the same destination,
        ; 0x12, as bits.
        set_all be_mixed
        send FIXED | LOGICAL | 0x4D, 0x12
        call barrier
        who 0x4D
        check "each reads a destination by its own DFR", 0b00100010

%ifndef QEMU
        ; Lowest priority among 1 to 3, whose TPRs are 0x50, 0x40 and 0x70.
        set_all be_flat
        set_all be_busy
        send LOWEST | LOGICAL | 0x88, 0x0E
        set_all be_idle
        call barrier
        who 0x88
        check "lowest priority: the lowest TPR wins", 0b00000100
        set_all be_busy
        send LOWEST | TO_OTHERS | 0x89
        set_all be_idle
        call barrier
        who 0x89
        check "lowest priority to all but self", 0b01000000
        ; Processor 6 works on 0x65, its TPR 0.
        on 0x65, work
        set_all be_busy
        send FIXED | 0x65, 6
        call wait_for_work
        send LOWEST | LOGICAL | 0x8A, 0x48
        mov dword [RELEASED], 1
        set_all be_idle
        call barrier
        who 0x8A
        check "what is in service counts as well: 0x60 against 0x70", 0b01000000
        mov dword [WORKING], 0
        mov dword [RELEASED], 0
        set_all be_busy
        send FIXED | 0x65, 6
        call wait_for_work
        send LOWEST | LOGICAL | 0x8B, 0x42
        mov dword [RELEASED], 1
        set_all be_idle
        call barrier
        who 0x8B
        check "and 0x60 against 0x50", 0b00000010
%endif
        ret

; eax = this processor's number.
number: lea eax, [rbp - OWN_PAGES]
        shr eax, 12
        ret

be_flat:
        call number
        mov ecx, eax
        mov dword [rbx + DFR], 0xFFFFFFFF
        mov eax, 0x01000000
        shl eax, cl
        or eax, 0x00123456              ; reserved bits, which are not kept
        mov [rbx + LDR], eax
        ret

; Processor 3: bits 3 and 4.
be_two_bits:
        call number
        cmp eax, 3
        jne .end
        mov dword [rbx + LDR], 0x18000000
.end:   ret

be_cluster:
        call number
        mov ecx, eax
        and ecx, 3
        shr eax, 2
        shl eax, 28
        mov edx, 0x01000000
        shl edx, cl
        or eax, edx
        mov [rbx + LDR], eax
        mov dword [rbx + DFR], 0
        ret

; Processors 0 to 3 flat, 4 to 7 in cluster 1.
be_mixed:
        call number
        cmp eax, 4
        jb be_flat
        jmp be_cluster

; TPRs of processors 0 to 7: 0x80, 0x50, 0x40, 0x70, 0x10, 0x90, 0x00, 0xA0.
be_busy:
        call number
        mov al, [rax + priorities]
        movzx eax, al
        mov [rbx + TPR], eax
        ret
be_idle:
        mov dword [rbx + TPR], 0
        ret

; Handler: stay until RELEASED.
WORKING     equ SHARED + 0x80
RELEASED    equ SHARED + 0x88
work:   mov dword [WORKING], 1
.wait:  pause
        cmp dword [RELEASED], 0
        je .wait
        jmp end_interrupt

wait_for_work:
        pause
        cmp dword [WORKING], 0
        je wait_for_work
        ret

        section .data
priorities: db 0x80, 0x50, 0x40, 0x70, 0x10, 0x90, 0x00, 0xA0
