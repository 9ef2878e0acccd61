; fabric-nesting: interrupts within interrupts, three deep, by IPIs to oneself.
;
; SDM Vol. 3A "Interrupt, Task, and Processor Priority": a vector comes through
; when its class, bits 7:4, is above the PPR's.
; QEMU agrees with every check.
%include "fabric.inc"

main:
        mov dword [rbx + SVR], ON
        on 0x31, outer
        on 0x52, middle
        on 0x5F, note
        on 0x71, inner

        self 0x31
        nop
        read_bit IRR, 0x31
        check "with IF=0 a vector waits in the IRR", 1
        mov eax, [rbx + PPR]
        check "and the PPR is 0", 0
        sti
        nop
        cli
        mov rax, [ORDER]
        check "0x71 preempts 0x52 preempts 0x31, and 0x5F waits", 0x3152715F
        mov eax, [rbx + PPR]
        check "at the end the PPR is 0 again", 0
        all_bits ISR
        check "and nothing is in service", 0

        ; The same vector while it is in service: one more is kept, not two.
        mov qword [ORDER], 0
        on 0x52, again
        self 0x52
        call let_in
        mov rax, [ORDER]
        check "sent three times to its own handler, it comes once more", 0x5252
        ret

outer:  call note_order
        mov eax, [rbx + PPR]
        check "the PPR in the handler of 0x31", 0x30
        read_bit IRR, 0x31
        check "0x31 has left the IRR", 0
        read_bit ISR, 0x31
        check "for the ISR", 1
        sti
        self 0x52
        nop
        cli
        mov eax, [rbx + PPR]
        check "back in the handler of 0x31, the PPR", 0x30
        mov dword [rbx + EOI], 0
        ret

middle: call note_order
        mov eax, [rbx + PPR]
        check "the PPR in the handler of 0x52", 0x50
        sti
        self 0x5F
        nop
        read_bit IRR, 0x5F
        check "0x5F, of the same class, waits", 1
        self 0x31
        nop
        read_bit IRR, 0x31
        check "so does 0x31, which is in service", 1
        self 0x71
        nop
        mov eax, [rbx + PPR]
        check "back in the handler of 0x52, the PPR", 0x50
        on 0x31, last
        mov dword [rbx + EOI], 0
        nop
        read_bit IRR, 0x5F
        check "the EOI of 0x52 let 0x5F in before the handler's end", 0
        mov eax, [rbx + PPR]
        check "and the PPR is that of 0x31", 0x30
        ret

inner:  call note_order
        mov eax, [rbx + PPR]
        check "the PPR in the handler of 0x71", 0x70
        mov eax, [rbx + ISR + 0x10]     ; vectors 0x20 to 0x3F
        check "in service: 0x31", 1 << 0x11
        mov eax, [rbx + ISR + 0x20]
        check "in service: 0x52", 1 << 0x12
        mov eax, [rbx + ISR + 0x30]
        check "in service: 0x71", 1 << 0x11
        mov dword [rbx + EOI], 0
        mov eax, [rbx + ISR + 0x30]
        check "EOI ends the highest", 0
        mov eax, [rbx + ISR + 0x20]
        check "and no other", 1 << 0x12
        ret

; 0x31 once more, after all the others: it was sent in the handler of 0x52.
last:   mov eax, [rbx + PPR]
        check "0x31 once more, when its first handler has ended", 0x30
        mov dword [rbx + EOI], 0
        ret

again:  call note_order
        cmp qword [ORDER], 0x52
        jne .second
        sti
        self 0x52
        self 0x52
        nop
        cli
.second:
        mov dword [rbx + EOI], 0
        ret
