; stuck-floats: x87 and SSE with modes of their own, reckoned with for ever.
;
; No status word is kept: the processor underneath raises no PE.
; SDM Vol. 1 "x87 FPU Control Word", "MXCSR Control and Status Register". What a monitor
; tells of them is taken, or the sums would differ.
%include "stuck.inc"
main:   mov rax, cr4
        or eax, 0x600                           ; OSFXSR, OSXMMEXCPT
        mov cr4, rax
        fninit
        fldcw [.to_zero]
        ldmxcsr [.upward]
        fldpi
        fldl2t
        fld1
        movaps xmm3, [.numbers]
        movaps xmm12, [.numbers + 16]
        mov edi, SUMS
        jmp wait_by_floats

        align 16
.numbers:
        dq 3.141592653589793, 1.0e-3, 2.718281828459045, 0.1
.to_zero:
        dw 0x0E7F                               ; to zero, 53 bits
.upward:
        dd 0x5F80                               ; upwards
