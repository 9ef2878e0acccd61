; bios-services: asks every service that a BIOS leaves, in real mode, and prints on COM1
; a line for each: the name, EAX, EBX, ECX, EDX after it, CF and ZF, and whether the
; registers that no service answers in are kept.
;
; IBM PS/2 and PC BIOS Interface Technical Reference; ACPI Specification 6.4
; "INT 15H, E820H - Query System Address Map".
        bits 16
        org 0

KEPT            equ 0x5A5A1234

%macro ask 6                    ; name, vector, eax, ebx, ecx, edx
        mov eax, %3
        mov ebx, %4
        mov ecx, %5
        mov edx, %6
        call prepare
        int %2
        call report
        db %1, 0
%endmacro
%macro tell 1                   ; text
        call print
        db %1, 0
%endmacro

start:
        cli
        mov ax, cs
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0xF000

        ask "mode", 0x10, 0x0F00, 0x7700, 0, 0
        ask "set-cursor", 0x10, 0x0200, 0, 0, 0x0A05
        ask "get-cursor", 0x10, 0x0300, 0, 0, 0
        ask "other-page", 0x10, 0x0200, 0x0300, 0, 0x1111
        ask "shape", 0x10, 0x0100, 0, 0x0607, 0
        ask "letter", 0x10, 0x0E41, 0, 0, 0
        ask "bell", 0x10, 0x0E07, 0, 0, 0
        ask "letter", 0x10, 0x0E42, 0, 0, 0
        ask "back", 0x10, 0x0E08, 0, 0, 0
        ask "letter", 0x10, 0x0E43, 0, 0, 0
        ask "after", 0x10, 0x0300, 0, 0, 0
        call show_crtc
        ask "adapter", 0x10, 0x1A00, 0, 0, 0
        ask "ega", 0x10, 0x1200, 0xFF10, 0, 0
        ask "no-such", 0x10, 0x4F00, 1, 2, 3

        ask "equipment", 0x11, 0xFFFFFFFF, 0, 0, 0
        ask "base", 0x12, 0xFFFFFFFF, 0, 0, 0
        ask "disk", 0x13, 0x0201, 0, 0, 0x80
        ask "serial", 0x14, 0x0300, 0, 0, 0
        ask "printer", 0x17, 0x0200, 0, 0, 0

        ask "extended", 0x15, 0x8800, 0, 0, 0
        ask "e801", 0x15, 0xE801, 0, 0, 0
        ask "config", 0x15, 0xC000, 0, 0, 0
        ask "a20-off", 0x15, 0x2400, 0, 0, 0
        ask "a20-on", 0x15, 0x2401, 0, 0, 0
        ask "a20-is", 0x15, 0x2402, 0, 0, 0
        ask "a20-how", 0x15, 0x2403, 0, 0, 0
        xor ebx, ebx
.map:   mov eax, 0xE820
        mov ecx, 24
        mov edx, 0x534D4150
        call prepare
        mov di, buffer
        int 0x15
        jc .map_end
        mov edi, KEPT
        call report
        db "map", 0
        call show_buffer
        test ebx, ebx
        jnz .map
.map_end:
        ask "map-magic", 0x15, 0xE820, 0, 20, 0x504D4153
        ask "map-small", 0x15, 0xE820, 0, 19, 0x534D4150
        ask "map-beyond", 0x15, 0xE820, 0x40, 20, 0x534D4150
        ask "map-far", 0x15, 0xE820, 0x10000, 20, 0x534D4150

        mov dx, 0x608
        in eax, dx
        mov [before], eax
        ask "wait", 0x15, 0x8600, 0, 0, 5000
        mov dx, 0x608
        in eax, dx
        sub eax, [before]
        and eax, 0xFFFFFF
        tell "waited"
        call show_eax
        tell 10

        ask "no-key", 0x16, 0x0100, 0, 0, 0
        mov al, 0x1E
        call press
        ask "key", 0x16, 0x0100, 0, 0, 0
        ask "key", 0x16, 0x0000, 0, 0, 0
        ask "no-key", 0x16, 0x0100, 0, 0, 0
        mov al, 0x9E
        call press
        mov al, 0x2A
        call press
        mov al, 0x03
        call press
        ask "shifts", 0x16, 0x0200, 0, 0, 0
        mov al, 0xAA
        call press
        ask "shifts", 0x16, 0x1200, 0, 0, 0
        ask "key", 0x16, 0x1000, 0, 0, 0
        mov cx, 40              ; more than there is room for
.many:  push cx
        mov al, 0x10
        call press
        pop cx
        loop .many
        mov byte [keys], 0
.take:  mov ah, 1
        int 0x16
        jz .taken
        mov ah, 0
        int 0x16
        cmp ax, 0x1071
        jne .taken
        inc byte [keys]
        jmp .take
