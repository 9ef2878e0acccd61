; fabric-ioapic: edges and levels through the IOAPIC to two processors, remote-IRR,
; and who ends it. The line is the UART's, the edges by themselves are the PIT's.
;
; Intel 82093AA "I/O Redirection Table Registers"; SDM Vol. 3A "Signaling Interrupt
; Servicing Completion", "EOI-Broadcast Suppression".
; QEMU agrees; its TCG cannot suppress the broadcast.
%define PROCESSORS 2
%include "fabric.inc"
%include "fabric-devices.inc"

AGAIN        equ SHARED + 0x80   ; how many more times `level` leaves the line up
TRIGGER     equ SHARED + 0x88   ; was it a level, by the TMR?
TICKS       equ SHARED + 0x90   ; of the PIT
BEGUN       equ SHARED + 0x98   ; time-stamp of the first
ENDED       equ SHARED + 0xA0   ; and of the fifth

EDGE_41     equ 0x41
LEVEL_52    equ LEVEL | 0x52
SUPPRESS    equ 1 << 12         ; of the SVR
CAN         equ 1 << 24         ; of the version register: it has that bit

%macro count_of 1               ; eax = how often the BSP had a vector
        movzx eax, byte [OWN_PAGES + COUNTS + (%1)]
        mov byte [OWN_PAGES + COUNTS + (%1)], 0
%endmacro

main:
        mov dword [rbx + SVR], ON
        on 0x41, edge
        on 0x52, level
        on 0x53, leave_up
        on 0x63, pit_tick
        on 2, count_nmi
        mov dx, 0x3FC
        mov al, 8
        out dx, al                      ; MCR: OUT2, which lets the line out

        io_get IO_VERSION
        shr eax, 16
        check "the IOAPIC has 24 pins at least", 23, 239
        get_pin UART_PIN
        check "after reset a pin is masked", MASKED
        set_pin UART_PIN, MASKED | REMOTE_IRR | 1 << 12 | LEVEL_52
        get_pin UART_PIN
        check "remote-IRR and delivery status cannot be written", MASKED | LEVEL_52
        set_whom UART_PIN, 0

        ; An edge.
        set_pin UART_PIN, EDGE_41
        line_up
        get_pin UART_PIN
        check "an edge sets no remote-IRR", EDGE_41
        read_bit IRR, 0x41
        check "an edge is in the IRR", 1
        mov eax, [rbx + TMR + 0x20]
        check "and the TMR has no bit", 0
        call let_in
        call let_in
        count_of 0x41
        check "an edge comes once, though the line stays up", 1
        set_pin UART_PIN, EDGE_41
        call let_in
        count_of 0x41
        check "and not again when the pin is programmed", 0
        line_down
        call let_in
        count_of 0x41
        check "nor when the line falls", 0
        line_up
        call let_in
        count_of 0x41
        check "but when it rises anew", 1
        line_down
        set_pin UART_PIN, MASKED | EDGE_41
        line_up
        set_pin UART_PIN, EDGE_41
        call let_in
        count_of 0x41
        check "an edge on a masked pin is lost", 0
        line_down

        ; A level.
        set_pin UART_PIN, LEVEL_52
        line_up
        get_pin UART_PIN
        check "a level sets remote-IRR", REMOTE_IRR | LEVEL_52
        read_bit IRR, 0x52
        check "and is in the IRR", 1
        mov dword [AGAIN], 2
        call let_in
        count_of 0x52
        check "a level comes until the line is down: three times", 3
        mov eax, [TRIGGER]
        check "the TMR says that it is one", 1
        get_pin UART_PIN
        check "the last EOI has cleared remote-IRR", LEVEL_52
        line_up
        line_down
        call let_in
        count_of 0x52
        check "a level that has fallen in the IRR comes all the same", 1
        set_pin UART_PIN, MASKED | LEVEL_52
        line_up
        call let_in
        count_of 0x52
        check "a level on a masked pin does not come", 0
        set_pin UART_PIN, LEVEL_52
        call let_in
        count_of 0x52
        check "until it is unmasked", 1

        ; Remote-IRR holds back, not the line.
        line_up
        line_down
        line_up
        line_down
        call let_in
        count_of 0x52
        check "two levels before the EOI are one", 1
        on 0x52, up_again
        line_up
        call let_in
        count_of 0x52
        check "down and up in the handler, it comes again after its EOI", 2
        on 0x52, level

        ; To edge and back is an end where the pin has no other.
        set_pin UART_PIN, LEVEL | 0x53
        line_up
        call let_in
        get_pin UART_PIN
        check "without an EOI remote-IRR stays", REMOTE_IRR | LEVEL | 0x53
        set_pin UART_PIN, MASKED | 0x53
        get_pin UART_PIN
        check "it goes when the pin becomes an edge", MASKED | 0x53
        line_down
        call end_interrupt
        count_of 0x53
        check "the handler without an EOI ran once", 1

        ; EOI-broadcast suppression.
        mov eax, [rbx + VERSION]
        test eax, CAN
        jz .cannot
        mov dword [rbx + SVR], ON | SUPPRESS
        set_pin UART_PIN, LEVEL_52
        line_up
        mov dword [AGAIN], 0
        call let_in
        get_pin UART_PIN
        check "suppressed, the EOI leaves remote-IRR", REMOTE_IRR | LEVEL_52
        line_up
        call let_in
        count_of 0x52
        check "and the line finds it set", 1
        mov eax, IO_EOI
        mov dword [rax], 0x51
        get_pin UART_PIN
        check "the IOAPIC's EOI register ends no other vector", REMOTE_IRR | LEVEL_52
        mov eax, IO_EOI
        mov dword [rax], 0x52
        call let_in
        count_of 0x52
        check "but its own, and the line sends again", 1
        mov eax, IO_EOI
        mov dword [rax], 0x52
        get_pin UART_PIN
        check "with the line down that is the end", LEVEL_52
        mov dword [rbx + SVR], ON
        jmp .both
.cannot:
        mov dword [rbx + SVR], ON | SUPPRESS
        mov eax, [rbx + SVR]
        check "the SVR has no bit to suppress EOIs", ON
.both:
        ; Priorities: the IOAPIC's vector is one among others.
        mov dword [rbx + TPR], 0x50
        set_pin UART_PIN, LEVEL_52
        line_up
        call let_in
        count_of 0x52
        check "the TPR holds a level back as anything else", 0
        mov dword [rbx + TPR], 0
        call let_in
        count_of 0x52
        check "and no longer", 1

        ; The other processor.
        call start_aps
        set_whom UART_PIN, 1
        set_pin UART_PIN, LEVEL_52
        mov dword [AGAIN], 1
        line_up
        call barrier
        who 0x52
        check "destination 1: that processor has it, and twice", 1 << 33
        get_pin UART_PIN
        check "and its EOI reaches the IOAPIC", LEVEL_52
        mov eax, be_logical
        call on_all
        set_whom UART_PIN, 3
        set_pin UART_PIN, 1 << 11 | EDGE_41
        line_up
        line_down
        call barrier
        who 0x41
        check "logical destination 3: both", 3
        set_whom UART_PIN, 0xFF
        set_pin UART_PIN, EDGE_41
        line_up
        line_down
        call barrier
        who 0x41
        check "destination 0xFF: both", 3
        mov dword [rbx + TPR], 0x20
        set_whom UART_PIN, 3
        set_pin UART_PIN, 1 << 11 | 1 << 8 | EDGE_41
        line_up
        line_down
        mov dword [rbx + TPR], 0
        call barrier
        who 0x41
%ifndef QEMU
        check "lowest priority: the one with the lower TPR", 2
%endif
        set_whom UART_PIN, 9
        set_pin UART_PIN, EDGE_41
        line_up
        line_down
        call barrier
        who 0x41
        check "destination 9: nobody", 0
        set_whom UART_PIN, 0
        set_pin UART_PIN, 4 << 8 | EDGE_41
        line_up
        line_down
        call barrier
        who 2
        check "delivery mode NMI is vector 2", 1
        who 0x41
        check "and not the pin's", 0
        set_pin UART_PIN, MASKED

        ; The PIT.
        set_whom PIT_PIN, 0
        set_pin PIT_PIN, 0x63
        pit_every 1193                  ; of 1,193,182 Hz: 999,847 ns
        sti
.tick:  hlt
        cmp dword [TICKS], 5
        jb .tick
        cli
        set_pin PIT_PIN, MASKED
        pit_off
        mov rax, [ENDED]
        sub rax, [BEGUN]
        check "four periods of the PIT on pin 2, in ns", 3998000, 4001000
        ret

; Handler: a vector that the line's edge has sent.
edge equ count

; Handler: of a level; take the line down, but for AGAIN times.
level:  push rax
        read_bit TMR, 0x52
        mov [TRIGGER], eax
        cmp dword [AGAIN], 0
        je .down
        dec dword [AGAIN]
        jmp .end
.down:  line_down
.end:   pop rax
        jmp count

; Handler: of a level; down and up before the EOI, the first time.
up_again:
        push rax
        line_down
        cmp byte [rbp + COUNTS + 0x52], 0
        jne .end
        line_up
.end:   pop rax
        jmp count

; Handler: no EOI, and the line as it is.
leave_up:
        inc byte [rbp + COUNTS + rax]
        ret

; Handler of the PIT: the time of the first tick and of the last.
pit_tick:
        now
        inc dword [TICKS]
        cmp dword [TICKS], 1
        jne .later
        mov [BEGUN], rax
.later: mov [ENDED], rax
        jmp end_interrupt

; Every processor: a bit of the flat model.
be_logical:
        lea ecx, [rbp - OWN_PAGES]
        shr ecx, 12
        mov eax, 0x01000000
        shl eax, cl
        mov [rbx + LDR], eax
        ret
