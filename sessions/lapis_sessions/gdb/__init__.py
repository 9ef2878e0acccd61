"""GDB's remote serial protocol: another debugger's hand on a session.

`stub.Stub` is one client's conversation, bytes in and bytes out, without a socket or a
clock; who carries the bytes lies above. Source: GDB manual "Remote Serial Protocol".

Every vCPU is a thread, vCPU 0 is thread 1. What gdb has no word for is said in words,
as console output just before the answer.
"""
