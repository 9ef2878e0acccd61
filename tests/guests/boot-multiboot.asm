; boot-multiboot: says what a Multiboot 1 loader gave it.
MAGIC   equ 0x1BADB002
FLAGS   equ 0x00010003                  ; pages, memory map, addresses

%include "boot-report.inc"
        org 0x200000
bits 32
header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, 0, 0, start

start:  mov esp, stack
        mov ebp, ebx                    ; the information
        mov ecx, eax
        say 'magic '
        hex ecx
        call line
        say 'line '
        mov esi, [ebp + 16]
        call print
        call line
        mov ecx, [ebp + 20]             ; modules
        mov edi, [ebp + 24]
module: jecxz memory
        say 'module '
        mov eax, [edi]
        and eax, 0xFFF
        hex eax                         ; offset in its page
        mov eax, [edi + 4]
        sub eax, [edi]
        hex eax                         ; bytes
        mov esi, [edi]
        call four
        mov esi, [edi + 8]
        call print
        call line
        add edi, 16
        dec ecx
        jmp module
memory: mov edi, [ebp + 48]
        mov ecx, [ebp + 44]
        add ecx, edi
.entry: cmp edi, ecx
        jae finish
        say 'memory '
        hex [edi + 8]
        hex [edi + 4]
        hex [edi + 16]
        hex [edi + 12]
        hex [edi + 20]
        call line
        add edi, [edi]
        add edi, 4
        jmp .entry

        report
