; stuck-sipi: the SIPI goes to APIC id 2, and there are 0 and 1: vCPU 1 waits for ever.
%include "stuck.inc"
main:   mov dword [rbx + ICR2], 1 << 24
        mov dword [rbx + ICR], INIT
        mov dword [rbx + ICR2], 2 << 24         ; not 1
        mov dword [rbx + ICR], SIPI | 0x08
        jmp wait_for_it
