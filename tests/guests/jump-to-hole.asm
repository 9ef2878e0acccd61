; jump-to-hole: fetch an instruction where there is neither RAM nor a device.
HOLE    equ 0xE0000000

        org 0x10000
bits 16
start:  cli
        mov ax, cs
        mov ds, ax
        o32 lgdt [gdt_pointer - 0x10000]
        mov eax, cr0
        or al, 1                        ; PE
        mov cr0, eax
        jmp dword 0x08:protected_mode

        align 8
gdt:    dq 0
        dq 0x00CF9B000000FFFF           ; 0x08: flat 32-bit code
        dq 0x00CF93000000FFFF           ; 0x10: flat data
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

bits 32
protected_mode:
        mov eax, 0x10
        mov ds, eax
        mov ss, eax
        mov esp, 0x8000
        mov eax, HOLE
leap:   jmp eax
