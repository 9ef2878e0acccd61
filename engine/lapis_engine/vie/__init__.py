"""The instruction emulator: what a guest instruction does to devices.

The processor stops on an access that memory does not serve; from there the
instruction is fetched, decoded and carried out here. Where no device of the engine
answers, the instruction is suspended into one pending request that the user answers,
and then run again from its start (illumos 12989 and 12990; bhyve
`vmm_instruction_emul.c`). Nothing of a suspended instruction has been applied.

`fetch` and `decode` say what the instruction is, `state` holds it, `context` starts
it and takes answers, `execute` and `ports` carry it out, `request` is what users see.
"""
