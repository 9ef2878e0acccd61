"""Virtio devices on PCI: a disk and a source of random numbers.

Both are transitional: drivers reach them by the structures of virtio 1.0 or by the I/O
window of before. What they have alike is here, and what a device does with a request
is its `Backend`. Requests are served some us after the driver's notification, a bounded
amount at a time.

Source: Virtual I/O Device (VIRTIO) Version 1.1.
"""
