; ap-bringup: start every processor, have each answer one interrupt, stop.
;
;   nasm -f bin -o ap-bringup.bin ap-bringup.asm
;
; The bootstrap processor (BSP) enters at 1000:0000 in real mode, everything
; else as after reset; the application processors (APs) wait for a SIPI.
; It prints on COM1 "<n> processors" and "device says 0x<value>", no more.
;
; Guest-physical memory:
;   0x008000  ap_start, the APs' real-mode code, copied there in step 2
;   0x010000  this image: code, and from 0x11000 on data
;   0x070000  page tables, built in step 1 (see the end of this file)
;   0x100000  one page for each processor, at 0x100000 + APIC id * 0x1000:
;             IPI_SEEN at its start, its stack down from its end
;
; From `long_mode` on, on every processor:
;   rbx  the local APIC's registers
;   rbp  this processor's own page

IMAGE       equ 0x10000         ; where the image is loaded: CS = IMAGE / 16
TRAMPOLINE  equ 0x8000          ; where APs start; SIPI_ALL holds its page, 8
OWN_PAGES   equ 0x100000        ; first of the processors' own pages
PAGE        equ 0x1000          ; 4 KiB
IPI_SEEN    equ 0               ; own page: has this processor had its IPI?

CODE32      equ 0x08            ; selectors: places in `gdt`
CODE64      equ 0x10
DATA        equ 0x18

CR0_PE      equ 1 << 0          ; protected mode
CR0_PG      equ 1 << 31         ; paging
CR4_PAE     equ 1 << 5          ; 8-byte page table entries; long mode needs it
EFER        equ 0xC0000080      ; the MSR of extended features
EFER_LME    equ 1 << 8          ; paging, once on, means long mode

; A table's entry: present, writable and already accessed; a 2 MiB page's also
; has "dirty" and "large". With accessed and dirty set beforehand no processor
; ever writes to the tables that all of them share.
PTE_TABLE   equ 0x23
PTE_LARGE   equ 0xE3
LARGE_PAGE  equ 0x200000        ; 2 MiB

LAPIC       equ 0xFEE00000      ; every processor finds its own APIC here
LAPIC_ID    equ 0x020           ; its id, in bits 31-24
LAPIC_TPR   equ 0x080           ; task priority: 0 accepts every vector
LAPIC_EOI   equ 0x0B0           ; end of interrupt: write 0
LAPIC_SVR   equ 0x0F0           ; spurious vector, and the software enable
LAPIC_ICR   equ 0x300           ; interrupt command, low half: a write sends

SVR_ENABLE  equ 0x1FF           ; bit 8: enabled; spurious vector 0xFF
IPI_VECTOR  equ 0x31            ; the one interrupt that every AP gets
SPURIOUS    equ 0xFF

; Commands: 0xC0000 is "all but self", 0x4000 "assert", then mode and vector.
INIT_ALL    equ 0x000C4500      ; mode 5, INIT
SIPI_ALL    equ 0x000C4608      ; mode 6, start-up, at page 8: TRAMPOLINE
IPI_ALL     equ 0x000C4031      ; mode 0, fixed: IPI_VECTOR

INIT_DELAY  equ 8192            ; turns of a loop, for the APs to take INIT in

FW_SELECT   equ 0x510           ; fw_cfg: a word written here selects an item,
FW_DATA     equ 0x511           ; whose bytes are then read here one by one
FW_NB_CPUS  equ 0x0005          ; the item: number of processors, 16 bits

DEVICE      equ 0xD0000000      ; a register of a device that nobody models

COM1        equ 0x3F8           ; transmit register
COM1_LSR    equ 0x3FD           ; line status register
LSR_EMPTY   equ 0x20            ; the transmit register can take a byte

        org IMAGE
section .text

; Step 1a, BSP: leave real mode.
bits 16
start:
        cli
        cld
        mov ax, cs                      ; the image is at CS:0, so at DS:0
        mov ds, ax
        o32 lgdt [gdt_pointer - IMAGE]
        mov eax, cr0
        or eax, CR0_PE
        mov cr0, eax
        jmp dword CODE32:protected_mode

