; vie-atomics: a register of a device as a flag, a lock and a counter.
;
; What each came to stands from RESULTS on, 4 bytes each.
%include "long-mode.inc"
RESULTS equ 0x9000

        mov ebx, DEVICE
        lock or dword [rbx + 0x10], 0x10
        lock and dword [rbx + 0x10], ~1
        lock bts dword [rbx + 0x10], 8
        setc [RESULTS]                  ; it was clear
        lock bts dword [rbx + 0x10], 8
        setc [RESULTS + 4]              ; now it was set
acquire:
        inc dword [RESULTS + 8]         ; how often it was tried
        xor eax, eax
        mov ecx, 0x55
        lock cmpxchg [rbx + 0x14], ecx
        jne acquire
        mov edx, 3
        lock xadd [rbx + 0x18], edx
        mov [RESULTS + 12], edx
        mov eax, 0x77
        xchg eax, [rbx + 0x18]
        mov [RESULTS + 16], eax
        mov eax, 1                      ; EDX:EAX is not what is there
        xor edx, edx
        lock cmpxchg8b [rbx + 0x20]
        mov [RESULTS + 20], eax
        mov [RESULTS + 24], edx
        dec word [rbx + 0x18]
        neg byte [rbx + 0x18]
sleep:  hlt
        jmp sleep
