"""Devices as state machines without I/O.

Each device is a package of the same files: `regs` declares the registers, `state`
holds, `timer` (where there is one) moves with time, `access` decodes what the guest
reads and writes. `device` says what every `access` must offer.
"""
