; inout: ask a port that nobody models, and send back what it said, inverted.
PORT    equ 0x5658

        org 0x10000
bits 16
start:  cli
        mov dx, PORT
ask:    in eax, dx
        not eax
tell:   out dx, eax
sleep:  hlt
        jmp sleep
