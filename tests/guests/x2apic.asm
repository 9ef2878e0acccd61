; x2apic: switch the local APIC to x2APIC mode, read its id, INIT all others.
%include "long-mode.inc"
APIC_BASE  equ 0x1B                     ; the MSR; bit 11 enable, bit 10 x2APIC
X2APIC_ID  equ 0x802                    ; 32 bits, all id
X2APIC_ICR equ 0x830                    ; 64 bits, the upper half the target
INIT_ALL   equ 0x000C4500               ; all but self, assert, INIT

        mov ecx, APIC_BASE
        rdmsr
        or eax, 1 << 11 | 1 << 10
enable: wrmsr
        mov ecx, X2APIC_ID
read:   rdmsr
        mov ebp, eax                    ; the id
        mov ecx, X2APIC_ICR
        xor edx, edx
        mov eax, INIT_ALL
send:   wrmsr
sleep:  hlt
        jmp sleep
