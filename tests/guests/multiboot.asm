; multiboot: a kernel by the Multiboot 1 rules; prints its command line and ends.
MAGIC   equ 0x1BADB002
FLAGS   equ 0x00010003                  ; memory map wanted, addresses given below
LOADED  equ 0x2BADB002                  ; what the loader leaves in EAX
COM1    equ 0x3F8
EXIT    equ 0xF4                        ; isa-debug-exit

        org 0x100000
bits 32
header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, 0, 0, start  ; header, load, load end, bss end, entry

start:  cmp eax, LOADED
        jne fail
        mov esi, [ebx + 16]             ; command line
        mov edx, COM1
print:  lodsb
        test al, al
        jz done
        out dx, al
        jmp print
done:   mov al, 0x20
        out EXIT, al
fail:   hlt
        jmp fail
