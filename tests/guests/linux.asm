; linux: a kernel by the Linux boot protocol 2.15, with a 32-bit and a 64-bit entry.
; It prints in hex which entry it came by, the command line, the initrd's address, size
; and first 4 bytes, the first 4 bytes of the RSDP, and the memory map; then it ends.
; The code is of instructions that are encoded alike in both modes, and runs anywhere.
COM1    equ 0x3F8
EXIT    equ 0xF4                        ; isa-debug-exit
STACK   equ 0x80000
MOVED   equ 0x200000

        org 0
        times 0x1F1 db 0
        db 1                            ; setup_sects
        dw 0                            ; root_flags
        dd (kernel_end - kernel + 15) / 16
        dw 0, 0, 0, 0xAA55              ; ram_size, vid_mode, root_dev, boot_flag
        db 0xEB, header_end - header
header: db "HdrS"
        dw 0x20F
        dd 0                            ; realmode_swtch
        dw 0, 0                         ; start_sys_seg, kernel_version
        db 0, 1                         ; type_of_loader, loadflags: LOADED_HIGH
        dw 0
        dd 0x100000, 0, 0, 0            ; code32_start, ramdisk, bootsect_kludge
        dw 0, 0                         ; heap_end_ptr, ext_loader
        dd 0, 0x7FFFFFFF, MOVED         ; cmd_line_ptr, initrd_addr_max, alignment
        db 1, 21                        ; relocatable_kernel, min_alignment
xload:  dw 1                            ; xloadflags: XLF_KERNEL_64
        dd 255, 0                       ; cmdline_size, hardware_subarch
        dq 0
        dd 0, 0                         ; payload
        dq 0, 0x1000000                 ; setup_data, pref_address
        dd 0x10000, 0                   ; init_size, handover_offset
header_end:
        times 0x400 - ($ - $$) db 0

bits 32
kernel: mov edi, 0x32
        jmp either
        times 0x200 - ($ - kernel) db 0xCC
        mov edi, 0x64                   ; the 64-bit entry
either: mov ebx, esi                    ; the zero page
        mov esp, STACK
        mov edx, COM1
        mov eax, edi
        call hex
        mov esi, [ebx + 0x228]          ; cmd_line_ptr
line:   lodsb
        test al, al
        jz disk
        out dx, al
        jmp line
disk:   call newline
        mov eax, [ebx + 0x218]          ; ramdisk_image
        mov esi, eax
        call hex
        mov eax, [ebx + 0x21C]          ; ramdisk_size
        call hex
        mov eax, [esi]
        call hex
        mov esi, [ebx + 0x70]           ; acpi_rsdp_addr
        mov eax, [esi]
        call hex
        call newline
        mov al, [ebx + 0x1E8]           ; e820_entries
        movzx ebp, al
        lea esi, [ebx + 0x2D0]          ; e820_table
entry:  mov edi, 5
dword_: lodsd
        call hex
        sub edi, 1
        jnz dword_
        call newline
        sub ebp, 1
        jnz entry
        mov al, 0x20
        out EXIT, al
stop:   hlt
        jmp stop

hex:    mov ecx, 8                      ; prints EAX and a space
digit:  rol eax, 4
        push eax
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe shown
        add al, 'a' - '0' - 10
shown:  out dx, al
        pop eax
        sub ecx, 1
        jnz digit
        mov al, ' '
        out dx, al
        ret

newline:
        mov al, 10
        out dx, al
        ret
kernel_end:
