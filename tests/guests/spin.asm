; spin: count in memory, in long mode, without end.
%include "long-mode.inc"
again:  inc dword [counter]
        jmp again

        align 4096                      ; apart from the code's page
counter: dd 0
