"""Multiboot 2 kernels: the header, the information for the kernel, the loader.

Source: Multiboot2 Specification version 2.0.
"""
