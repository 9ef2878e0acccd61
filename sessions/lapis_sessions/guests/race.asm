; race: a wake-up that is lost when an interrupt comes at the wrong moment.
;
;   nasm -f bin -o race.bin race.asm
;
; The AP sleeps until the BSP has set READY. It looks at READY and halts with
; interrupts on throughout; an IPI between look and HLT wakes nobody, and both
; processors sleep for ever. In every other order the AP answers, the BSP
; prints "done" on COM1 and ends the run by the debug exit. All in real mode,
; with the APICs in x2APIC mode.
READY   equ 0x0700
DONE    equ 0x0702
HANDLER equ 0x0600                      ; where the handler is copied, segment 0
AP      equ 0x8000                      ; where the AP starts
VECTOR  equ 0x40
COM1    equ 0x3F8
EXIT    equ 0xF4                        ; isa-debug-exit

INIT    equ 0x0000C500                  ; ICR: INIT, assert, level
STARTUP equ 0x00004608                  ; SIPI at page 8: AP
IPI     equ 0x00004000 + VECTOR         ; fixed

        org 0x10000
bits 16
%macro  wrmsr_to 2-3 0                  ; MSR, value, its upper half
        mov ecx, %1
        mov eax, %2
        mov edx, %3
        wrmsr
%endmacro
%macro  copy 3                          ; from, its end, to: segment 0
        mov si, %1 - start
        mov di, %3
        mov cx, %2 - %1
        rep movsb
%endmacro

start:  cli
        cld
        xor ax, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        mov ax, cs
        mov ds, ax
        copy handler, handler_end, HANDLER
        copy ap, ap_end, AP
        xor ax, ax
        mov ds, ax
        mov word [VECTOR * 4], HANDLER
        mov word [VECTOR * 4 + 2], 0
        wrmsr_to 0x1B, 0xFEE00D00       ; APICBASE: x2APIC, BSP
        wrmsr_to 0x80F, 0x1FF           ; SVR: on
        wrmsr_to 0x830, INIT, 1
        wrmsr_to 0x830, STARTUP, 1
        mov cx, 300                     ; something to do
.work:  loop .work
        mov byte [READY], 1
        wrmsr_to 0x830, IPI, 1
.wait:  cli                             ; as it should be done: nothing can
        cmp byte [DONE], 0              ; come between this look
        jne .done
        sti
        hlt                             ; and this
        jmp .wait
.done:  mov dx, COM1
        mov al, 'd'
        out dx, al
        mov al, 'o'
        out dx, al
        mov al, 'n'
        out dx, al
        mov al, 'e'
        out dx, al
        mov al, 0
        out EXIT, al
.end:   hlt
        jmp .end

handler:
        push eax
        push ecx
        push edx
        wrmsr_to 0x80B, 0               ; EOI
        pop edx
        pop ecx
        pop eax
        iret
handler_end:

ap:     cli                             ; at 0800:0000
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x6000
        wrmsr_to 0x1B, 0xFEE00C00       ; APICBASE: x2APIC
        wrmsr_to 0x80F, 0x1FF
        sti
        mov cx, 200                     ; something to do
.work:  loop .work
.wait:  cmp byte [READY], 0
        jne .answer
        hlt                             ; the IPI may have come since
        jmp .wait
.answer:
        mov byte [DONE], 1
        wrmsr_to 0x830, IPI, 0
.end:   hlt
        jmp .end
ap_end:
