; evil-text: print what a terminal would obey, and put the same onto the text screen.
;
; First every byte there is, then sequences that rename a terminal, ask it to answer,
; resize, reset and write its clipboard. Real mode; it ends with HLT.

COM1    equ 0x3F8
VGA     equ 0xB800              ; segment of the text screen: a character, its colours

        org 0
bits 16
start:  cli
        cld
        mov ax, cs
        mov ds, ax
        mov ax, VGA
        mov es, ax
        xor di, di
        mov dx, COM1
        xor al, al
every:  call put
        inc al
        jnz every
        mov si, text
        mov cx, text_end - text
again:  lodsb
        call put
        loop again
        hlt
        jmp $

put:    out dx, al
        stosb
        mov byte [es:di], 7
        inc di
        ret

text:   db 13, 10, "before", 13, 10
        db 27, "]0;OWNED", 7            ; the title
        db 27, "]52;c;T1dORUQ=", 7      ; the clipboard
        db 27, "[6n", 27, "[c"          ; where are you, who are you
        db 27, "[8;1;1t"                ; be one cell large
        db 27, "c"                      ; reset
        db 27, "[?1049l", 27, "[?25h"   ; the screen before
        db 0x9B, "31m", 0xC2, 0x9B, "31m", 0xE2, 0x80, 0xAE
        db 27, "P+q544e", 27, "\"
        db "[red]markup[/red][@click=app.quit]click[/]"
        db 13, 10, "after", 13, 10
text_end:
