; A boot sector: says so by INT 10h and on COM1, and stops.
        bits 16
        org 0x7c00
        xor ax, ax
        mov ds, ax
        mov si, text
next:   lodsb
        test al, al
        jz done
        push ax
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        pop ax
        mov dx, 0x3f8
        out dx, al
        jmp next
done:   cli
        hlt
        jmp done
text:   db "BOOTED from disk", 13, 10, 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
        times 64 * 1024 - ($ - $$) db 0
