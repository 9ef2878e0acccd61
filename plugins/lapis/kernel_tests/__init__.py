"""Tests of kernels: what the fixtures of `lapis.pytest_plugin` are, and what they say.

`asked` reads a mark, `machine` and `schedules` are what a test is given, `evidence`
gathers what is worth knowing of one that failed, and `failing` records it. Nothing here
is imported before a test asks for it.
"""
