"""vCPUs under `vm_run`: entry commands in, exit records out.

What bhyve does in the kernel happens inside `Vm.run`; what it leaves to userspace
comes out as an exit, and an exit is data. `vm` is the loop, `handlers` what is done
for each thing that the processor reports, `fabric` the only place that routes what
one part has to say to another.
"""
