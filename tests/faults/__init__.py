"""Faults that we plant in guests, and what must be told of each in the first sentence.

`scene` has what a fault is made of, `asked` plays one and asks; the modules named after
parts of the machine hold the faults, `catalog` all of them. The cause that is expected
is the manual's, and that of whoever planted it. `table` prints what is told.
"""
