; Resets itself in each of the four ways, and counts its starts in RAM that is kept:
; port 0x92, port 0xCF9, command 0xFE of the 8042, and a triple fault; then it halts.
; With --on-reset reboot there are four resets; with stop it ends at the first.
; On COM1: a digit for each start.
bits 16
org 0

COUNT equ 0x600
IDT   equ 0x610
COM1  equ 0x3f8

start:
    xor ax, ax
    mov ds, ax
    inc byte [COUNT]
    mov al, [COUNT]
    add al, '0'
    mov dx, COM1
    out dx, al
    cmp al, '1'
    je fast
    cmp al, '2'
    je control
    cmp al, '3'
    je keyboard
    cmp al, '4'
    je triple
    cli
done:
    hlt
    jmp done

fast:                           ; System Control Port A, bit 0
    mov al, 1
    out 0x92, al
    jmp done

control:                        ; RC: RST_CPU, SYS_RST
    mov dx, 0xcf9
    mov al, 6
    out dx, al
    jmp done

keyboard:                       ; pulse output bit 0, which is wired to reset
    mov al, 0xfe
    out 0x64, al
    jmp done

triple:                         ; no vector fits into an IDT of one byte
    mov dword [IDT], 0
    mov word [IDT + 4], 0
    lidt [IDT]
    ud2
