; rep-outs: a string to the serial port by `rep outsb`, in 64-bit mode.
;
;   nasm -f bin -o rep-outs.bin rep-outs.asm
;
; One processor; prints "Lapis". Page tables at 0x20000 map the first 1 GiB.

%include "flat32.inc"

TABLES      equ 0x20000
CODE64      equ 0x08
EFER        equ 0xC0000080

        mov dword [TABLES], TABLES + 0x1023
        mov dword [TABLES + 4], 0
        mov dword [TABLES + 0x1000], TABLES + 0x2023
        mov edi, TABLES + 0x2000
        mov eax, 0xE3                   ; present, writable, accessed, dirty, large
        mov ecx, 512
.next:  mov [edi], eax
        add edi, 8
        add eax, 0x200000
        loop .next
        mov eax, TABLES
        mov cr3, eax
        mov eax, 1 << 5                 ; PAE
        mov cr4, eax
        mov ecx, EFER
        rdmsr
        or eax, 1 << 8                  ; LME
        wrmsr
        mov eax, cr0
        or eax, 1 << 31                 ; PG
        mov cr0, eax
        lgdt [wide_pointer]
        jmp CODE64:wide

bits 64
wide:   mov esi, text
        mov ecx, text_end - text
        mov dx, COM1
write:  rep outsb
written:
        nop
done:   hlt
        jmp done

text:   db "Lapis"
text_end:
        align 8
wide_gdt:
        dq 0
        dq 0x00AF9B000000FFFF           ; 64-bit code
        dq 0x00CF93000000FFFF           ; flat data
wide_pointer:
        dw 23
        dd wide_gdt
