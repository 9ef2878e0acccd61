; level: a handler of a level interrupt that forgets its EOI.
;
;   nasm -f bin -o level.bin level.asm
;
; Pin 16 of the IOAPIC comes in as vector 0x41, level, active high. The handler counts
; at 0x500 and returns; the EOI is missing. One processor.

%include "flat32.inc"

IOAPIC      equ 0xFEC00000
WINDOW      equ IOAPIC + 0x10
PIN         equ 16
LEVEL       equ 0x8000
COUNT       equ 0x500

        install 0x41, handler
        mov dword [IOAPIC], 0x10 + 2 * PIN
        mov dword [WINDOW], LEVEL + 0x41
        mov dword [IOAPIC], 0x11 + 2 * PIN
        mov dword [WINDOW], 0           ; to APIC id 0
        sti
sleep:  hlt
        jmp sleep

handler:
        inc byte [COUNT]
        iret
