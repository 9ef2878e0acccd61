; aliases: call one routine by two linear addresses, and another at the same place of
; its page, for ever. EBX counts the calls of the one, EDX those of the other.
ALIAS   equ 0x400000            ; both 4 MiB are the first one, by one page table
PD      equ 0x3000
PT      equ 0x4000

        org 0x10000
bits 16
start:  cli
        xor ax, ax
        mov ds, ax
        mov edi, PT             ; identity, the first 4 MiB
        mov eax, 3
fill:   a32 mov [edi], eax
        add edi, 4
        add eax, 0x1000
        cmp eax, ALIAS
        jb  fill
        mov edi, PD
        mov dword [dword edi], PT | 3
        mov dword [dword edi + 4], PT | 3
        mov eax, PD
        mov cr3, eax
        cs lgdt [gdtr - 0x10000] ; DS ends before it
        mov eax, cr0
        or  eax, 0x80000001
        mov cr0, eax
        jmp dword 8:paged

bits 32
paged:  mov ax, 16
        mov ds, ax
        mov ss, ax
        mov esp, 0x8000
        xor ebx, ebx
        xor edx, edx
again:  call target
        call decoy
        mov ecx, target + ALIAS
        call ecx
        jmp again

        align 8
gdt:    dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   dw 23
        dd gdt

        times 0x1123 - ($ - $$) db 0x90
target: inc ebx
        ret

        times 0x2123 - ($ - $$) db 0x90
decoy:  inc edx
        ret
