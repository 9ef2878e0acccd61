; mmio-forms: each way to read and write a device that nobody models.
%include "long-mode.inc"
RAM     equ 0x9000                      ; 64 bytes of scratch

        mov ebx, DEVICE
        mov rax, 0x8877665544332211
writes: mov [rbx + 0x00], al            ; registers, 1 to 8 bytes
        mov [rbx + 0x02], ax
        mov [rbx + 0x04], eax
        mov [rbx + 0x08], rax
        mov byte [rbx + 0x10], 0xA1     ; constants
        mov word [rbx + 0x12], 0xA2A1
        mov dword [rbx + 0x14], 0xA4A3A2A1
        mov qword [rbx + 0x18], -2      ; 32 bits, sign-extended
        mov [qword DEVICE + 0x20], eax  ; the address within the instruction
reads:  mov cl, [rbx + 0x00]
        mov cx, [rbx + 0x02]
        mov ecx, [rbx + 0x04]
        mov rcx, [rbx + 0x08]
        mov r8, [rbx + 0x08]
        mov eax, [qword DEVICE + 0x20]
zero:   movzx cx, byte [rbx + 0x28]     ; zero-extended
        movzx ecx, byte [rbx + 0x28]
        movzx rcx, byte [rbx + 0x28]
        movzx ecx, word [rbx + 0x2A]
        movzx rcx, word [rbx + 0x2A]
sign:   movsx cx, byte [rbx + 0x28]     ; sign-extended
        movsx ecx, byte [rbx + 0x28]
        movsx rcx, byte [rbx + 0x28]
        movsx ecx, word [rbx + 0x2A]
        movsx rcx, word [rbx + 0x2A]
        movsxd rcx, dword [rbx + 0x2C]
stores: lea rdi, [rbx + 0x40]
        stosb
        lea rdi, [rbx + 0x42]
        stosw
        stosd
        stosq
        mov ecx, 3
        rep stosd
to_device:
        mov esi, RAM                    ; from RAM to the device
        lea rdi, [rbx + 0x60]
        movsq
        movsd
        movsw
        movsb
from_device:
        lea rsi, [rbx + 0x80]           ; from the device to RAM
        mov edi, RAM
        movsq
        movsd
        movsw
        movsb
sleep:  hlt
        jmp sleep
