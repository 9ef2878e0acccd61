; start-one: start the processor of APIC id 1 by its id, not by a shorthand.
;
;   nasm -f bin -o start-one.bin start-one.asm
;
; INIT and SIPI as firmware of the old kind sends them: the destination in ICRHI. The AP
; counts itself and halts; the BSP waits for that, prints "1" and halts.

%include "flat32.inc"

TRAMPOLINE  equ 0x8000
ONE         equ 1 << 24         ; ICRHI: APIC id 1
INIT        equ 0x4500
SIPI        equ 0x4608          ; start at page 8: TRAMPOLINE
COUNTED     equ 0x500

        mov esi, ap_start
        mov edi, TRAMPOLINE
        mov ecx, ap_end - ap_start
        rep movsb
send_init:
        mov dword [ICR_HIGH], ONE
        mov dword [ICR], INIT
        mov ecx, 64
delay:  pause
        loop delay
send_sipi:
        mov dword [ICR], SIPI
wait_ap:
        pause
        cmp byte [COUNTED], 0
        je wait_ap
started:
        mov al, '1'
        mov dx, COM1
        out dx, al
done:   hlt
        jmp done

bits 16
ap_start:                               ; runs at 0800:0000
        xor ax, ax
        mov ds, ax
        inc byte [COUNTED]
.sleep: hlt
        jmp .sleep
ap_end:
