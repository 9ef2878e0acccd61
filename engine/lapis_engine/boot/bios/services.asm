; What a BIOS answers to interrupts, for kernels that start without one: real mode,
; at F000:F800. `services.py` has the bytes of this:
; python tests/engine/test_bios_services.py writes them anew.
;
; Sources: IBM PS/2 and PC BIOS Interface Technical Reference; ACPI Specification 6.4
; "INT 15H, E820H - Query System Address Map". Every service keeps the registers that
; it does not answer in.

        bits 16
        org 0xF800

DATA            equ 0x40                ; segment of the BIOS data area
SCREEN          equ 0xB800
EQUIPMENT       equ 0x10
BASE_MEMORY     equ 0x13
SHIFTS          equ 0x17                ; state of the shift keys
HEAD            equ 0x1A                ; of the keys that wait
TAIL            equ 0x1C
KEYS            equ 0x1E                ; the ring of them
KEYS_END        equ 0x3E
MODE            equ 0x49
COLUMNS         equ 0x4A
CURSOR          equ 0x50                ; of page 0: column, row
SHAPE           equ 0x60                ; of the cursor: last line, first line
CRTC            equ 0x63
TICKS           equ 0x6C
MIDNIGHT        equ 0x70
LAST_ROW        equ 0x84
; What differs from machine to machine, in this segment.
EXTENDED        equ 0x0050              ; KiB from 1 MiB on, at most 63 MiB (88h)
BELOW_16        equ 0x0052              ; KiB from 1 MiB on, at most 15 MiB (E801h)
ABOVE_16        equ 0x0054              ; blocks of 64 KiB from 16 MiB on (E801h)
ENTRIES         equ 0x0056              ; of the memory map
MAP             equ 0x0058              ; the entries, 20 bytes each

TICKS_A_DAY     equ 0x1800B0
PM_TIMER        equ 0x608
PM_TIMER_HZ     equ 3579545
SMAP            equ 0x534D4150

; Vector and offset of each service; the first one is of all that are not named.
vectors:
        dw (vectors_end - vectors - 2) / 4
        dw 0xFFFF, nothing
        dw 0x08, irq0
        dw 0x09, irq1
        dw 0x0A, master
        dw 0x0B, master
        dw 0x0C, master
        dw 0x0D, master
        dw 0x0E, master
        dw 0x0F, master
        dw 0x10, video
        dw 0x11, equipment
        dw 0x12, base_memory
        dw 0x13, disk
        dw 0x15, system
        dw 0x16, keyboard
        dw 0x18, no_boot
        dw 0x19, no_boot
        dw 0x1A, time
        dw 0x70, irq8
        dw 0x71, slave
        dw 0x72, slave
        dw 0x73, slave
        dw 0x74, irq12
        dw 0x75, slave
        dw 0x76, slave
        dw 0x77, slave
vectors_end:

; Where a service ends: with the carry flag of the caller as said, or untouched.
good:
        push bp
        mov bp, sp
        and byte [bp+6], ~1
        pop bp
        iret
unknown:
        mov ah, 0x86
bad:
        push bp
        mov bp, sp
        or byte [bp+6], 1
        pop bp
nothing:
        iret

; --- Interrupts of the hardware -------------------------------------------------------

irq0:
        push ax
        push ds
        push DATA
        pop ds
        inc dword [TICKS]
        cmp dword [TICKS], TICKS_A_DAY
        jb .same_day
        mov dword [TICKS], 0
        inc byte [MIDNIGHT]
.same_day:
        int 0x1C
        jmp done_with_data

irq1:
        push ax
        push ds
        push DATA
        pop ds
        in al, 0x64
        test al, 1
        jz done_with_data
        in al, 0x60
        call key
        jmp done_with_data

irq8:
        push ax
        mov al, 0x0C                    ; the clock goes on once this is read
        out 0x70, al
        in al, 0x71
        jmp slave_done
irq12:
        push ax
        in al, 0x64
        and al, 0x21                    ; a byte of the mouse, whom nobody asked
        cmp al, 0x21
        jne slave_done
        in al, 0x60
        jmp slave_done
slave:
        push ax
slave_done:
        mov al, 0x20
        out 0xA0, al
        out 0x20, al
        pop ax
        iret

done_with_data:
        pop ds
        jmp master_done
master:
        push ax
master_done:
        mov al, 0x20
        out 0x20, al
        pop ax
        iret

; Take the scan code AL, DS being the data area; AX is free.
key:
        push bx
        mov ah, al
        and ah, 0x7F
        mov bx, shift_keys
.shift:
        cmp ah, [cs:bx]
        je .is_shift
        add bx, 2
        cmp bx, shift_keys_end
        jb .shift
        test al, al
        js .end                         ; another key is let go
        cmp al, SCAN_CODES
        jae .end
        mov ah, al
        mov bx, plain_keys
        test byte [SHIFTS], 3
        jz .translate
        mov bx, shifted_keys
.translate:
        cs xlatb
        mov bx, [TAIL]
        push bx
        add bx, 2
        cmp bx, KEYS_END
        jb .room
        mov bx, KEYS
.room:
        cmp bx, [HEAD]
        je .full
        mov [TAIL], bx
        pop bx
        mov [bx], ax
        pop bx
        ret
.full:
        pop bx
.end:
        pop bx
        ret
.is_shift:
        mov ah, [cs:bx+1]
        test al, al
        js .release
        or [SHIFTS], ah
        pop bx
        ret
.release:
        not ah
        and [SHIFTS], ah
        pop bx
        ret

shift_keys:                             ; scan code and its bit of SHIFTS
        db 0x36, 0x01, 0x2A, 0x02, 0x1D, 0x04, 0x38, 0x08
shift_keys_end:
plain_keys:
        db 0, 27, "1234567890-=", 8, 9, "qwertyuiop[]", 13, 0
        db "asdfghjkl;'`", 0, "\zxcvbnm,./", 0, "*", 0, " "
SCAN_CODES      equ $ - plain_keys
shifted_keys:
        db 0, 27, "!@#$%^&*()_+", 8, 0, "QWERTYUIOP{}", 13, 0
        db 'ASDFGHJKL:"~', 0, "|ZXCVBNM<>?", 0, "*", 0, " "

; --- INT 10h: the screen --------------------------------------------------------------

video:
        cld
        cmp ah, 0x0E
        je teletype
        test ah, ah
        je set_mode
        cmp ah, 0x01
        je set_shape
        cmp ah, 0x02
        je set_cursor
        cmp ah, 0x03
        je get_cursor
        cmp ah, 0x0F
        je get_mode
        cmp ax, 0x1A00
        je which_adapter
        cmp ah, 0x12
        je adapter_memory
        iret

teletype:
        pushad
        push ds
        push es
        push DATA
        pop ds
        push SCREEN
        pop es
        mov dx, [CURSOR]
        cmp al, 0x07
        je .end
        cmp al, 0x08
        je .back
        cmp al, 0x0A
        je .down
        cmp al, 0x0D
        je .left
        push ax
        call place
        pop ax
        mov [es:di], al                 ; in the colour that is there
        inc dl
        cmp dl, [COLUMNS]
        jb .move
        mov dl, 0
.down:
        inc dh
        cmp dh, [LAST_ROW]
        jbe .move
        dec dh
        call scroll
        jmp .move
.left:
        mov dl, 0
        jmp .move
.back:
        sub dl, 1
        adc dl, 0
.move:
        mov [CURSOR], dx
        call show_cursor
.end:
        pop es
        pop ds
        popad
        iret

; Offset DI of the cell at column DL, row DH, and its number AX.
place:
        mov al, dh
        mul byte [COLUMNS]
        mov di, dx
        and di, 0xFF
        add ax, di
        mov di, ax
        add di, di
        ret

; All rows go up by one; ES is the screen; DX stays.
scroll:
        push ds
        movzx ax, byte [LAST_ROW]
        mul byte [COLUMNS]
        mov cx, ax
        movzx si, byte [COLUMNS]
        mov bx, si
        add si, si
        xor di, di
        push es
        pop ds
        rep movsw
        mov cx, bx
        mov ax, 0x0720
        rep stosw
        pop ds
        ret

; The CRTC has the cursor at column DL, row DH.
show_cursor:
        call place
        mov bx, ax
        mov dx, [CRTC]
        mov al, 0x0E
        mov ah, bh
        out dx, ax
        mov al, 0x0F
        mov ah, bl
        out dx, ax
        ret

set_mode:
        push ax
        and al, 0x7F
        cmp al, 3
        pop ax
        ja nothing                      ; there is text of 80 columns alone
        pushad
        push ds
        push es
        push DATA
        pop ds
        mov byte [MODE], 3
        test al, al                     ; bit 7: keep what is there
        js .home
        push SCREEN
        pop es
        xor di, di
        mov cx, 0x4000
        mov ax, 0x0720
        rep stosw
.home:
        xor dx, dx
        mov [CURSOR], dx
        call show_cursor
        pop es
        pop ds
        popad
        iret

set_shape:
        pushad
        push ds
        push DATA
        pop ds
        mov [SHAPE], cx
        mov dx, [CRTC]
        mov al, 0x0A
        mov ah, ch
        out dx, ax
        mov al, 0x0B
        mov ah, cl
        out dx, ax
        pop ds
        popad
        iret

set_cursor:
        test bh, bh
        jnz nothing                     ; there is page 0 alone
        pushad
        push ds
        push DATA
        pop ds
        mov [CURSOR], dx
        call show_cursor
        pop ds
        popad
        iret

get_cursor:
        push ds
        push DATA
        pop ds
        mov dx, [CURSOR]
        mov cx, [SHAPE]
        pop ds
        iret

get_mode:
        push ds
        push DATA
        pop ds
        mov al, [MODE]
        mov ah, [COLUMNS]
        mov bh, 0
        pop ds
        iret

; Display combination: a VGA with a colour screen, and no other.
which_adapter:
        mov al, 0x1A
        mov bx, 0x0008
        iret

adapter_memory:
        cmp bl, 0x10
        jne nothing
        mov bx, 0x0003                  ; colour, 256 KiB
        mov cx, 0x0009                  ; switches of an EGA for 80 columns
        iret

; --- INT 11h, 12h and 13h: what there is ----------------------------------------------

equipment:
        push ds
        push DATA
        pop ds
        mov ax, [EQUIPMENT]
        pop ds
        iret

base_memory:
        push ds
        push DATA
        pop ds
        mov ax, [BASE_MEMORY]
        pop ds
        iret

disk:
        mov ah, 0x01                    ; there is no disk to do anything with
        jmp bad

; --- INT 15h: the system --------------------------------------------------------------

system:
        cmp ax, 0xE820
        je memory_map
        cmp ax, 0xE801
        je memory_sizes
        cmp ah, 0x88
        je extended_memory
        cmp ah, 0x86
        je wait_long
        cmp ax, 0x2400                  ; A20 is open and stays so
        je unknown
        cmp ax, 0x2401
        je .done
        cmp ax, 0x2402
        je .a20
        cmp ax, 0x2403
        jne unknown
        mov bx, 3                       ; by the keyboard controller and port 0x92
        jmp .done
.a20:
        mov al, 1
.done:
        mov ah, 0
        jmp good

memory_map:
        cmp edx, SMAP
        jne unknown
        cmp ecx, 20
        jb unknown
        cmp ebx, 0xFFFF
        ja unknown
        push ds
        push si
        push di
        push bx
        push cs
        pop ds
        cmp bx, [ENTRIES]
        jae .beyond
        imul si, bx, 20
        add si, MAP
        mov cx, 10
        cld
        rep movsw
        pop bx
        inc bx
        cmp bx, [ENTRIES]
        jb .more
        xor bx, bx
.more:
        movzx ebx, bx
        pop di
        pop si
        pop ds
        mov ecx, 20
        mov eax, edx
        jmp good
.beyond:
        pop bx
        pop di
        pop si
        pop ds
        jmp unknown

memory_sizes:
        mov ax, [cs:BELOW_16]
        mov bx, [cs:ABOVE_16]
        mov cx, ax
        mov dx, bx
        jmp good

extended_memory:
        mov ax, [cs:EXTENDED]
        jmp good

; Wait CX:DX us by the timer of power management, whose 24 bits count.
wait_long:
        pushad
        movzx eax, dx
        shl ecx, 16
        or eax, ecx
        mov ebx, PM_TIMER_HZ
        mul ebx
        mov ebx, 1000000
        cmp edx, ebx
        jb .divide
        mov edx, 999999                 ; 20 min are the longest
.divide:
        div ebx
        mov ecx, eax                    ; counts to wait
        mov dx, PM_TIMER
        in eax, dx
        mov ebx, eax
.again:
        in eax, dx
        mov esi, eax
        sub eax, ebx
        mov ebx, esi
        and eax, 0xFFFFFF
        sub ecx, eax
        ja .again
        popad
        mov ah, 0
        jmp good

; --- INT 16h: keys --------------------------------------------------------------------

keyboard:
        push ds
        push DATA
        pop ds
        push bx
        mov bh, ah
        and bh, 0xEF                    ; those of the longer keyboard are the same
        je .wait
        cmp bh, 0x01
        je .look
        cmp bh, 0x02
        jne .end
        mov al, [SHIFTS]
.end:
        pop bx
        pop ds
        iret
.hold:
        sti
        hlt
        cli
.wait:
        mov bx, [HEAD]
        cmp bx, [TAIL]
        je .hold
        mov ax, [bx]
        add bx, 2
        cmp bx, KEYS_END
        jb .taken
        mov bx, KEYS
.taken:
        mov [HEAD], bx
        jmp .end
.look:
        mov bx, [HEAD]
        cmp bx, [TAIL]
        je .none
        mov ax, [bx]
        pop bx
        pop ds
        push bp
        mov bp, sp
        and byte [bp+6], ~0x40          ; there is one: ZF is clear
        pop bp
        iret
.none:
        pop bx
        pop ds
        push bp
        mov bp, sp
        or byte [bp+6], 0x40
        pop bp
        iret

; --- INT 1Ah: the time ----------------------------------------------------------------

time:
        test ah, ah
        je get_ticks
        cmp ah, 0x01
        je set_ticks
        cmp ah, 0x02
        je clock_time
        cmp ah, 0x04
        je clock_date
        jmp bad

get_ticks:
        push ds
        push DATA
        pop ds
        mov dx, [TICKS]
        mov cx, [TICKS+2]
        mov al, 0
        xchg al, [MIDNIGHT]
        pop ds
        jmp good

set_ticks:
        push ds
        push DATA
        pop ds
        mov [TICKS], dx
        mov [TICKS+2], cx
        mov byte [MIDNIGHT], 0
        pop ds
        jmp good

clock_time:
        push ax
        call clock_settled
        mov al, 0x04
        call cell
        mov ch, al
        mov al, 0x02
        call cell
        mov cl, al
        mov al, 0x00
        call cell
        mov dh, al
        mov dl, 0
        pop ax
        jmp good

clock_date:
        push ax
        call clock_settled
        mov al, 0x32
        call cell
        mov ch, al
        mov al, 0x09
        call cell
        mov cl, al
        mov al, 0x08
        call cell
        mov dh, al
        mov al, 0x07
        call cell
        mov dl, al
        pop ax
        jmp good

; Wait until the clock does not move.
clock_settled:
        mov al, 0x0A
        call cell
        test al, al
        js clock_settled
        ret

; Cell AL of the clock.
cell:
        out 0x70, al
        in al, 0x71
        ret

; --- INT 18h and 19h, and what a processor begins with --------------------------------

no_boot:
restart:
        mov al, 6
        mov dx, 0xCF9
        out dx, al
.halt:
        cli
        hlt
        jmp .halt

        times 0x7F0 - ($ - $$) db 0
        jmp 0xF000:restart              ; F000:FFF0
        db "11/29/26", 0                ; when it was made
        db 0xFC                         ; a PC/AT
        db 0
