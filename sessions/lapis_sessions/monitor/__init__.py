"""A machine that QEMU runs, read by its monitor (QMP) while it is paused.

Nothing of it is changed, and it is never let run; it is paused only where the user says
so. What answers may be anything, and is believed nothing that it does not show.
"""
