; boot-sector: what a BIOS boots from a disk. It adds 1 to the first byte of the second
; sector, by INT 13h, prints that sector by INT 10h and on COM1, and starts the machine
; again until the byte is 3.
bits 16
        org 0x7c00
SECTOR  equ 0x8000
COM1    equ 0x3f8
start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, start
        mov [drive], dl
        mov ah, 2               ; read
        call disk
        inc byte [SECTOR]
        mov ah, 3               ; write
        call disk
        mov byte [SECTOR], 0
        mov ah, 2
        call disk
        mov si, SECTOR
next:   lodsb
        test al, al
        jz done
        call print
        jmp next
done:   cmp byte [SECTOR], '3'
        jne reset
        cli
        hlt
reset:  mov dx, 0xcf9
        mov al, 6
        out dx, al
        jmp $

disk:   mov al, 1               ; one sector, the second, head 0 of cylinder 0
        mov cx, 2
        mov dh, 0
        mov dl, [drive]
        mov bx, SECTOR
        int 0x13
        jnc back
        mov al, '!'
        call print
        hlt
print:  push ax
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        pop ax
        mov dx, COM1
        out dx, al
back:   ret

drive:  db 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
        db "0 times written", 13, 10
        times 1024 - ($ - $$) db 0
