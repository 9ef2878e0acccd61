; stuck-tpr: the TPR is left at 0x50, and vector 0x41 waits in the IRR.
%include "stuck.inc"
main:   on_vector 0x41
        start_ap
        mov dword [rbx + TPR], 0x50
        mov dword [rbx + ICR2], 0
        mov dword [rbx + ICR], 0x4041           ; to oneself
        sti
        jmp wait_for_it
