; hlt-loop: sleep, with interrupts off, for good.
        org 0x10000
bits 16
start:  cli
sleep:  hlt
        jmp sleep
