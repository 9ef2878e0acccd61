; fabric-x2apic: eighteen processors in x2APIC mode: ids, clusters, the registers
; as MSRs, and the ways between the modes.
;
; SDM Vol. 3A "Extended XAPIC (x2APIC)", and in it "x2APIC Register Availability",
; "x2APIC State Transitions", "Logical Destination Mode in x2APIC Mode".
; QEMU's TCG has no x2APIC in version 7.2.
%define PROCESSORS 18
%include "fabric.inc"

ALL_OF_THEM equ (1 << PROCESSORS) - 1
RIGHT       equ SHARED + 0x80   ; processors whose id and LDR are right
AP_LDR      equ SHARED + 0x90   ; the LDR of each, 4 bytes
IN_HANDLER  equ SHARED + 0x88   ; what a handler saw

BASE        equ 0xFEE00100      ; APICBASE of the BSP, without a mode
XAPIC       equ BASE | 1 << 11
WIDER       equ BASE | 1 << 11 | 1 << 10
IMPOSSIBLE  equ BASE | 1 << 10

%macro read 1                   ; MSR
        mov ecx, %1
        rdmsr
%endmacro
%macro get 1                    ; eax = the register with that offset, by MSR
        read X2APIC + (%1) / 16
%endmacro
%macro write 2-3 0              ; MSR, value, its upper half
        mov ecx, %1
        mov eax, %2
        mov edx, %3
        wrmsr
%endmacro
%macro set 2-3 0                ; the register with that offset, by MSR
        write X2APIC + (%1) / 16, %2, %3
%endmacro
%macro ipi 3                    ; vector, rest of the ICR, destination
        set ICR, FIXED | (%2) | (%1), %3
        call barrier
        who %1
%endmacro

main:
        mov dword [rbx + SVR], ON
%assign vector 0x40
%rep 16
        on vector, count
  %assign vector vector + 1
%endrep
        on 0x31, note
        on 0x61, end_twice
        call start_aps

        ; xAPIC mode.
        mov eax, 1
        xor ecx, ecx
        push rbx
        cpuid
        pop rbx
        shr ecx, 21
        and ecx, 1
        mov eax, ecx
        check "CPUID offers x2APIC", 1
        read APIC_BASE
        check "APICBASE: at 0xFEE00000, enabled, BSP", XAPIC
        faults get ID
        check "in xAPIC mode the MSRs are #GP(0)", 0
        faults write APIC_BASE, IMPOSSIBLE
        check "xAPIC to EXTD without EN is #GP(0)", 0
        faults write APIC_BASE, XAPIC | 1 << 9
        check "a reserved bit of APICBASE is #GP(0)", 0
        mov dword [rbx + LDR], 0x01000000
        mov dword [rbx + TPR], 0x25
        mov dword [rbx + LVT_TIMER], MASKED | 0x77
        mov dword [rbx + ICR_HIGH], 0x12000000

        ; On to x2APIC mode, all of them.
        mov eax, go_wide
        call on_all
        check "17 processors answer by MSR", 17
        read APIC_BASE
        check "APICBASE in x2APIC mode", WIDER
        get ID
        check "the id", 0
        get LDR
        check "the LDR is derived: the one written is gone", 0x00000001
        get TPR
        check "the TPR is kept", 0x25
        get LVT_TIMER
        check "LVT timer is kept", MASKED | 0x77
        get ICR
        mov eax, edx
        check "the upper half of the ICR is not", 0
        set TPR, 0
        mov eax, look
        call on_all
        mov eax, [RIGHT]
        check "18 processors derive the LDR from the id", 18
        mov eax, [AP_LDR + 15 * 4]
        check "LDR of processor 15: cluster 0, bit 15", 0x00008000
        mov eax, [AP_LDR + 16 * 4]
        check "LDR of processor 16: cluster 1, bit 0", 0x00010001
        mov eax, [AP_LDR + 17 * 4]
        check "LDR of processor 17: cluster 1, bit 1", 0x00010002

        ; IPIs in one WRMSR.
        ipi 0x40, 0, 17
        check "id 17", 1 << 17
        ipi 0x41, 0, 0xFF
        check "id 0xFF is nobody, and no broadcast", 0
        ipi 0x42, 0, 0xFFFFFFFF
        check "id 0xFFFFFFFF is all", ALL_OF_THEM
        ipi 0x43, LOGICAL, 0x000080F1
        check "cluster 0, six of its members", 0x80F1
        ipi 0x44, LOGICAL, 0x00010003
        check "cluster 1, both of its members", 3 << 16
        ipi 0x45, LOGICAL, 0x00010002
        check "cluster 1, one of its members", 1 << 17
        ipi 0x46, LOGICAL, 0x00020001
        check "cluster 2, which is empty", 0
        ipi 0x47, LOGICAL, 0xFFFFFFFF
        check "all clusters", ALL_OF_THEM
        ipi 0x48, TO_OTHERS, 3
        check "all but self", ALL_OF_THEM - 1
        ipi 0x49, TO_ALL, 3
        check "all", ALL_OF_THEM
        ipi 0x4A, TO_SELF, 3
        check "self", 1
        ipi 0x4B, 0, 0x00010002
        check "an id is 32 bits", 0
        set ICR, FIXED | 0x4C, 0x12345
        get ICR
        shl rdx, 32
        or rax, rdx
        check "the ICR reads back, 64 bits", 0x1234500000000 | FIXED | 0x4C

        ; SELF IPI, IRR, EOI.
        set 0x3F0, 0x31
        get IRR + 0x10
        check "SELF IPI puts its vector into the IRR", 1 << 0x11
        call let_in
        mov rax, [ORDER]
        check "and it comes", 0x31
        set TPR, 0x30
        mov rax, cr8
        check "TPR by MSR is CR8", 3
        set 0x3F0, 0x31
        call let_in
        mov rax, [ORDER]
        check "and holds 0x31 back", 0x31
        sti
        set TPR, 0x20
