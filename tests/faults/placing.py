"""Where the code of a fault runs: on the BSP, or on an AP that it starts."""

WAYS = (False, True)
ON = (0, 1, 2)
"""vCPUs on which it may be."""
VECTORS = (0x31, 0x52, 0xEC)
SPIN = """
here:   pause
        jmp here
"""


def on_vcpu(on: int, code: str) -> str:
    """Return a guest in which one vCPU does `code`, and the others sleep."""
    if on == 0:
        return f"{code}\n sleep\n handlers"
    return f"""
        copy ap_start, 8
        start {on}, 8
        sleep
        handlers
        trampoline
{code}
        sleep
"""


def to(on: int, vector: int) -> str:
    """Return an IPI to one vCPU by its id."""
    return f"send {0x4000 | vector:#x}, {on}"
