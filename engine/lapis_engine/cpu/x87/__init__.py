"""The x87 instructions of which the results would be the host's.

SDM Vol. 1 "Programming with the x87 FPU".

The processor underneath leaves sines, logarithms and their like to the C library of the
host, and remainders to its `double`: the low bits differ from host to host, and are
wrong. Here they are right: rounded once, as FCW.RC says, from the exact result. So are
a few rare ones that it does by itself, and wrongly.

`number` is the format, `rounding` the way into it, `functions` the exact results as
narrow intervals, `operations`, `scaling` and `remainder` what each instruction makes of
which operands, and `unit` the stack, the flags and the exceptions. Nothing here knows
where the registers are kept.
"""
