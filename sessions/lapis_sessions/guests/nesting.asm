; nesting: three interrupts, each within the handler of the one before.
;
;   nasm -f bin -o nesting.bin nesting.asm
;
; Every handler lets interrupts in, sends itself the next vector of a higher class, and
; ends its own last: 0x31, 0x52 in it, 0x71 in that. One processor; prints nothing.

%include "flat32.inc"

        install 0x31, low
        install 0x52, middle
        install 0x71, high
        sti
        mov dword [ICR], TO_SELF + 0x31
        nop
done:   hlt
        jmp done

low:    sti
        mov dword [ICR], TO_SELF + 0x52
        nop
low_end:
        mov dword [EOI], 0
        iret
middle: sti
        mov dword [ICR], TO_SELF + 0x71
        nop
middle_end:
        mov dword [EOI], 0
        iret
high:   nop
high_end:
        mov dword [EOI], 0
        iret
