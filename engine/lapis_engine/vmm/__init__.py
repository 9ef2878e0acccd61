"""vCPUs under `vm_run`: entry commands in, exit records out.

What bhyve does in the kernel happens inside `run.run`; what it leaves to userspace
comes out as an exit, and an exit is data. `build` makes the record `vm`, `run` is the
loop over it, `handlers` what is done for each thing that the processor reports,
`fabric` the only place that routes what one part has to say to another, `clock` what
lets time pass, and `address_map` who serves an address.
"""
