"""The pages of the reference, made from the code: `python -m lapis_tui.reference`.

A module makes a page from what the program itself goes by. With `--check` nothing is
written, and what is old is named. Where documentation is in strings behind attributes,
it is read in the source, so this is for a checkout.
"""