; Step 1b, BSP: build tables that map the first 4 GiB, each page to itself.
; RAM, the device and the local APIC are all within.
bits 32
protected_mode:
        mov eax, DATA
        mov ds, eax
        mov es, eax

        mov edi, pml4                   ; clear pml4 and pdpt, neighbours
        mov ecx, 2 * PAGE / 4
        xor eax, eax
        rep stosd

        mov dword [pml4], pdpt + PTE_TABLE
        mov dword [pdpt + 0], directories + 0 * PAGE + PTE_TABLE
        mov dword [pdpt + 8], directories + 1 * PAGE + PTE_TABLE
        mov dword [pdpt + 16], directories + 2 * PAGE + PTE_TABLE
        mov dword [pdpt + 24], directories + 3 * PAGE + PTE_TABLE

        mov edi, directories
        mov eax, PTE_LARGE              ; the page at 0
.next_page:
        mov [edi], eax
        mov dword [edi + 4], 0
        add edi, 8
        add eax, LARGE_PAGE
        jnc .next_page                  ; a carry: all 4 GiB are done

        mov esi, bsp_main
        jmp enter_long_mode

; Step 4b, AP: join the BSP's way, with the tables ready.
ap_protected_mode:
        mov esi, ap_main

; Steps 1c and 4c, every processor: switch to long mode, then on to ESI.
enter_long_mode:
        mov eax, cr4
        or eax, CR4_PAE
        mov cr4, eax
        mov eax, pml4
        mov cr3, eax
        mov ecx, EFER
        rdmsr
        or eax, EFER_LME
        wrmsr
        mov eax, cr0
        or eax, CR0_PG
        mov cr0, eax
        jmp CODE64:long_mode

; Steps 2b and 4d, every processor: set up what each has for itself.
bits 64
long_mode:
        mov eax, DATA
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov esi, esi                    ; the switch left its upper half undefined

        mov ebx, LAPIC
        mov eax, [rbx + LAPIC_ID]
        shr eax, 24                     ; the id, and
        shl eax, 12                     ; times PAGE
        lea rbp, [rax + OWN_PAGES]
        lea rsp, [rbp + PAGE]
        mov dword [rbp + IPI_SEEN], 0

        lidt [idt_pointer]
        mov dword [rbx + LAPIC_TPR], 0
        mov dword [rbx + LAPIC_SVR], SVR_ENABLE
        jmp rsi

; Step 2a, BSP: put the APs' code where their SIPI will send them.
bsp_main:
        mov esi, section.trampoline.start
        mov edi, TRAMPOLINE
        mov ecx, ap_end - ap_start
        rep movsb

; Step 3, BSP: INIT the APs, give them a moment, start them.
;
; Old practice sends SIPI twice, in case the first is lost. Here none can be:
; an AP after INIT holds a SIPI until it takes it. The second would find
; it running, and a running processor ignores SIPI.
send_init:
        mov dword [rbx + LAPIC_ICR], INIT_ALL
        mov ecx, INIT_DELAY
.delay:
        pause
        loop .delay
send_sipi:
        mov dword [rbx + LAPIC_ICR], SIPI_ALL

; Step 5, BSP: ask the firmware how many processors there are, and wait for
; all but this one. (r12 = how many, r13 = how many APs.)
count_processors:
        mov dx, FW_SELECT
        mov ax, FW_NB_CPUS
        out dx, ax
        mov dx, FW_DATA
        in al, dx                       ; low byte first
        movzx r12d, al
        in al, dx
        movzx eax, al
        shl eax, 8
        or r12d, eax
        lea r13d, [r12 - 1]
wait_ready:
        cmp [aps_ready], r13d
        je send_ipi
        pause
        jmp wait_ready

; Step 6, BSP: interrupt all the APs with one command, and wait until each
; has counted itself.
send_ipi:
        mov dword [rbx + LAPIC_ICR], IPI_ALL
wait_counted:
        cmp [aps_counted], r13d
        je read_device
        pause
        jmp wait_counted

; Step 7, BSP: read a register that only the debugger's user can answer for.
read_device:
        mov eax, [qword DEVICE]
        mov r14d, eax

; Step 8, BSP: tell, and stop.
report:
        mov eax, r12d
        mov ecx, 10
        call print_number
        mov esi, text_processors
        call print
        mov esi, text_device
        call print
        mov eax, r14d
        mov ecx, 16
        call print_number
        mov esi, text_newline
        call print
bsp_done:
        cli
        hlt
        jmp bsp_done

