; processor-tasks: switches between tasks in 32-bit protected mode: by INT and by an
; exception through task gates, by far CALL and JMP, and back by IRET; and what faults.
;
; SDM Vol. 3A "Task Management", in it "Task Switching" with its table of exceptions; Vol.
; 2A "CALL", "JMP", "IRET". QEMU's TCG agrees, but that it does not look at T, a fault of
; the new task has the EIP of the old one, an SS that is not present is #NP, and a task
; gate to the LDT is #TS (left out there).
%include "fabric.inc"

GDT         equ 0x34000
IDT_32      equ 0x35000
TSS_A       equ 0x36000         ; the task that tests
TSS_B       equ 0x36100         ; the one it switches to
TSS_C       equ 0x36200         ; one of 16 bits
LDT         equ 0x36300
TSS_10      equ 0x36400         ; handlers of #TS, #NP, #SS and #GP, 256 bytes each
DIRECTORY_A equ 0x30000
DIRECTORY_B equ 0x31000
TABLE_B     equ 0x32000
WINDOW      equ 0x40000         ; what B sees there is at WINDOW + 0x1000
STACK_B     equ 0x39000
STACK_10    equ 0x3A000         ; and 256 bytes on for each
LOW_CODE    equ 0x4000          ; where 16 bits reach

CODE        equ 0x08            ; selectors
DATA        equ 0x18
A           equ 0x20
B           equ 0x28
TABLE_LDT   equ 0x30
GATE        equ 0x38            ; to B
ABSENT      equ 0x40            ; data
C           equ 0x48
SMALL       equ 0x50            ; code of 256 bytes
GATE_LOCAL  equ 0x58            ; to a TSS in the LDT
GATE_ABSENT equ 0x60
HANDLERS_AT equ 0x68            ; four TSSs

SEEN        equ SHARED + 0x80   ; what B has found, see `task_b`
AFTER       equ SHARED + 0xC0   ; how B returns
RECOVER_32  equ SHARED + 0xC4   ; where a fault goes on
OLD_ESP     equ SHARED + 0xC8
FAULT       equ SHARED + 0xCC   ; vector << 16 | error code
FAULT_LINK  equ SHARED + 0xD0   ; task that faulted
FAULT_EIP   equ SHARED + 0xD4   ; where it goes on
TRAP_DR6    equ SHARED + 0xD8
TRAP_EIP    equ SHARED + 0xDC
LONG_RSP    equ SHARED + 0xE0

NT          equ 1 << 14
TS          equ 8

%macro descriptor 4             ; base, limit, access, flags
        dw (%2) & 0xFFFF, (%1) & 0xFFFF
        db (%1) >> 16, %3, (%4) << 4 | (%2) >> 16, (%1) >> 24
%endmacro

; Is eax the value? As `check`, in 32-bit code.
%macro is 2
        mov edx, %2
        mov esi, %%name
        call judge_32
        [section .data]
%%name: db %1, 0
        __SECT__
%endmacro

%macro is_at 3                  ; name, address, value
        mov eax, [%2]
        is {%1}, %3
%endmacro

%macro is_word_at 3
        movzx eax, word [%2]
        is {%1}, %3
%endmacro

%macro is_byte_at 3
        movzx eax, byte [%2]
        is {%1}, %3
%endmacro

%macro nt_is 3                  ; name, where flags are, NT
        mov eax, [%2]
        and eax, NT
        is {%1}, %3
%endmacro

; Do an instruction that shall fault: in which task, and to go on where?
%macro faulting 6+              ; name, vector, error code, task, EIP or 0, instruction
        mov dword [RECOVER_32], %%end
        mov dword [FAULT], 0
        mov [OLD_ESP], esp
%%at:   %6
%%end:  is_at {%1}, FAULT, %2 << 16 | %3
        is_word_at {%1, ": the task"}, FAULT_LINK, %4
%if %4 = A
        is_at {%1, ": EIP"}, FAULT_EIP, %%at
%else
  %ifndef QEMU
        is_at {%1, ": EIP"}, FAULT_EIP, %5
  %endif
%endif
        call fresh
%endmacro

%macro set_nt 0
        pushfd
        or dword [esp], NT
        popfd
%endmacro

main:
        mov [LONG_RSP], rsp
        push CODE
        push to_protected
        o64 retf

bits 32
to_protected:
        mov eax, cr0
        btr eax, 31                     ; PG
        mov cr0, eax
        mov ecx, 0xC0000080             ; EFER
        rdmsr
        btr eax, 8                      ; LME
        wrmsr
        mov eax, cr4
        btr eax, 5                      ; PAE
        bts eax, 4                      ; PSE
        mov cr4, eax
        mov dword [DIRECTORY_A], 0x83   ; 4 MiB
        mov dword [DIRECTORY_B], TABLE_B + 3
        mov edi, TABLE_B
        mov eax, 3
.page:  stosd
        add eax, 0x1000
        cmp eax, 0x400000
        jb .page
        mov dword [TABLE_B + WINDOW / 0x400], WINDOW + 0x1000 + 3
        mov dword [WINDOW], 0xA
        mov dword [WINDOW + 0x1000], 0xB
        mov eax, DIRECTORY_A
        mov cr3, eax
        mov eax, cr0
        bts eax, 31
        mov cr0, eax
        lidt [idt_32_pointer]
        mov dword [IDT_32 + 8], CODE << 16 | (trapped - $$ + 0x10000) & 0xFFFF
        mov dword [IDT_32 + 12], (trapped - $$ + 0x10000) & 0xFFFF0000 | 0x8E00
        mov dword [IDT_32 + 0x40 * 8], B << 16
        mov dword [IDT_32 + 0x40 * 8 + 4], 0x8500
        xor ecx, ecx
.gate:  lea eax, [HANDLERS_AT + ecx * 8]
        shl eax, 16
        mov [IDT_32 + (ecx + 10) * 8], eax
        mov dword [IDT_32 + (ecx + 10) * 8 + 4], 0x8500
        inc ecx
        cmp ecx, 4
        jb .gate
        mov esi, low_code
        mov edi, LOW_CODE
        mov ecx, low_code_end - low_code
        rep movsb
        mov esi, ldt_image
        mov edi, LDT
        mov ecx, 4
        rep movsd
        call fresh

        ; There by an interrupt, with LDT and CR3, and back by IRET.
        mov dword [TSS_B + 0x1C], DIRECTORY_B
        mov dword [TSS_B + 0x60], TABLE_LDT
        mov dword [TSS_B + 0x58], 4             ; FS is in the LDT
        mov ebx, 0x1234_5678
        int 0x40
came_back:
        is_at "INT: EAX is that of the TSS", SEEN, 0x100
        is_at "ESP, too", SEEN + 4, STACK_B
        is_at "EDI, too", SEEN + 8, 0x107
        is_at "NT is set", SEEN + 12, NT | 2
        is_word_at "TR is that of the gate", SEEN + 16, B
        mov eax, [SEEN + 20]
        and eax, TS
        is "CR0.TS is set", TS
        is_word_at "the LDT is loaded", SEEN + 24, TABLE_LDT
        is_word_at "FS is in it", SEEN + 28, 4
        is_at "CR3 is loaded", SEEN + 32, DIRECTORY_B
        is_byte_at "the old task is busy", SEEN + 36, 0x8B
        is_byte_at "the new one, too", SEEN + 37, 0x8B
        is_word_at "and linked to the old one", SEEN + 40, A
        is_at "memory is that of its CR3", SEEN + 44, 0xB
        is_at "the old TSS: EIP", TSS_A + 0x20, came_back
        nt_is "EFLAGS without NT", TSS_A + 0x24, 0
        is_at "EBX", TSS_A + 0x34, 0x1234_5678
        is_word_at "CS", TSS_A + 0x4C, CODE
        is_word_at "SS", TSS_A + 0x50, DATA
        is_at "IRET: EIP goes on behind it", TSS_B + 0x20, task_b_again
        is_at "NT is not saved", TSS_B + 0x24, 2
        is_byte_at "the new task is not busy any more", GDT + B + 5, 0x89
        is_byte_at "the old one is", GDT + A + 5, 0x8B
        xor eax, eax
        str ax
        is "TR is the old one", A
        pushfd
        pop eax
        is "NT is not set", 2
        mov eax, ebx
        is "EBX is as it was", 0x1234_5678
        mov eax, cr3
        is "so is CR3", DIRECTORY_A
        sldt ax
        movzx eax, ax
        is "and no LDT is loaded", 0
        call fresh

        ; CALL nests, JMP does not.
        call B:0
        is_at "CALL: NT is set", SEEN + 12, NT | 2
        is_word_at "it is linked", SEEN + 40, A
        is_byte_at "the old task is busy", SEEN + 36, 0x8B
        is_byte_at "the new one was", GDT + B + 5, 0x89
        call fresh
        mov dword [AFTER], task_b_jmp
        mov word [TSS_B], 0x1111
        jmp B:0
        is_at "JMP: NT is not set", SEEN + 12, 2
        is_word_at "nothing is linked", SEEN + 40, 0x1111
        is_byte_at "the old task is not busy", SEEN + 36, 0x89
        is_byte_at "the new one is", SEEN + 37, 0x8B
        is_byte_at "and is not after a JMP back", GDT + B + 5, 0x89
        is_byte_at "which makes the other busy", GDT + A + 5, 0x8B
        call fresh
        mov dword [AFTER], task_b_jmp
        mov dword [TSS_B + 0x24], NT | 2
        jmp B:0
        is_at "NT of the TSS stays", SEEN + 12, NT | 2
        is_at "and is saved", TSS_B + 0x24, NT | 2
        call fresh

        ; Through task gates, and from memory.
        call GATE:0
        is_word_at "CALL of a task gate", SEEN + 16, B
        is_at "NT is set", SEEN + 12, NT | 2
        call fresh
        mov dword [AFTER], task_b_jmp
        jmp far [to_gate]
