; ipi-ping: one processor interrupts the other, without end.
;
;   nasm -f bin -o ipi-ping.bin ipi-ping.asm
;
; The bootstrap processor starts one application processor, which halts and
; waits. Then it sends it vector 0x31 and spins until the handler has counted
; it, and again. Each turn is one IPI accepted, delivered and ended. Both run
; in 32-bit protected mode, flat. It needs 2 vCPUs and prints nothing.
;
; Guest-physical memory: 0x8000 the AP's real-mode code, 0x10000 this image,
; `count` the IPIs that were handled.

TRAMPOLINE  equ 0x8000
CODE32      equ 0x08
DATA        equ 0x10
LAPIC       equ 0xFEE00000
EOI         equ LAPIC + 0x0B0
SVR         equ LAPIC + 0x0F0
ICR         equ LAPIC + 0x300
VECTOR      equ 0x31
INIT_ALL    equ 0x000C4500      ; all but self, assert, INIT
SIPI_ALL    equ 0x000C4608      ; start-up at page 8
IPI_ALL     equ 0x000C4000 + VECTOR

        org 0x10000
bits 16
start:  cli
        cld
        mov ax, cs
        mov ds, ax
        mov ax, TRAMPOLINE >> 4
        mov es, ax
        mov si, ap_start - start
        xor di, di
        mov cx, ap_end - ap_start
        rep movsb
        o32 lgdt [gdt_pointer - start]
        mov eax, cr0
        or al, 1                        ; PE
        mov cr0, eax
        jmp dword CODE32:bsp

ap_start:                               ; runs at 0x8000, real mode
        cli
        o32 lgdt [cs:ap_pointer - ap_start]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword CODE32:ap
ap_pointer:
        dw gdt_end - gdt - 1
        dd gdt
ap_end:

        align 8
gdt:    dq 0
        dq 0x00CF9B000000FFFF           ; flat 32-bit code
        dq 0x00CF93000000FFFF           ; flat data
gdt_end:
gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt

bits 32
bsp:    mov eax, DATA
        mov ds, eax
        mov ss, eax
        mov esp, 0x7000
        mov dword [SVR], 0x1FF          ; enabled
        mov dword [ICR], INIT_ALL
        mov dword [ICR], SIPI_ALL
wait_ap:
        pause
        cmp dword [ready], 0
        je wait_ap
ping:   mov ebx, [count]
        mov dword [ICR], IPI_ALL
wait_ping:
        pause
        cmp [count], ebx
        je wait_ping
        jmp ping

ap:     mov eax, DATA
        mov ds, eax
        mov ss, eax
        mov esp, 0x6000
        lidt [idt_pointer]
        mov dword [SVR], 0x1FF
        mov dword [ready], 1
        sti
sleep:  hlt
        jmp sleep

handler:
        inc dword [count]
        mov dword [EOI], 0
        iret

        align 8
idt:    times VECTOR dq 0
        dw handler - start, CODE32, 0x8E00, 1   ; the image is at 0x10000
idt_end:
idt_pointer:
        dw idt_end - idt - 1
        dd idt
        align 4
ready:  dd 0
count:  dd 0