.taken: movzx eax, byte [keys]
        tell "held"
        call show_eax
        tell 10

        ask "midnight", 0x1A, 0x0100, 0, 0x0018, 0x00AE
        call sleep
        ask "ticks", 0x1A, 0x0000, 0, 0, 0
        call sleep
        ask "ticks", 0x1A, 0x0000, 0, 0, 0
        ask "ticks", 0x1A, 0x0000, 0, 0, 0
        ask "time", 0x1A, 0x0200, 0, 0, 0
        ask "date", 0x1A, 0x0400, 0, 0, 0
        ask "pci", 0x1A, 0xB101, 0, 0, 0
        ask "nobody", 0x60, 1, 2, 3, 4

        ask "clear", 0x10, 0x0003, 0, 0, 0
        mov cx, 30              ; lines, so that it scrolls
.rows:  mov ax, 0x0E30
        mov bl, 30
        sub bl, cl
        add al, bl
        mov bx, 0
        int 0x10
        mov ax, 0x0E0D
        int 0x10
        mov ax, 0x0E0A
        int 0x10
        loop .rows
        ask "scrolled", 0x10, 0x0300, 0, 0, 0
        mov cx, 81
.line:  mov ax, 0x0E7A
        int 0x10
        loop .line
        ask "wrapped", 0x10, 0x0300, 0, 0, 0
        tell {"end", 10}
        cli
        hlt

; Until the next interrupt, which is the timer's.
sleep:  sti
        hlt
        cli
        ret

; Scan code AL of a key, by the controller's command to say it.
press:
        push ax
        mov al, 0xD2
        out 0x64, al
        pop ax
        out 0x60, al
        sti
        nop
        nop
        cli
        mov cx, 1000
.more:  in al, 0x64
        test al, 1
        jz .end
        sti
        nop
        nop
        cli
        loop .more
.end:   ret

; Registers that no service may change.
prepare:
        mov esi, KEPT
        mov edi, KEPT
        mov ebp, KEPT
        ret

; Print what a service left, and the text behind the call.
report:
        pushfd
        pushad
        mov ebp, esp            ; edi, esi, ebp, esp, ebx, edx, ecx, eax, flags, return
        mov ax, cs
        mov ds, ax
        mov si, [bp + 36]
        call puts
        mov [bp + 36], si
        mov eax, [bp + 28]
        call show_eax
        mov eax, [bp + 16]
        call show_eax
        mov eax, [bp + 24]
        call show_eax
        mov eax, [bp + 20]
        call show_eax
        mov al, ' '
        call putc
        mov al, '0'
        test byte [bp + 32], 1
        jz .no_carry
        inc al
.no_carry:
        call putc
        mov al, '0'
        test byte [bp + 32], 0x40
        jz .no_zero
        inc al
.no_zero:
        call putc
        mov al, '!'
        cmp dword [bp + 0], KEPT
        jne .lost
        cmp dword [bp + 4], KEPT
        jne .lost
        cmp dword [bp + 8], KEPT
        jne .lost
        test byte [bp + 33], 2  ; IF
        jnz .lost
        mov bx, es
        mov cx, cs
        cmp bx, cx
        jne .lost
        mov al, '.'
.lost:  call putc
        mov al, 10
        call putc
        popad
        popfd
        ret

show_crtc:
        tell "crtc"
        mov dx, 0x3D4
        mov al, 0x0E
        out dx, al
        inc dx
        in al, dx
        mov ah, al
        dec dx
        mov al, 0x0F
        out dx, al
        inc dx
        in al, dx
        movzx eax, ax
        call show_eax
        tell 10
        ret

; The entry of the memory map: first, size, kind; then it is filled for the next.
show_buffer:
        pushad
        tell "entry"
        mov si, buffer
        mov cx, 5
.each:  lodsd
        call show_eax
        loop .each
        tell 10
        mov di, buffer
        mov cx, 20
        mov al, 0xEE
        rep stosb
        popad
        ret

show_eax:
        pushad
        mov edx, eax
        mov al, ' '
        call putc
        mov cx, 8
.digit: rol edx, 4
        mov al, dl
        and al, 0xF
        add al, '0'
        cmp al, '9'
        jbe .put
        add al, 'a' - '9' - 1
.put:   call putc
        loop .digit
        popad
        ret

; The text behind the call.
print:
        pushf
        pushad
        mov bp, sp
        mov si, [bp + 34]
        call puts
        mov [bp + 34], si
        popad
        popf
        ret
puts:   cs lodsb
        test al, al
        jz .end
        call putc
        jmp puts
.end:   ret
putc:   push dx
        mov dx, 0x3F8
        out dx, al
        pop dx
        ret

before: dd 0
keys:   db 0
buffer: times 24 db 0xEE
