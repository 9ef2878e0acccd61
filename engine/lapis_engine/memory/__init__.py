"""Guest-physical memory and the address and port spaces around it.

Reads and writes from here never cause a device access.
"""
