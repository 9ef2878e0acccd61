"""The instruction emulator: what a guest instruction does to devices.

The processor stops on an access that memory does not serve; from there the
instruction is fetched, decoded and carried out here. Where no device of the engine
answers, the instruction is suspended into one pending request that the user answers,
and then run again from its start (illumos 12989 and 12990; bhyve
`vmm_instruction_emul.c`). Nothing of a suspended instruction has been applied.

`fetch` and `decode` say what the instruction is, `state` holds it, `context` starts
it and takes answers, `request` is what users see. `execute` and `ports` carry out moves
and port I/O, `bulk` many iterations of REP at once; `native` lets the processor do any
other, with `reach` to say where it may access. `checks` are what segments forbid, and
`pieces` accesses that lie in more than one page.
"""
