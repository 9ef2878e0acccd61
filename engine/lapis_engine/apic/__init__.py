"""The local APIC, in the set of files that every device has.

`regs` declares, `state` holds, `priority` and `timer` are transitions, `icr` and
`destination` say what an IPI is and whom it names, `access` decodes what a guest reads
and writes in xAPIC and x2APIC mode. A transition changes only the state it is given and
returns what happened; an IPI is returned as an `Ipi`, and carrying it to its targets is
the vmm's business.

Sources: Intel SDM of 2024, Vol. 3A chapter "Advanced Programmable Interrupt
Controller", by section title; bhyve's `vlapic.c` by function.
"""
