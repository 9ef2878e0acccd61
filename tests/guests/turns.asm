; turns: every processor counts in the same word, loads and stores apart.
;
; The BSP starts all others by one INIT and one SIPI, counts twice and halts for
; good; each AP counts once and does so too. Nothing waits for anything, so that
; it is known how many schedules there are. In real mode, with the BSP's APIC in
; x2APIC mode.
COUNT   equ 0x0700
AP      equ 0x8000                      ; where the APs start

INIT    equ 0x000CC500                  ; ICR: INIT, assert, level, all but self
STARTUP equ 0x000C4608                  ; SIPI at page 8: AP, all but self

        org 0x10000
bits 16
%macro  wrmsr_to 2                      ; MSR, value
        mov ecx, %1
        mov eax, %2
        xor edx, edx
        wrmsr
%endmacro
%macro  count 0
        mov ax, [COUNT]
        inc ax
        mov [COUNT], ax
%endmacro

start:  cli
        cld
        xor ax, ax
        mov es, ax
        mov ax, cs
        mov ds, ax
        mov si, ap - start
        mov di, AP
        mov cx, ap_end - ap
        rep movsb
        xor ax, ax
        mov ds, ax
        wrmsr_to 0x1B, 0xFEE00D00       ; APICBASE: x2APIC, BSP
        wrmsr_to 0x80F, 0x1FF           ; SVR: on
        wrmsr_to 0x830, INIT
        wrmsr_to 0x830, STARTUP
        count
        count
        hlt

ap:     xor ax, ax                      ; at 0800:0000
        mov ds, ax
        count
        hlt
ap_end:
