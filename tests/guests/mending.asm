; mending: handlers that keep random bytes running.
;
; An exception, or the NMI that somebody sends now and then, in the body puts another
; random byte where it was, and goes on there; one outside of it (a jump that leads
; out) makes some byte of the body a NOP, and begins it anew. So a body of random bytes
; comes to run without exceptions, whatever it does then.
;
; Three parts, for 64-bit, 32-bit (and 16-bit segments) and real mode. Each has its entry
; for exceptions with an error code first, and that for all others ENTRY bytes later.
; Who runs it (tests/campaign/mending.py) sets up tables, registers and parameters.
        org 0x1B000
BODY    equ 0x8000
STACK   equ 0x7800
DATA    equ 0x4000
ENTRY   equ 0x10
PART    equ 0x100
; Parameters: 8 bytes each, the upper ones 0.
SEED    equ 0x1C000
SIZE    equ 0x1C008             ; of the body, a power of 2
MASK    equ 0x1C010             ; that, less 1
CODE    equ 0x1C018             ; selectors of the body
DATASEG equ 0x1C020

bits 64
long_code:
        add rsp, 8
        jmp long_plain
        times ENTRY - ($ - long_code) nop
long_plain:
        mov eax, [SEED]
        imul eax, eax, 0x343FD
        add eax, 0x269EC3
        mov [SEED], eax
        shr eax, 8
        mov rdx, [rsp]
        sub rdx, BODY
        cmp rdx, [SIZE]
        jae .outside
        mov [rdx + BODY], al
        jmp .back
.outside:
        mov edx, eax
        and edx, [MASK]
        mov byte [rdx + BODY], 0x90
        mov qword [rsp], BODY
.back:  mov rdx, [CODE]
        mov [rsp + 8], rdx
        mov qword [rsp + 16], 0x202
        mov qword [rsp + 24], STACK
        mov rdx, [DATASEG]
        mov [rsp + 32], rdx
        mov ebx, DATA
        mov esi, DATA + 0x100
        mov edi, DATA + 0x400
        mov ebp, DATA + 0x800
        iretq
        times PART - ($ - long_code) nop

bits 32
wide_code:
        add esp, 4
        jmp wide_plain
        times ENTRY - ($ - wide_code) nop
wide_plain:
        mov dx, ds
        cmp dx, [ss:DATASEG]
        je .seed
        mov ds, [ss:DATASEG]
.seed:  mov dx, es
        cmp dx, [ss:DATASEG]
        je .go
        mov es, [ss:DATASEG]
.go:    mov eax, [ss:SEED]
        imul eax, eax, 0x343FD
        add eax, 0x269EC3
        mov [ss:SEED], eax
        shr eax, 8
        mov edx, [esp]
        sub edx, BODY
        cmp edx, [ss:SIZE]
        jae .outside
        mov [ss:edx + BODY], al
        jmp .back
.outside:
        mov edx, eax
        and edx, [ss:MASK]
        mov byte [ss:edx + BODY], 0x90
        mov dword [esp], BODY
.back:  mov edx, [ss:CODE]
        mov [esp + 4], edx
        mov dword [esp + 8], 0x202
        test dl, 3
        jz .same
        mov dword [esp + 12], STACK
        mov edx, [ss:DATASEG]
        mov [esp + 16], edx
.same:  mov ebx, DATA
        mov esi, DATA + 0x100
        mov edi, DATA + 0x400
        mov ebp, DATA + 0x800
        iretd
        times PART - ($ - wide_code) nop

bits 16
HERE    equ 0x1000              ; SEED from the CS of the handler, 0x1B00
real_code:
        times ENTRY - ($ - real_code) nop
real_plain:
        pop dx
        pop cx
        pop cx
        mov cx, ds
        jcxz .go
        push 0
        pop ds
.go:    mov eax, [cs:HERE]
        imul eax, eax, 0x343FD
        add eax, 0x269EC3
        mov [cs:HERE], eax
        shr eax, 8
        mov bx, dx
        sub bx, BODY
        cmp bx, [cs:HERE + 8]
        jae .outside
        mov [bx + BODY], al
        jmp .back
.outside:
        mov bx, ax
        and bx, [cs:HERE + 0x10]
        mov byte [bx + BODY], 0x90
        mov dx, BODY
.back:  push 0x202
        push 0
        push dx
        mov bx, DATA
        mov si, DATA + 0x100
        mov di, DATA + 0x400
        mov bp, DATA + 0x800
        iret
        times PART - ($ - real_code) nop
