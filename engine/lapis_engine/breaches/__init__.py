"""Which rule of the manual an instruction broke that the processor refused.

The processor underneath tells a vector and an error code, and no more. Here the rule is
found afterwards, from the instruction and the state at it, both of which a fault leaves
as they were. Nothing is touched: no bit of a page table is set and no device is read.
Where no rule is found that gives this vector and error code, none is told.
"""
