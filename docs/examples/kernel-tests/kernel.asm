; smp: a small kernel for two processors, in which one of three bugs is planted.
;
; The BSP starts the AP by INIT-SIPI-SIPI and waits until it is online; the AP
; sleeps until the BSP has posted work and sent an IPI. Then both take two
; spin locks, count, and give them back, and count once more without locks. The
; BSP sleeps until an IPI of the AP says that it is done, prints "passed", or
; what is wrong, on COM1 and ends the run by the debug exit with 0 or 1. All in
; real mode, with the APICs in x2APIC mode.
;
; Each bug shows in a few interleavings only, and never where each processor
; runs for thousands of instructions at a time:
;
;   -d LOST_WAKEUP  the AP looks for work and halts with interrupts on between:
;                   an IPI that comes there wakes nobody, and both sleep for ever
;                   (smp-lost-wakeup.bin; stop == "halted")
;   -d LOST_UPDATE  the count without locks is loaded, incremented and stored
;                   (smp-lost-update.bin; "wrong count" in console)
;   -d DEADLOCK     the AP takes the locks in the other order (ABBA)
;                   (smp-deadlock.bin; each spins for ever on the lock that the
;                   other holds: u16(0x704) == 1 and u16(0x706) == 2)
;
; Without any of them it is smp-repaired.bin.
ONLINE  equ 0x0700                      ; by the AP: it can be interrupted
WORK    equ 0x0702                      ; by the BSP: there is something to do
LOCK_A  equ 0x0704                      ; 0, BSP_HOLDS or AP_HOLDS
LOCK_B  equ 0x0706
HELD    equ 0x0708                      ; how often both locks were held
COUNT   equ 0x070A                      ; counted without locks
DONE    equ 0x070C                      ; by the AP: it has nothing more to do
BSP_HOLDS equ 1
AP_HOLDS equ 2
HANDLER equ 0x0600                      ; where the handler is copied, segment 0
AP      equ 0x8000                      ; where the AP starts
VECTOR  equ 0x40
COM1    equ 0x3F8
EXIT    equ 0xF4                        ; isa-debug-exit

INIT    equ 0x0000C500                  ; ICR: INIT, assert, level
STARTUP equ 0x00004608                  ; SIPI at page 8: AP
IPI     equ 0x00004000 + VECTOR         ; fixed

        org 0x10000
bits 16
%macro  wrmsr_to 2-3 0                  ; MSR, value, its upper half
        mov ecx, %1
        mov eax, %2
        mov edx, %3
        wrmsr
%endmacro
%macro  copy 3                          ; from, its end, to: segment 0
        mov si, %1 - start
        mov di, %3
        mov cx, %2 - %1
        rep movsb
%endmacro
%macro  acquire 1                       ; a spin lock: who holds it is in it
%%try:  xor ax, ax
        lock cmpxchg [%1], bp
        je %%got
%%spin: pause
        cmp word [%1], 0
        jne %%spin
        jmp %%try
%%got:
%endmacro
%macro  release 1
        mov word [%1], 0
%endmacro
%macro  count 0                         ; without locks
%ifdef LOST_UPDATE
        mov ax, [COUNT]                 ; another may store between this
        inc ax
        mov [COUNT], ax                 ; and this
%else
        lock inc word [COUNT]
%endif
%endmacro
%macro  work 2                          ; what each processor does; the locks
        acquire %1
        acquire %2
        inc word [HELD]
        release %2
        release %1
        count
%endmacro

start:  cli
        cld
        xor ax, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        mov ax, cs
        mov ds, ax
        copy handler, handler_end, HANDLER
        copy ap, ap_end, AP
        xor ax, ax
        mov ds, ax
        mov word [VECTOR * 4], HANDLER
        mov word [VECTOR * 4 + 2], 0
        wrmsr_to 0x1B, 0xFEE00D00       ; APICBASE: x2APIC, BSP
        wrmsr_to 0x80F, 0x1FF           ; SVR: on
        wrmsr_to 0x830, INIT, 1
        mov cx, 100                     ; the AP takes it in
.init:  loop .init
        wrmsr_to 0x830, STARTUP, 1
        mov cx, 20
.sipi:  loop .sipi
        wrmsr_to 0x830, STARTUP, 1
.start: pause
        cmp word [ONLINE], 0
        je .start

        mov word [WORK], 1
        wrmsr_to 0x830, IPI, 1
        mov bp, BSP_HOLDS
        work LOCK_A, LOCK_B
.wait:  cli                             ; nothing comes between look and HLT
        cmp word [DONE], 0
        jne .done
        sti                             ; takes effect after the next instruction
        hlt
        jmp .wait

.done:  mov si, wrong_held - start
        cmp word [HELD], 2
        jne .tell
        mov si, wrong_count - start
        cmp word [COUNT], 2
        jne .tell
        mov si, passed - start
.tell:  mov bl, [cs:si]                 ; status, and then the text
        inc si
        mov dx, COM1
.next:  mov al, [cs:si]
        inc si
        test al, al
        jz .exit
        out dx, al
        jmp .next
.exit:  mov al, bl
        out EXIT, al
.end:   hlt
        jmp .end

passed: db 0, "passed", 0
wrong_held:
        db 1, "wrong count under locks", 0
wrong_count:
        db 1, "wrong count", 0

handler:
        push eax
        push ecx
        push edx
        wrmsr_to 0x80B, 0               ; EOI
        pop edx
        pop ecx
        pop eax
        iret
handler_end:

ap:     cli                             ; at 0800:0000
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x6000
        wrmsr_to 0x1B, 0xFEE00C00       ; APICBASE: x2APIC
        wrmsr_to 0x80F, 0x1FF
%ifdef LOST_WAKEUP
        sti                             ; too early: see .sleep
%endif
        mov word [ONLINE], 1
.sleep: cmp word [WORK], 0
        jne .work
%ifndef LOST_WAKEUP
        sti                             ; takes effect after the next instruction
%endif
        hlt
%ifndef LOST_WAKEUP
        cli                             ; nothing comes between look and HLT
%endif
        jmp .sleep
.work:  sti
        mov bp, AP_HOLDS
%ifdef DEADLOCK
        work LOCK_B, LOCK_A
%else
        work LOCK_A, LOCK_B
%endif
        mov word [DONE], 1
        wrmsr_to 0x830, IPI, 0
.end:   hlt
        jmp .end
ap_end:
