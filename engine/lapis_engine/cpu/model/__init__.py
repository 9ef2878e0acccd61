"""What the processor is: CPUID, MSRs and the bits of its registers, in one table.

A model is plain data (`record`). `lapis` and `base` are those there are (`catalog`);
`consistency` refuses one whose parts do not agree; `leaves` answers CPUID from it.
Nothing of the host is asked.
"""
