; fabric-extint: the 8259 pair through LINT0: as ExtINT, past the APIC; as a vector
; of the APIC's own; as NMI; and through pin 0 of the IOAPIC.
;
; SDM Vol. 3A "Local Vector Table" (ExtINT: the INTA cycle fetches the vector; it has
; no place in IRR, ISR and PPR); Intel 8259A "Interrupt Sequence".
; QEMU agrees, but that it asks its APIC before its 8259s, has LINT0 of mode fixed
; bring the 8259's vector as well, drops INTR with the line, keeps no remote-IRR for
; LINT0, has nothing on pin 0, and heeds LINT0's mask with the APIC off (left out there).
%include "fabric.inc"
%include "fabric-devices.inc"

TICKS       equ SHARED + 0x80   ; of the PIT
WITHIN      equ SHARED + 0x88   ; of these, while IRQ 4 was in service
PPR_SEEN    equ SHARED + 0x90   ; what the handler of IRQ 4 saw
ISR_SEEN    equ SHARED + 0x98
PIC_SEEN    equ SHARED + 0xA0

EXTINT      equ 0x700
IRQ_0       equ 0x70            ; vectors
IRQ_4       equ 0x74
IRQ_7       equ 0x77            ; spurious as well
ALL_MASKED  equ 0xFF
ONLY_4      equ 0xEF
ONLY_0_4    equ 0xEE

%macro count_of 1               ; eax = how often a vector came
        movzx eax, byte [rbp + COUNTS + (%1)]
        mov byte [rbp + COUNTS + (%1)], 0
%endmacro
%macro pic_isr 0                ; eax = what the first 8259 has in service
        pic 0x20, 0x0B
        in al, 0x20
        movzx eax, al
%endmacro

main:
        mov dword [rbx + SVR], ON
        on IRQ_0, pit_tick
        on IRQ_4, serve
        on IRQ_7, count_only
        on 0x41, note
        on 0x55, note_and_serve
        on 2, count_nmi
        mov dx, 0x3FC
        mov al, 8
        out dx, al                      ; MCR: OUT2, which lets the line out
        pic 0x20, 0x11                  ; ICW1 to ICW4 of either
        pic 0x21, IRQ_0
        pic 0x21, 4
        pic 0x21, 1
        pic 0xA0, 0x11
        pic 0xA1, IRQ_0 + 8
        pic 0xA1, 2
        pic 0xA1, 1
        pic 0xA1, ALL_MASKED
        pic 0x21, ONLY_4

        ; Masked, and not.
        mov dword [rbx + LVT_LINT0], MASKED | EXTINT
        line_up
        call let_in
        count_of IRQ_4
        check "LINT0 masked: nothing comes", 0
        mov dword [rbx + LVT_LINT0], EXTINT
        mov eax, [rbx + PPR]
        check "ExtINT pending moves no PPR", 0
        all_bits IRR
        check "nor any bit of the IRR", 0
        count_of IRQ_4
        check "IF=0 holds it back", 0
        call let_in
        count_of IRQ_4
        check "unmasked, with IF=1, the vector of the 8259 comes", 1
        mov eax, [PIC_SEEN]
        check "in its handler the 8259 has IRQ 4 in service", 0x10
        mov eax, [ISR_SEEN]
        check "and the APIC nothing", 0
        mov eax, [PPR_SEEN]
        check "its PPR is 0", 0
        pic_isr
        check "the 8259's EOI ends it", 0

        ; No priority of the APIC counts.
        mov dword [rbx + TPR], 0xF0
        line_up
        call let_in
        count_of IRQ_4
        check "TPR = 0xF0 does not hold ExtINT back", 1
        mov dword [rbx + TPR], 0
%ifndef QEMU
        mov qword [ORDER], 0
        on IRQ_4, note_and_serve
        line_up
        self 0x41
        call let_in
        call let_in
        mov rax, [ORDER]
        check "of ExtINT and a vector ExtINT is first", IRQ_4 << 8 | 0x41
        count_of IRQ_4
        on IRQ_4, serve
%endif

        ; HLT.
        pit_every 1193
        pic 0x21, ONLY_0_4
        sti
        hlt
        cli
        mov eax, [TICKS]
        check "the PIT's tick ends a HLT", 1
        pit_off

        ; An edge stays, a level falls.
        pic 0x21, ONLY_4
        mov dx, 0x4D0
        mov al, 0x10
        out dx, al                      ; ELCR: IRQ 4 is a level
        line_up
        line_down
        call let_in
        count_of IRQ_4
        check "a level that falls before the INTA cycle is gone", 0
%ifndef QEMU
        count_of IRQ_7
        check "the INTA cycle gives the spurious vector", 1
        pic_isr
        check "and the 8259 has nothing in service", 0
%endif
        line_up
        call let_in
        count_of IRQ_4
        check "one that stays comes", 1
        mov dx, 0x4D0
        xor eax, eax
        out dx, al
        line_up
        pic 0x21, ALL_MASKED
        call let_in
        count_of IRQ_4
        check "the 8259's mask holds it back", 0
        pic 0x21, ONLY_4
        call let_in
        count_of IRQ_4
        check "and no longer", 1

        ; Within the handler of IRQ 4: IRQ 0 is above it, and itself is not.
        on IRQ_4, nested
        pic 0x21, ONLY_0_4
        mov dword [TICKS], 0
        line_up
        call let_in
        mov eax, [WITHIN]
        check "IRQ 0 comes in the handler of IRQ 4", 1, 255
        mov eax, [PIC_SEEN]
        check "the two are in service together", 0x11
        count_of IRQ_4
        check "IRQ 4 once more only after its EOI", 2
        on IRQ_4, serve
        pic 0x21, ONLY_4

        ; LINT0 with a vector of its own: the 8259 is not asked.
        mov qword [ORDER], 0
        mov dword [rbx + LVT_LINT0], 0x55
        on 0x55, note
        line_up
        read_bit IRR, 0x55
        check "LINT0 of mode fixed: its vector is in the IRR", 1
        call let_in
        mov rax, [ORDER]
        check "and comes", 0x55
        pic_isr
        check "the 8259 has nothing in service", 0
%ifndef QEMU
        pic 0x20, 0x0C                  ; poll: take it from there
        in al, 0x20
        and eax, 0xFF
        check "it has seen no INTA cycle, and gives IRQ 4 to a poll", 0x84
        pic 0x20, 0x20
%endif
        line_down
        on 0x55, note_and_serve
%ifndef QEMU
        mov qword [ORDER], 0
        mov dword [rbx + LVT_LINT0], LEVEL | 0x55
        line_up
        mov eax, [rbx + LVT_LINT0]
        check "as a level it sets remote-IRR of LINT0", REMOTE_IRR | LEVEL | 0x55
        mov eax, [rbx + TMR + 0x20]
        check "and the bit of the TMR", 1 << 0x15
        on 0x55, poll_and_serve
        call let_in
        mov rax, [ORDER]
        check "it comes", 0x55
        mov eax, [rbx + LVT_LINT0]
        check "and the EOI clears remote-IRR", LEVEL | 0x55
%endif

        ; LINT0 as NMI: the watchdog that counts PIT ticks.
        mov dword [rbx + LVT_LINT0], 0x400
        line_up
        count_of 2
        check "LINT0 of mode NMI: with IF=0 it comes", 1
        line_down
        pic 0x20, 0x0C
        in al, 0x20
        pic 0x20, 0x20

%ifndef QEMU
        ; Pin 0 of the IOAPIC is the 8259s' output.
        mov dword [rbx + LVT_LINT0], MASKED | EXTINT
        set_whom 0, 0
        set_pin 0, EXTINT
        line_up
        call let_in
        count_of IRQ_4
        check "ExtINT by pin 0 of the IOAPIC", 1
        pic_isr
        check "ended, too", 0
        set_pin 0, MASKED

        ; An APIC that APICBASE has switched off: LINT0 is the processor's INTR.
        mov dword [rbx + LVT_LINT0], MASKED | EXTINT
        on IRQ_4, serve_blind
        mov ecx, APIC_BASE
        rdmsr
        and eax, ~(1 << 11)
        wrmsr
        line_up
        call let_in
        count_of IRQ_4
        check "with the APIC off LINT0 is INTR", 1
%endif
        ret

; Handler: count it, look, take the line down, EOI of the 8259.
serve:  inc byte [rbp + COUNTS + rax]
        mov eax, [rbx + PPR]
        mov [PPR_SEEN], eax
        all_bits ISR
        mov [ISR_SEEN], eax
        pic_isr
        mov [PIC_SEEN], eax
        line_down
        pic 0x20, 0x20
        ret

; Handler: of the spurious vector, which wants no EOI.
count_only:
        inc byte [rbp + COUNTS + rax]
        ret

; Handler: without a look at the APIC, which is not there.
serve_blind:
        inc byte [rbp + COUNTS + rax]
        line_down
        pic 0x20, 0x20
        ret

; Handler: of a vector of the APIC's that the line has made, too.
note_and_serve:
        push rax
        call note
        pop rax
        cmp al, IRQ_4
        jne .end
        pic 0x20, 0x20
.end:   line_down
        ret

; Handler: the same, and the 8259 gives the interrupt to a poll first.
poll_and_serve:
        push rax
        pic 0x20, 0x0C
        in al, 0x20
        line_down
        pic 0x20, 0x20
        pop rax
        jmp note

; Handler of IRQ 4: the first time let IRQ 0 in, and another edge of its own.
nested: inc byte [rbp + COUNTS + rax]
        cmp byte [rbp + COUNTS + rax], 1
        jne .second
        line_down
        line_up
        mov dword [PIC_SEEN], 0
        pit_every 1193
        sti
.tick:  pause
        cmp dword [WITHIN], 0
        je .tick
        cli
        pit_off
        pic 0x20, 0x20
        ret
.second:
        line_down
        pic 0x20, 0x20
        ret

; Handler of IRQ 0.
pit_tick:
        inc dword [TICKS]
        pic_isr
        mov [PIC_SEEN], eax
        cmp byte [rbp + COUNTS + IRQ_4], 0
        je .end
        inc dword [WITHIN]
.end:   pic 0x20, 0x20
        ret
