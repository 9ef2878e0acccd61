; rep-lapic: string instructions on the registers of the local APIC.
;
;   nasm -f bin -o rep-lapic.bin rep-lapic.asm
;
; `rep movsd` copies the first four rows of registers, of which the ID and VERSION are
; at 0x20 and 0x30; each dword is an access of its own. Then `rep stosd` writes TPR, which
; is one register of four dwords, of which only the first counts.

%include "flat32.inc"

COPY        equ 0x5000

        mov esi, LAPIC
        mov edi, COPY
        mov ecx, 16
copy:   rep movsd
copied: mov eax, 0x20
        mov edi, TPR
        mov ecx, 1
fill:   rep stosd
filled: nop
done:   hlt
        jmp done