after:  nop
        cli
        mov rax, [LAST_RIP]
        check "until a WRMSR lowers it, to the instruction", after
        set TPR, 0
        set 0x3F0, 0x61
        call let_in
        mov eax, [IN_HANDLER]
        check "EOI of other than 0 is #GP(0)", 0
        mov eax, [IN_HANDLER + 4]
        check "and ends nothing", 1 << 1
        get ISR + 0x30
        check "EOI of 0 does", 0

        ; What is not there, or not so.
        faults get ICR_HIGH
        check "reading ICR_HIGH is #GP(0)", 0
        faults set ICR_HIGH, 0
        check "writing ICR_HIGH is #GP(0)", 0
        faults get DFR
        check "reading the DFR is #GP(0)", 0
        faults set DFR, 0xFFFFFFFF
        check "writing the DFR is #GP(0)", 0
        faults set ID, 0
        check "writing the id is #GP(0)", 0
        faults set LDR, 1
        check "writing the LDR is #GP(0)", 0
        faults set VERSION, 0
        check "writing the version is #GP(0)", 0
        faults set PPR, 0
        check "writing the PPR is #GP(0)", 0
        faults set ISR, 0
        check "writing the ISR is #GP(0)", 0
        faults set CURRENT, 0
        check "writing the current count is #GP(0)", 0
        faults get EOI
        check "reading EOI is #GP(0)", 0
        faults get 0x3F0
        check "reading SELF IPI is #GP(0)", 0
        faults get 0x040
        check "an MSR that is no register is #GP(0)", 0
        faults set TPR, 0x100
        check "a reserved bit of the TPR is #GP(0)", 0
        faults set TPR, 0, 1
        check "one in the upper half, too", 0
        faults set SVR, ON | 1 << 10
        check "a reserved bit of the SVR is #GP(0)", 0
        faults set ICR, FIXED | 1 << 20 | 0x40, 1
        check "a reserved bit of the ICR is #GP(0)", 0
        faults set LVT_TIMER, 1 << 19
        check "a reserved bit of LVT timer is #GP(0)", 0
        faults set ESR, 1
        check "writing other than 0 to the ESR is #GP(0)", 0
        call barrier
        who 0x40
        check "and the IPI that was #GP is not sent", 0

        ; INIT leaves the mode.
        set ICR, INIT, 17
        mov ecx, 2000
.init:  pause
        loop .init
        set ICR, STARTUP | (TRAMPOLINE >> 12), 17
        mov ecx, 2000
.sipi:  pause
        cmp dword [ARRIVED], PROCESSORS
        loopne .sipi
        ipi 0x4D, 0, 17
        check "after INIT processor 17 is in x2APIC mode still", 1 << 17

        ; The ways out of x2APIC mode, on the BSP.
        set LVT_TIMER, MASKED | 0x40
        set TPR, 0x30
        faults write APIC_BASE, XAPIC
        check "x2APIC to xAPIC is #GP(0)", 0
        faults write APIC_BASE, IMPOSSIBLE
        check "x2APIC to EXTD without EN is #GP(0)", 0
        read APIC_BASE
        check "and the mode stays", WIDER
        write APIC_BASE, BASE
        read APIC_BASE
        check "x2APIC to disabled is allowed", BASE
        mov eax, 1
        push rbx
        cpuid
        pop rbx
        mov eax, edx
        shr eax, 9
        and eax, 1
        check "disabled, CPUID shows no APIC", 0
        faults get ID
        check "and the MSRs are #GP(0)", 0
        faults write APIC_BASE, WIDER
        check "disabled to x2APIC is #GP(0)", 0
        faults write APIC_BASE, IMPOSSIBLE
        check "disabled to EXTD without EN is #GP(0)", 0
        write APIC_BASE, XAPIC
        mov byte [rbp + WIDE], 0
        mov eax, [rbx + SVR]
        check "disabled to xAPIC: the SVR as after power-up", 0xFF
        mov eax, [rbx + TPR]
        check "the TPR", 0
        mov rax, cr8
        check "CR8", 0
        mov eax, [rbx + LVT_TIMER]
        check "LVT timer", MASKED
        mov eax, [rbx + LDR]
        check "the LDR", 0
        mov eax, [rbx + DFR]
        check "the DFR", 0xFFFFFFFF
        mov eax, [rbx + ID]
        check "the id", 0
        mov eax, [rbx + ICR]
        check "the ICR", 0
        ret

; Every processor: to x2APIC mode.
go_wide:
        read APIC_BASE
        or eax, 1 << 10
        wrmsr
        mov byte [rbp + WIDE], 1
        ret

; Every processor: count it in RIGHT if its id is its number, and its LDR
; follows from that.
look:   mov edi, ebp
        sub edi, OWN_PAGES
        shr edi, 12                     ; its number
        get LDR
        mov [AP_LDR + rdi * 4], eax
        mov ecx, edi
        and ecx, 15
        mov edx, 1
        shl edx, cl
        mov ecx, edi
        shr ecx, 4
        shl ecx, 16
        or edx, ecx
        cmp eax, edx
        jne .end
        get ID
        cmp eax, edi
        jne .end
        lock inc dword [RIGHT]
.end:   ret

; Handler of 0x61.
end_twice:
        faults set EOI, 1
        mov [IN_HANDLER], eax
        get ISR + 0x30
        mov [IN_HANDLER + 4], eax
        set EOI, 0
        ret
