; vie-memcpy: REP MOVS to a device and back, by all sizes and both ways.
;
; 48 bytes go from SOURCE to the device and from there to TARGET; in all three
; places they lie in two pages, and nowhere are they aligned. The byte at
; FAILED counts copies that did not arrive as they were; the one at PASSES
; counts copies.
%include "long-mode.inc"
LENGTH  equ 48
SOURCE  equ 0x9FEB
TARGET  equ 0xBFF5
WHERE   equ DEVICE + 0xFE3
PASSES  equ 0xD000
FAILED  equ 0xD001

%macro  copy 2                          ; suffix and bytes of an element
        call fill
        cld
        mov esi, SOURCE
        mov rdi, WHERE
        mov ecx, LENGTH / %2
        rep movs%1
        mov rsi, WHERE
        mov edi, TARGET
        mov ecx, LENGTH / %2
        rep movs%1
        call compare
        call fill
        std
        mov esi, SOURCE + LENGTH - %2
        mov rdi, WHERE + LENGTH - %2
        mov ecx, LENGTH / %2
        rep movs%1
        mov rsi, WHERE + LENGTH - %2
        mov edi, TARGET + LENGTH - %2
        mov ecx, LENGTH / %2
        rep movs%1
        call compare
%endmacro

        mov edx, 1                      ; what `fill` begins with
        copy    b, 1
        copy    w, 2
        copy    d, 4
        copy    q, 8
sleep:  hlt
        jmp sleep

fill:   cld                             ; other bytes at each call
        mov edi, SOURCE
        mov ecx, LENGTH
        mov al, dl
.byte:  stosb
        add al, 7
        loop .byte
        add edx, 29
        mov edi, TARGET
        mov ecx, LENGTH
        xor eax, eax
        rep stosb
        ret

compare:
        cld
        mov esi, SOURCE
        mov edi, TARGET
        mov ecx, LENGTH
        repe cmpsb
        je .same
        inc byte [FAILED]
.same:  inc byte [PASSES]
        ret