behind_far:
        is_word_at "JMP to a task gate, from memory", SEEN + 16, B
        is_at "EIP is behind it", TSS_A + 0x20, behind_far
        call fresh

        ; IRET to a task that was not left by a CALL.
        mov dword [AFTER], task_b_jmp
        mov word [TSS_A], B
        mov byte [GDT + B + 5], 0x8B
        set_nt
        iretd
        is_at "IRET: NT is that of the TSS", SEEN + 12, 2
        is_byte_at "the old task is not busy", SEEN + 36, 0x89
        nt_is "NT is not saved", TSS_A + 0x24, 0
        call fresh

%ifndef QEMU
        ; T: a trap before the first instruction.
        mov byte [TSS_B + 0x64], 1
        mov eax, 0xFFFF0FF0
        mov dr6, eax
        call B:0
        is_at "T is a #DB: DR6", TRAP_DR6, 0xFFFF8FF0
        is_at "before the first instruction", TRAP_EIP, task_b
        is_at "which goes on with NT", SEEN + 12, NT | 2
        call fresh
%endif

        ; 16 bits.
        call C:0
behind_c:
        is_word_at "a 16-bit TSS: TR", SEEN + 16, C
        is_word_at "AX", SEEN, 0x100
        is_word_at "DI", SEEN + 8, 0x107
        is_word_at "FS is null", SEEN + 28, 0
        is_at "EIP is saved in 32 bits", TSS_A + 0x20, behind_c
        is_word_at "IP in 16", TSS_C + 0x0E, LOW_CODE + low_code_again - low_code
        call fresh

        ; Faults of the old task: nothing has changed.
        mov byte [GDT + B + 5], 0x8B
        faulting "CALL of a busy task", 13, B, A, 0, call B:0
        mov byte [GDT + B + 5], 0x8B
        faulting "JMP to a busy task", 13, B, A, 0, jmp B:0
        mov byte [GDT + B + 5], 0x8B
        faulting "a task gate to one", 13, B, A, 0, call GATE:0
        mov byte [GDT + B], 0x66
        faulting "a small limit", 10, B, A, 0, call B:0
        mov byte [GDT + B + 5], 0x09
        faulting "a TSS that is not present", 11, B, A, 0, jmp B:0
        faulting "a gate that is not present", 11, GATE_ABSENT, A, 0, call GATE_ABSENT:0
%ifndef QEMU
        faulting "a gate to the LDT", 13, 12, A, 0, call GATE_LOCAL:0
%endif
        mov word [TSS_A], B
        set_nt
        faulting "IRET to a task that is not busy", 10, B, A, 0, iretd
        mov word [TSS_A], DATA
        set_nt
        faulting "IRET to what is no task", 10, DATA, A, 0, iretd
        mov word [TSS_A], 0x1000
        set_nt
        faulting "IRET beyond the GDT", 10, 0x1000, A, 0, iretd
        mov word [TSS_A], 12
        set_nt
        faulting "IRET to the LDT", 10, 12, A, 0, iretd

        ; Faults of the new task, which has no stack then.
        mov word [TSS_B + 0x4C], DATA
        faulting "CS is data", 10, DATA, B, task_b, call B:0
        mov word [TSS_B + 0x4C], 0
        faulting "CS is null", 10, 0, B, task_b, call B:0
        mov word [TSS_B + 0x50], CODE
        faulting "SS is code", 10, CODE, B, task_b, call B:0
        mov word [TSS_B + 0x50], DATA | 3
        faulting "SS has another RPL", 10, DATA, B, task_b, jmp B:0
%ifndef QEMU
        mov word [TSS_B + 0x50], ABSENT
        faulting "SS is not present", 12, ABSENT, B, task_b, call B:0
%endif
        mov word [TSS_B + 0x54], ABSENT
        faulting "DS is not present", 11, ABSENT, B, task_b, call B:0
        mov word [TSS_B + 0x54], A
        faulting "DS is a TSS", 10, A, B, task_b, int 0x40
        mov word [TSS_B + 0x60], DATA
        faulting "the LDT is none", 10, DATA, B, task_b, call B:0
        mov word [TSS_B + 0x60], 12
        faulting "the LDT is local", 10, 12, B, task_b, call B:0
        mov word [TSS_B + 0x4C], SMALL
        faulting "EIP is beyond the limit", 13, 0, B, task_b, call B:0

        ; Back to long mode, where it is printed.
        mov eax, cr0
        btr eax, 31
        mov cr0, eax
        mov eax, cr4
        bts eax, 5
        mov cr4, eax
        mov eax, 0x70000
        mov cr3, eax
        mov ecx, 0xC0000080
        rdmsr
        bts eax, 8
        wrmsr
        mov eax, cr0
        bts eax, 31
        mov cr0, eax
        jmp 0x10:to_long

; Make all as it was: tables, TSSs, TR. eax, ecx, esi and edi are lost.
fresh:
        mov esi, gdt_image
        mov edi, GDT
        mov ecx, (gdt_image_end - gdt_image) / 4
        rep movsd
        lgdt [gdt_32_pointer]
        mov eax, A
        ltr ax
        xor eax, eax
        lldt ax
        clts
        mov edi, TSS_A
        mov ecx, 0x100 * 8 / 4
        xor eax, eax
        push edi
        rep stosd
        pop edi
        mov dword [TSS_A + 0x1C], DIRECTORY_A
        mov esi, ldt_image
        mov edi, LDT
        mov ecx, 4
        rep movsd
        mov esi, tss_image
        mov edi, TSS_B
        mov ecx, 26
        rep movsd
        mov esi, tss_16_image
        mov edi, TSS_C
        mov ecx, 11
        rep movsd
        xor ecx, ecx
.handler:
        mov edi, ecx
        shl edi, 8
        add edi, TSS_10
        push ecx
        mov ecx, 26
        mov esi, tss_image
        rep movsd
        pop ecx
        sub edi, 104
        mov eax, [handlers_32 + ecx * 4]
        mov [edi + 0x20], eax
        mov eax, ecx
        shl eax, 8
        add eax, STACK_10
        mov [edi + 0x38], eax
        inc ecx
        cmp ecx, 4
        jb .handler
        mov dword [AFTER], task_b_iret
        ret

; The other task: write down what it finds, and go back.
task_b:
        mov [SEEN], eax
        mov [SEEN + 4], esp
        mov [SEEN + 8], edi
        pushfd
        pop dword [SEEN + 12]
        str [SEEN + 16]
        mov eax, cr0
        mov [SEEN + 20], eax
        sldt [SEEN + 24]
        mov [SEEN + 28], fs
        mov eax, cr3
        mov [SEEN + 32], eax
        mov al, [GDT + A + 5]
        mov [SEEN + 36], al
        mov al, [GDT + B + 5]
        mov [SEEN + 37], al
        mov ax, [TSS_B]
        mov [SEEN + 40], ax
        mov eax, [WINDOW]
        mov [SEEN + 44], eax
        jmp [AFTER]
task_b_iret:
        iretd
task_b_again:
        jmp task_b
task_b_jmp:
        jmp A:0
        jmp task_b

; Copied to LOW_CODE: the task of 16 bits, in 32-bit code.
low_code:
        movzx esp, sp
        mov [SEEN], eax
        mov [SEEN + 8], edi
        str [SEEN + 16]
        mov [SEEN + 28], fs
        iretd
low_code_again:
low_code_end:

trapped:
        push eax
        mov eax, dr6
        mov [TRAP_DR6], eax
        mov eax, [esp + 4]
        mov [TRAP_EIP], eax
        pop eax
        iretd

; Tasks of the handlers: write down the fault, and go on where it says, in the first
; task, whichever it was in.
%macro handler 1
handler_%1:
        mov ebx, %1 << 16
        jmp faulted
%endmacro
        handler 10
        handler 11
        handler 12
        handler 13
faulted:
        or ebx, [esp]
        mov [FAULT], ebx
        xor eax, eax
        str ax
        mov edi, [GDT + eax + 2]
        and edi, 0xFFFFFF
        movzx eax, word [edi]           ; the link
        mov [FAULT_LINK], eax
        mov edi, [GDT + eax + 2]
        and edi, 0xFFFFFF
        mov eax, [edi + 0x20]
        mov [FAULT_EIP], eax
        mov esp, [OLD_ESP]
        push 2
        popfd                           ; without NT
        jmp [RECOVER_32]

; Write a check down, as `judge`: eax what was seen, edx what it should be, esi the name.
judge_32:
        mov ecx, [RESULTS]
        inc ecx
        mov [RESULTS], ecx
        shl ecx, 5
        mov [ecx + RESULTS], esi
        mov [ecx + RESULTS + 8], eax
        mov [ecx + RESULTS + 16], edx
        mov [ecx + RESULTS + 24], edx
        ret

bits 64
to_long:
        mov rsp, [LONG_RSP]
        lgdt [gdt_pointer]
        ret

        section .data
        align 8
gdt_image:
        dq 0
        descriptor 0, 0xFFFFF, 0x9B, 0xC
        descriptor 0, 0xFFFFF, 0x9B, 0xA
        descriptor 0, 0xFFFFF, 0x93, 0xC
        descriptor TSS_A, 0x67, 0x89, 0
        descriptor TSS_B, 0x67, 0x89, 0
        descriptor LDT, 15, 0x82, 0
        dw 0, B, 0x8500, 0
        descriptor 0, 0xFFFFF, 0x13, 0xC
        descriptor TSS_C, 0x2B, 0x81, 0
        descriptor 0, 0xFF, 0x9B, 4
        dw 0, 12, 0x8500, 0
        dw 0, B, 0x0500, 0
        descriptor TSS_10, 0x67, 0x89, 0
        descriptor TSS_10 + 0x100, 0x67, 0x89, 0
        descriptor TSS_10 + 0x200, 0x67, 0x89, 0
        descriptor TSS_10 + 0x300, 0x67, 0x89, 0
gdt_image_end:
gdt_32_pointer:
        dw gdt_image_end - gdt_image - 1
        dd GDT
idt_32_pointer:
        dw 0x41 * 8 - 1
        dd IDT_32
ldt_image:
        descriptor 0, 0xFFFFF, 0x93, 0xC
        descriptor TSS_B, 0x67, 0x89, 0
to_gate:
        dd 0
        dw GATE
handlers_32:
        dd handler_10, handler_11, handler_12, handler_13
tss_image:
        times 7 dd 0
        dd DIRECTORY_A, task_b, 2
        dd 0x100, 0x101, 0x102, 0x103, STACK_B, 0x105, 0x106, 0x107
        dd DATA, CODE, DATA, DATA, 0, 0
        dd 0, 0
tss_16_image:
        times 7 dw 0
        dw LOW_CODE, 2
        dw 0x100, 0x101, 0x102, 0x103, 0x7000, 0x105, 0x106, 0x107
        dw DATA, CODE, DATA, DATA, 0
        section .text
