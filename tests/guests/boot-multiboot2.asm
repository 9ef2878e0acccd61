; boot-multiboot2: says what a Multiboot 2 loader gave it.
MAGIC   equ 0xE85250D6

%include "boot-report.inc"
        org 0x200000
bits 32
        times 8 db 0xCC                 ; the header is not the first thing
header: dd MAGIC, 0, ended - header, -(MAGIC + ended - header)
        dw 1, 0                         ; information: map, sections, ACPI
        dd 20, 6, 9, 15
        align 8, db 0
        dw 2, 0                         ; addresses
        dd 24, header, 0x200000, 0, 0
        dw 3, 0                         ; entry
        dd 12, start
        align 8, db 0
        dw 4, 0                         ; text console will do
        dd 12, 2
        align 8, db 0
        dw 5, 1                         ; a framebuffer is welcome
        dd 20, 80, 25, 0
        align 8, db 0
        dw 6, 0                         ; modules at pages
        dd 8
        dw 7, 1                         ; boot services of EFI, if there are any
        dd 8
        dw 0, 0
        dd 8
ended:

start:  mov esp, stack
        mov ebp, ebx
        mov ecx, eax
        say 'magic '
        hex ecx
        mov eax, ebp
        and eax, 7
        hex eax                         ; 0: aligned
        call line
        mov ecx, [ebp]                  ; end of the tags
        add ecx, ebp
        lea edi, [ebp + 8]
tag:    cmp edi, ecx
        jae fail
        mov eax, [edi]
        cmp eax, 0
        je done
        cmp eax, 1
        je text
        cmp eax, 2
        je text
        cmp eax, 3
        je module
        cmp eax, 6
        je memory
        say 'tag '
        hex [edi]
        hex [edi + 4]
        hex [edi + 8]
        hex [edi + 12]
        call line
next:   mov eax, [edi + 4]
        add eax, 7
        and eax, ~7
        add edi, eax
        jmp tag

text:   say 'text '
        lea esi, [edi + 8]
        call print
        call line
        jmp next

module: say 'module '
        mov eax, [edi + 8]
        and eax, 0xFFF
        hex eax
        mov eax, [edi + 12]
        sub eax, [edi + 8]
        hex eax
        mov esi, [edi + 8]
        call four
        lea esi, [edi + 16]
        call print
        call line
        jmp next

memory: push edi
        push ecx
        mov ecx, [edi + 4]
        add ecx, edi
        mov ebx, [edi + 8]              ; bytes an entry
        add edi, 16
.entry: cmp edi, ecx
        jae .done
        say 'memory '
        hex [edi + 4]
        hex [edi]
        hex [edi + 12]
        hex [edi + 8]
        hex [edi + 16]
        call line
        add edi, ebx
        jmp .entry
.done:  pop ecx
        pop edi
        jmp next

done:   lea eax, [edi + 8]
        cmp eax, ecx                    ; the last tag is the end
        jne fail
        say 'end'
        call line
        jmp finish
fail:   say 'fail'
        call line
        jmp finish

        report
