; timer: sleep in HLT until the APIC timer fires; count how often it did at TICKS.
TICKS   equ 0x0700
HANDLER equ 0x0600                      ; where the handler is copied, segment 0
VECTOR  equ 0x40

        org 0x10000
bits 16
%macro  wrmsr_to 2                      ; MSR, value
        mov ecx, %1
        mov eax, %2
        xor edx, edx
        wrmsr
%endmacro

start:  cli
        xor ax, ax
        mov ss, ax
        mov ds, ax
        mov es, ax
        mov sp, 0x8000
        mov word [VECTOR * 4], HANDLER
        mov word [VECTOR * 4 + 2], 0
        mov ax, cs                      ; the handler into segment 0
        mov ds, ax
        mov si, handler - start
        mov di, HANDLER
        mov cx, end - handler
        cld
        rep movsb
        mov ds, cx
        wrmsr_to 0x1B, 0xFEE00D00       ; APICBASE: x2APIC, BSP
        wrmsr_to 0x80F, 0x1FF           ; SVR: on, spurious vector 0xFF
        wrmsr_to 0x83E, 0x0B            ; divide by 1
        wrmsr_to 0x832, VECTOR          ; LVT timer: one-shot
arm:    wrmsr_to 0x838, 1000000         ; initial count
        sti
sleep:  hlt
        jmp sleep

handler:
        inc word [TICKS]
        wrmsr_to 0x80B, 0               ; EOI
        iret
end:
