; processor-calls: SYSCALL, SYSRET, SYSENTER and SYSEXIT between 64-bit and 32-bit
; user code and a 64-bit kernel, with TF, and each check that refuses them.
;
; SDM Vol. 2B "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT". QEMU's TCG agrees, but that it
; checks no canonical address, takes SYSCALL in compatibility mode, and of
; IA32_SYSENTER_CS looks at all bits (left out there); its SYSCALL clears CF.
%include "fabric.inc"

GO_ON       equ SHARED + 0x80   ; where the kernel's entry goes on
STEPS       equ SHARED + 0x88   ; single-step traps so far
STEP_RIP    equ SHARED + 0x90   ; where the last one was

KERNEL_TOP  equ 0x24000         ; RSP of CPL 0 after an exception of the user
ENTER_TOP   equ 0x26000         ; IA32_SYSENTER_ESP
USER_TOP    equ 0x28000

CF          equ 1
TF          equ 1 << 8
IF          equ 1 << 9
DF          equ 1 << 10
HOLE        equ 0x8000_0000_0000

%macro write_msr 2-3 0          ; MSR, low half, high half
        mov ecx, %1
        mov eax, %2
        mov edx, %3
        wrmsr
%endmacro

; Go to CPL 3, to the code that follows, in 64 or in 32 bits; %2 are its flags.
%macro user 1-2 2               ; bits
        mov ecx, %%user
        mov r11d, %2
  %if %1 = 64
        o64 sysret
  %else
        sysret
  %endif
        bits %1
%%user:
%endmacro

; Go back to CPL 0, to the code that follows. r11 and rcx are the processor's.
%macro kernel 0-1               ; flags to have before, on the way
        mov dword [GO_ON], %%kernel
  %if %0 = 1
        push %1
        popfq
  %endif
        syscall
        bits 64
%%kernel:
%endmacro

main:
        lgdt [own_gdt_pointer]
        mov eax, tss
        mov [own_gdt + 0x40 + 2], ax
        mov eax, 0x40
        ltr ax
        mov byte [0x70000], TABLE | 4           ; U, all the way down
        mov byte [0x71000], TABLE | 4
        mov byte [0x72000], LARGE | 4
        mov rax, cr3
        mov cr3, rax
        on 1, step
        on 6, recover_undefined
        write_msr 0xC0000081, 0, 0x0020_0010 | 3 << 16
        write_msr 0xC0000082, entry
        write_msr 0xC0000084, TF | IF | DF
        write_msr 0x174, 0x10
        write_msr 0x175, ENTER_TOP
        write_msr 0x176, entry

        ; Off, until EFER.SCE.
        faults syscall
        check "SYSCALL without EFER.SCE is #UD", 0x600
        faults o64 sysret
        check "so is SYSRET", 0x600
        mov ecx, 0xC0000080
        rdmsr
        or eax, 1
        wrmsr

        ; There and back in 64 bits.
        user 64, CF | IF | 0x40_0000 | 2        ; bit 22 is reserved
        mov r12, cs
        mov r13, ss
        pushfq
        pop r14
        stc
        std
        mov r10, rsp
        mov dword [GO_ON], back
        syscall
after:
back:   pushfq
        pop r15
        cld
        mov r8, rcx
        mov r9, r11
        mov rax, r12
        check "SYSRET with REX.W: CS is STAR[63:48] + 16", 0x33
        mov rax, r13
        check "SS is STAR[63:48] + 8", 0x2B
        mov rax, r14
        check "RFLAGS is R11 less what is reserved", CF | IF | 2
        mov rax, cs
        check "SYSCALL: CS is STAR[47:32]", 0x10
        mov rax, ss
        check "SS is STAR[47:32] + 8", 0x18
        mov rax, r8
        check "RCX is the address behind SYSCALL", after
        mov rax, r9
        check "R11 is RFLAGS", CF | IF | DF | 2
        mov rax, r15
%ifdef QEMU
        or al, CF
%endif
        check "RFLAGS is less IA32_FMASK", CF | 2
        mov rax, r10
        sub rax, rsp
        check "RSP is left as it is", 0

        ; To 32-bit code; only bits 31:0 of RCX count.
        mov r10, rsp
        mov rcx, narrow + 0xFFFF_0000_0000
        mov r11d, 2
        sysret
bits 32
narrow: mov esi, cs
        mov edi, ss
        mov dword [GO_ON], from_narrow
        sysenter
bits 64
from_narrow:
        mov rsp, r10
        mov r12d, esi
        mov r13d, edi
        mov eax, r12d
        check "SYSRET: CS is STAR[63:48]", 0x23
        mov eax, r13d
        check "SS is STAR[63:48] + 8 there too", 0x2B

        ; SYSENTER and SYSEXIT in 64 bits.
        user 64, CF | IF | DF | 2
        mov r10, rsp
        mov dword [GO_ON], entered
        sysenter
entered:
        pushfq
        pop r15
        cld
        mov r14, rsp
        mov r12, cs
        mov r13, ss
        mov rsp, r10
        mov rax, r12
        check "SYSENTER: CS is IA32_SYSENTER_CS", 0x10
        mov rax, r13
        check "SS is it + 8", 0x18
        mov rax, r14
        check "RSP is IA32_SYSENTER_ESP", ENTER_TOP
        mov rax, r15
        check "RFLAGS is less IF", CF | DF | 2
        mov r10, rsp
        mov ecx, USER_TOP
        mov edx, exited
        stc
        o64 sysexit
exited: mov r12, cs
        mov r13, ss
        mov r14, rsp
        pushfq
        pop r15
        kernel
        mov rsp, r10
        mov rax, r12
        check "SYSEXIT with REX.W: CS is IA32_SYSENTER_CS + 32", 0x33
        mov rax, r13
        check "SS is it + 40", 0x3B
        mov rax, r14
        check "RSP is RCX", USER_TOP
        mov rax, r15
        and eax, ~0x8D4                         ; what `check` left
        check "RFLAGS stays", CF | 2

        ; To 32-bit code and back, by SYSENTER from compatibility mode.
        mov ecx, USER_TOP
        mov edx, exited_32
        sysexit
bits 32
exited_32:
        mov esi, cs
        mov edi, ss
        mov ebp, esp
        mov dword [GO_ON], entered_32
        sysenter
bits 64
entered_32:
        mov r12d, esi
        mov r13d, edi
        mov r14d, ebp
        mov ebp, OWN_PAGES
        mov r15, rsp
        mov rsp, r10
        mov eax, r12d
        check "SYSEXIT: CS is IA32_SYSENTER_CS + 16", 0x23
        mov eax, r13d
        check "SS is it + 24", 0x2B
        mov eax, r14d
        check "ESP is ECX", USER_TOP
        mov rax, r15
        check "and back: all of RSP is loaded", ENTER_TOP

        ; TF is looked at when the instruction is done.
        user 64
        kernel TF | 2
        mov eax, [STEPS]
        check "TF in IA32_FMASK: SYSCALL is no trap", 0
        mov rax, r11
        and eax, TF
        check "R11 has it", TF
        user 64, TF | 2
stepped:
        kernel
        mov eax, [STEPS]
        check "SYSRET to a set TF is a trap", 1
        mov rax, [STEP_RIP]
        check "before the first instruction", stepped
        write_msr 0xC0000084, IF | DF
        user 64
        kernel TF | 2
        mov eax, [STEPS]
        check "TF not in IA32_FMASK: SYSCALL is a trap", 2
        mov rax, [STEP_RIP]
        check "at the kernel's entry", entry
        user 64
        mov dword [GO_ON], entered_tf
        push TF | 2
        popfq
        sysenter
entered_tf:
        mov rsp, r10
        mov eax, [STEPS]
        check "SYSENTER with TF is a trap", 3
        mov rax, [STEP_RIP]
        check "at the kernel's entry too", entry
        write_msr 0xC0000084, TF | IF | DF

        ; CPL 3.
        user 64
        faults o64 sysret
        mov r12, rax
        faults o64 sysexit
        mov r13, rax
        kernel
        mov rax, r12
        check "SYSRET at CPL 3 is #GP(0)", 0
        mov rax, r13
        check "so is SYSEXIT", 0

        ; A null selector.
        write_msr 0x174, 0
        faults sysenter
        check "SYSENTER with IA32_SYSENTER_CS = 0 is #GP(0)", 0
        faults sysexit
        check "so is SYSEXIT there", 0
%ifndef QEMU
        write_msr 0x174, 3
        faults sysenter
        check "RPL does not count there", 0
        write_msr 0x174, 0x10

        ; Addresses that are not canonical.
        mov rcx, HOLE
        faults o64 sysret
        check "SYSRET to a RIP that is not canonical is #GP(0)", 0
        mov rax, cs
        check "at CPL 0", 0x10
        mov rdx, HOLE
        xor ecx, ecx
        faults o64 sysexit
        check "so is SYSEXIT to one", 0
        xor edx, edx
        mov rcx, HOLE
        faults o64 sysexit
        check "and with such a RSP", 0

        ; SYSCALL is for 64-bit code.
        user 32
        mov dword [RECOVER], undefined_32
        mov dword [GP_ERROR], 0x100
        mov dword [GO_ON], undefined_32
        syscall
undefined_32:
        mov dword [RECOVER], 0
        mov esi, [GP_ERROR]
        mov edx, 0x1234_5678                    ; clear of the above
        mov dword [GO_ON], entered_again
        sysenter
bits 64
entered_again:
        mov rsp, r10
        mov eax, esi
        check "SYSCALL in compatibility mode is #UD", 0x600
%endif
        ret

; The kernel's entry by SYSCALL and SYSENTER.
entry:  jmp [GO_ON]

; Handler of #DB: count it, and go on without TF.
step:   inc qword [STEPS]
        mov rcx, [rsp + AT_RIP]
        mov [STEP_RIP], rcx
        and dword [rsp + AT_RFLAGS], ~TF
        ret

; Handler of #UD: as `recover`, with 0x600 for an error code.
recover_undefined:
        mov rcx, [RECOVER]
        jrcxz .stray
        mov qword [GP_ERROR], 0x600
        mov [rsp + AT_RIP], rcx
        ret
.stray: jmp stray

        align 8
own_gdt:
        dq 0
        dq 0x00CF9B000000FFFF                   ; 0x08: flat 32-bit code
        dq 0x00AF9B000000FFFF                   ; 0x10: 64-bit code
        dq 0x00CF93000000FFFF                   ; 0x18: flat data
        dq 0x00CFFB000000FFFF                   ; 0x20: the user's 32-bit code
        dq 0x00CFF3000000FFFF                   ; 0x28: and data
        dq 0x00AFFB000000FFFF                   ; 0x30: and 64-bit code
        dq 0x00CFF3000000FFFF                   ; 0x38: and data again
        dq 0x0000890100000067                   ; 0x40: a TSS at 1xxxx
        dq 0
own_gdt_pointer:
        dw own_gdt_pointer - own_gdt - 1
        dq own_gdt

tss:    dd 0
        dq KERNEL_TOP
        times 0x68 - 12 db 0
