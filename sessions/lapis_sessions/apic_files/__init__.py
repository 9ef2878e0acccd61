"""Saved local APICs as files: our own JSON, QEMU's text, a raw page, a KVM dump."""
