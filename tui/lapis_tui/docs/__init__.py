"""The documentation: where its pages are, on a terminal and as a site.

The pages are Markdown, in `docs/pages` of a checkout and beside this module where Lapis
is installed. Which of them are made from the code says `lapis_tui.reference`.
"""
