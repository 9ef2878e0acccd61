"""The configuration space of a PCI function, which chip sets and plug-ins have alike.

It is 256 bytes, which a device keeps in its state as `config`; what of them may be
written, and what the base address registers stand for, a `Header` says, which is no
state. A device whose registers only keep what is written takes `HeaderFunction`:

    HEADER = make(0x1AF4, 0x1042, class_code=0x01_0000, bars=(Bar(0, "io", 0x40),))
    FUNCTION = HeaderFunction(HEADER)

    @dataclass(slots=True)
    class DiskState:
        config: bytes = HEADER.reset

    Device(..., moves=FUNCTION, function=Function(3, 0, FUNCTION))
"""