; Step 4e, AP: say that we are ready, then sleep until our IPI came.
;
; Interrupts are off whenever IPI_SEEN is looked at, and `sti` lets none in
; before the next instruction has begun: an IPI between look and `hlt` cannot
; slip by, it ends the `hlt`.
ap_main:
        lock inc dword [aps_ready]
ap_wait:
        cli
        cmp dword [rbp + IPI_SEEN], 0
        jne ap_done
        sti
        hlt
        jmp ap_wait
ap_done:
        cli
        hlt
        jmp ap_done

; The IPI's handler, AP: note it, end it, count it.
;
; It changes no register; rbx and rbp are the same everywhere, see the top.
ipi_handler:
        mov dword [rbp + IPI_SEEN], 1
        mov dword [rbx + LAPIC_EOI], 0
        lock inc dword [aps_counted]
        iretq

; A spurious interrupt: nothing to do; it wants no EOI.
spurious_handler:
        iretq

; Any exception: none is expected, so say so and stop.
exception_handler:
        mov esi, text_exception
        call print
.halt:
        cli
        hlt
        jmp .halt

; Print EAX in base ECX: the digits above the last by a call of itself.
print_number:
        xor edx, edx
        div ecx
        push rdx                        ; the last digit
        test eax, eax
        jz .last
        call print_number
.last:
        pop rdx
        mov al, [digits + rdx]
        jmp print_byte

; Print the bytes at RSI up to a zero.
print:
        lodsb
        test al, al
        jz .end
        call print_byte
        jmp print
.end:
        ret

; Print AL once COM1 can take it.
print_byte:
        mov ah, al
        mov dx, COM1_LSR
.wait:
        in al, dx
        test al, LSR_EMPTY
        jz .wait
        mov al, ah
        mov dx, COM1
        out dx, al
        ret

; Data, in pages apart from the code's.
section .data align=4096 follows=.text

; Flat segments, marked accessed beforehand: loading them writes nothing.
gdt:
        dq 0
        dq 0x00CF9B000000FFFF           ; CODE32: 0 to 4 GiB
        dq 0x00AF9B000000FFFF           ; CODE64
        dq 0x00CF93000000FFFF           ; DATA: 0 to 4 GiB, writable
.end:
gdt_pointer:
        dw gdt.end - gdt - 1
        dd gdt
idt_pointer:
        dw idt.end - idt - 1
        dq idt

; One 16-byte gate: present, ring 0, interrupts off on entry.
%macro gate 1
        dw (IMAGE + %1 - start) & 0xFFFF
        dw CODE64
        dw 0x8E00
        dw (IMAGE + %1 - start) >> 16
        dq 0
%endmacro

        align 16
idt:
%assign vector 0
%rep 256
  %if vector < 32
        gate exception_handler
  %elif vector = IPI_VECTOR
        gate ipi_handler
  %elif vector = SPURIOUS
        gate spurious_handler
  %else
        dq 0, 0                         ; not present: an exception, if ever used
  %endif
  %assign vector vector + 1
%endrep
.end:

; Both are written by the APs with `lock`, and only read by the BSP.
aps_ready:      dd 0                    ; how many APs wait for the IPI
aps_counted:    dd 0                    ; how many had it

digits:         db "0123456789abcdef"
text_processors: db " processors"
text_newline:   db 13, 10, 0
text_device:    db "device says 0x", 0
text_exception: db "unexpected exception", 13, 10, 0

; Step 4a, AP: leave real mode. This runs at 0800:0000, from the copy.
section trampoline vstart=TRAMPOLINE follows=.data align=16
bits 16
ap_start:
        cli
        mov ax, cs                      ; the copy is at CS:0, so at DS:0
        mov ds, ax
        o32 lgdt [ap_gdt_pointer - ap_start]
        mov eax, cr0
        or eax, CR0_PE
        mov cr0, eax
        jmp dword CODE32:ap_protected_mode
ap_gdt_pointer:
        dw gdt.end - gdt - 1
        dd gdt
ap_end:

; Page tables: no bytes of the image, but 24 KiB that step 1b fills.
section tables nobits start=0x70000
pml4:           resb PAGE               ; its first entry covers 512 GiB
pdpt:           resb PAGE               ; its first four cover 1 GiB each
directories:    resb 4 * PAGE           ; 512 pages of 2 MiB in each of four
