; read-device: one register that nobody models decides what the guest does.
;
;   nasm -f bin -o read-device.bin read-device.asm
;
; All ones is an absent device, bit 0 a ready one; with neither it reads again. Prints
; "absent" or "ready". One processor.

%include "flat32.inc"

DEVICE      equ 0xD0000000

poll:   mov eax, [DEVICE]
        cmp eax, -1
        je absent
        test al, 1
        jz poll
ready:  mov esi, text_ready
        jmp print
absent: mov esi, text_absent
print:  mov dx, COM1
.next:  lodsb
        test al, al
        jz done
        out dx, al
        jmp .next
done:   hlt
        jmp done

text_ready:  db "ready", 0
text_absent: db "absent", 0
