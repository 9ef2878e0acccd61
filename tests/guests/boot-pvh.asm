; boot-pvh: an ELF64 with the note of a PVH kernel; says what the loader gave it.
%include "boot-report.inc"
        org 0x200000
bits 32
head:   db 0x7F, 'ELF', 2, 1, 1
        times 9 db 0
        dw 2, 62                        ; executable, x86-64
        dd 1
        dq wrong                        ; entry in 64-bit mode: not this one
        dq phdrs - head, 0
        dd 0
        dw 64, 56, 2, 64, 0, 0
phdrs:  dd 1, 7                         ; loaded
        dq 0, 0xFFFFFFFF80200000, head, ended - head, ended - head, 4096
        dd 4, 4                         ; note
        dq note - head, 0, note, noted - note, noted - note, 4
note:   dd 4, 4, 1                      ; somebody else's
        db 'GNU', 0
        dd 0
        dd 4, 8, 18                     ; XEN_ELFNOTE_PHYS32_ENTRY
        db 'Xen', 0
        dq start
noted:
wrong:  jmp fail

start:  mov esp, stack
        mov ebp, ebx                    ; start information
        say 'magic '
        hex [ebp]
        hex [ebp + 4]                   ; version
        call line
        say 'cr0 '
        mov eax, cr0
        and eax, 0x80000001
        hex eax                         ; protected mode without paging
        call line
        say 'line '
        mov esi, [ebp + 24]
        call print
        call line
        mov ecx, [ebp + 12]
        mov edi, [ebp + 16]
module: jecxz tables
        say 'module '
        mov eax, [edi]
        and eax, 0xFFF
        hex eax
        hex [edi + 8]
        mov esi, [edi]
        call four
        mov esi, [edi + 16]
        test esi, esi
        jz .untold
        call print
.untold: call line
        add edi, 32
        dec ecx
        jmp module
tables: say 'rsdp '
        mov esi, [ebp + 32]
        test esi, esi
        jz .none
        call four
.none:  call line
        mov edi, [ebp + 40]
        mov ecx, [ebp + 48]
.entry: jecxz .done
        say 'memory '
        hex [edi + 4]
        hex [edi]
        hex [edi + 12]
        hex [edi + 8]
        hex [edi + 16]
        call line
        add edi, 24
        dec ecx
        jmp .entry
.done:  jmp finish
fail:   say 'fail'
        call line
        jmp finish

        report
ended:
