; stale-sipi: INIT, SIPI, SIPI; and later INIT again, without a SIPI.
;
;   nasm -f bin -o stale-sipi.bin stale-sipi.asm
;
; The AP starts at page 8. The second SIPI names page 9, where it must never get: it
; finds the AP running. The last INIT must leave the AP waiting.
; Each page writes its number to 0x500.

%include "flat32.inc"

ONE         equ 1 << 24         ; ICRHI: APIC id 1
WHERE       equ 0x500           ; page at which the AP was started last

        mov esi, page
        mov edi, 0x8000
        mov ecx, page_end - page
        rep movsb
        mov esi, page
        mov edi, 0x9000
        mov ecx, page_end - page
        rep movsb
        mov dword [ICR_HIGH], ONE
first_init:
        mov dword [ICR], 0x4500
        call pause_a_while
first_sipi:
        mov dword [ICR], 0x4608
        call pause_a_while
second_sipi:
        mov dword [ICR], 0x4609
        call pause_a_while
last_init:
        mov dword [ICR], 0x4500
        call pause_a_while
done:   hlt
        jmp done

pause_a_while:
        mov ecx, 64
.turn:  pause
        loop .turn
        ret

bits 16
page:   mov ax, cs                      ; 0x800 or 0x900
        xor bx, bx
        mov ds, bx
        mov [WHERE], ah
.sleep: hlt
        jmp .sleep
page_end:
