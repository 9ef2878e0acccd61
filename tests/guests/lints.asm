; lints: everything that a guest does with its interrupts and does not mean, in
; turn: what each part does is in front of it. Two processors, and an IOAPIC.
;
; The last part halts for good, with a level interrupt in service.
%include "long-mode.inc"

IOAPIC      equ 0xFEC00000
SELECT      equ 0x00                    ; IOREGSEL
WINDOW      equ 0x10                    ; IOWIN
EMPTY_PAGE  equ 0x40                    ; the page at 0x40000: nobody writes it
CODE_PAGE   equ 0x41                    ; the page at 0x41000
LEVEL_VECTOR equ 0x61

EOI         equ 0x0B0
SVR         equ 0x0F0
ICR         equ 0x300
ICR_HIGH    equ 0x310

%macro icr 1-2 0                        ; low half, destination
        mov dword [rbx + ICR_HIGH], (%2) << 24
        mov dword [rbx + ICR], %1
%endmacro

        mov dword [0x73FB0], 0xFEC00000 + LARGE ; entry 0x1F6: 0x3EC00000
        mov ebx, LAPIC
        mov dword [rbx + SVR], 0x1FF

; EOI with nothing in service, three times at one place.
        mov ecx, 3
empty_eoi:
        mov dword [rbx + EOI], 0
        loop empty_eoi

; A reserved bit, 13, in the ICR, self IPI of a vector that stays pending.
reserved:
        icr 0x00046035

; A fixed IPI to an id that nobody has.
absent: icr 0x00004031, 9

; SIPI to a processor that never had INIT.
early:  icr 0x00004600 | CODE_PAGE, 1

; INIT, a moment, and SIPI to a page that nobody has written; twice, so that the
; second comes to a processor that runs. It runs zeros: add [bx+si], al.
        icr 0x00004500, 1
        mov ecx, 20
.delay: pause
        loop .delay
late:   icr 0x00004600 | EMPTY_PAGE, 1
        mov ecx, 20
.delay2:
        pause
        loop .delay2
again:  icr 0x00004600 | EMPTY_PAGE, 1
        icr 0x00004500, 1               ; and away with it

; A level interrupt by IOAPIC pin 4, whose handler returns without EOI. What
; asserts the pin is the debugger's user, while we halt here.
        mov word [idt + LEVEL_VECTOR * 16], handler - $$ ; the image is at 0x10000
        mov word [idt + LEVEL_VECTOR * 16 + 2], 0x10
        mov word [idt + LEVEL_VECTOR * 16 + 4], 0x8E00
        mov word [idt + LEVEL_VECTOR * 16 + 6], 1
        mov word [idt + 0x35 * 16], pending - $$
        mov word [idt + 0x35 * 16 + 2], 0x10
        mov word [idt + 0x35 * 16 + 4], 0x8E00
        mov word [idt + 0x35 * 16 + 6], 1
        lidt [idt_pointer]
        mov edi, IOAPIC
        mov dword [rdi + SELECT], 0x10 + 4 * 2
        mov dword [rdi + WINDOW], 0x00008000 | LEVEL_VECTOR
        mov dword [rdi + SELECT], 0x11 + 4 * 2
        mov dword [rdi + WINDOW], 0     ; to APIC id 0
sleep:  sti
        hlt
        jmp sleep

handler:
        iretq
pending:
        mov dword [rbx + EOI], 0
        iretq

idt_pointer:
        dw 256 * 16 - 1
        dq idt
idt     equ 0x30000
