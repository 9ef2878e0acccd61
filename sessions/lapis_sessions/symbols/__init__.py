"""Names of addresses: where they come from, and how they are found.

They are the debugger's, and no state of the machine: no digest holds them, and a
recording holds those alone that came with its image.
"""
