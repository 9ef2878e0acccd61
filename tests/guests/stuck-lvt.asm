; stuck-lvt: the timer is armed while its LVT entry is masked; vCPU 1 is in cli; hlt.
%include "stuck.inc"
main:   on_vector 0x40
        start_ap
        mov dword [rbx + DIVIDE], 0xB           ; by 1
        mov dword [rbx + LVTT], 0x1_0000 | 0x2_0000 | 0x40
        mov dword [rbx + TIMER], 1000000
        sti
        jmp wait_for_it
