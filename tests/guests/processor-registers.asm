; processor-registers: what control registers and MSRs do not take is #GP(0), and
; what they take reads back; and CPUID agrees with them. In long mode at CPL 0.
;
; SDM Vol. 2B "MOV - Move to/from Control Registers", "WRMSR"; Vol. 3A "Control
; Registers", "Memory Cache Control".
; Not for QEMU: TCG of version 7.2 lets paging end in 64-bit code and PAE in long
; mode, and does not come to the end.
%include "fabric.inc"

%macro refused 2                ; name, value: rax to the register of `put`
        mov rax, %2
        faults put
        check %1, 0
%endmacro
%macro wrong 3                  ; name, MSR, value: WRMSR is #GP(0)
        mov ecx, %2
        mov rax, %3
        mov rdx, rax
        shr rdx, 32
        faults wrmsr
        check %1, 0
%endmacro
%macro right 3                  ; name, MSR, value: it reads back
        mov ecx, %2
        mov rax, %3
        mov rdx, rax
        shr rdx, 32
        faults wrmsr
        rdmsr
        shl rdx, 32
        mov eax, eax
        or rax, rdx
        check %1, %3
%endmacro

main:
%define put mov cr0, rax
        mov r12, cr0
        mov r13, 1 << 32
        or r13, r12
        refused "CR0: bit 32", r13
        mov r13, r12
        btr r13, 0
        refused "CR0: PG without PE", r13
        mov r13, r12
        bts r13, 29
        btr r13, 30
        refused "CR0: NW without CD", r13
        mov r13, r12
        btr r13, 31
        refused "CR0: paging cannot end in 64-bit code", r13
        mov r12, cr0
        mov rax, cr0
        sub rax, r12
        check "CR0 is as it was", 0
%define put mov cr4, rax
        mov r12, cr4
        mov r13, r12
        btr r13, 5
        refused "CR4: PAE cannot be cleared", r13
        mov r13, r12
        bts r13, 15
        refused "CR4: bit 15", r13
        mov r13, r12
        bts r13, 63
        refused "CR4: bit 63", r13
        mov r13, r12
        bts r13, 13
        refused "CR4: VMXE without VMX", r13
        mov rax, cr4
        sub rax, r12
        check "CR4 is as it was", 0
%define put mov cr8, rax
        mov r13, 16
        refused "CR8: bit 4", r13

        wrong "EFER: bit 1", 0xC0000080, 0x502
        wrong "EFER: LME under paging", 0xC0000080, 0x400
        wrong "LSTAR: not canonical", 0xC0000082, 0x800000000000
        wrong "KERNEL_GS_BASE: not canonical", 0xC0000102, 0x8000000000000000
        wrong "FS_BASE: not canonical", 0xC0000100, 0x1000000000000
        right "LSTAR", 0xC0000082, 0xFFFF800000001000
        right "the PAT", 0x277, 0x0007040600070401
        wrong "the PAT: type 2", 0x277, 0x0007040600070402
        wrong "the PAT: type 3 in the last", 0x277, 0x0307040600070406
        wrong "an MTRR: type 7", 0x250, 0x07
        wrong "an MTRR: beyond memory", 0x200, 0x10000000006
        wrong "MTRRCAP", 0xFE, 0
        wrong "no such MSR", 0x12345, 0
        wrong "an x2APIC register in xAPIC mode", 0x808, 0
        right "an MTRR", 0x200, 0x00C0000006

        ; CPUID and the registers: OSXSAVE follows CR4, XCR0 what leaf 0DH offers.
        mov eax, 1
        xor ecx, ecx
        push rbx
        cpuid
        pop rbx
        shr ecx, 26
        and ecx, 3
        mov r14d, ecx
        mov eax, ecx
        check "XSAVE is offered, and is off", 1
        mov rax, cr4
        bts rax, 18
        mov cr4, rax
        mov eax, 1
        push rbx
        cpuid
        pop rbx
        shr ecx, 26
        and ecx, 3
        mov eax, ecx
        check "OSXSAVE", 3
        xor ecx, ecx
        xgetbv
        check "XCR0 after reset", 1
        xor ecx, ecx
        xor edx, edx
        mov eax, 2
        faults xsetbv
        check "XCR0 without x87", 0
        mov eax, 0xD
        xor ecx, ecx
        push rbx
        cpuid
        pop rbx
        not eax
        or eax, 1
        mov edx, 0
        xor ecx, ecx
        faults xsetbv
        check "XCR0 with what is not offered", 0
        ret
