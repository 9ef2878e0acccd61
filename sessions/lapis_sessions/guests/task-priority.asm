; task-priority: work that was put above all waits for an interrupt below it.
;
;   nasm -f bin -o task-priority.bin task-priority.asm
;
; TPR 0x60 keeps classes up to 6 out; then the code waits for the handler of 0x52, class
; 5. It waits for ever. One processor; prints "+" when it ever comes through.

%include "flat32.inc"

FLAG        equ 0x500

        install 0x52, handler
        sti
        mov dword [TPR], 0x60
        mov dword [ICR], TO_SELF + 0x52
wait_flag:
        pause
        cmp byte [FLAG], 0
        je wait_flag
through:
        mov al, '+'
        mov dx, COM1
        out dx, al
done:   hlt
        jmp done

handler:
        inc byte [FLAG]
        mov dword [EOI], 0
        iret
