"""One module per subject: what the user is shown of it, as typed records and in words.

`of` makes the record from the engine's objects, `text` puts it into words; where a
module has several subjects, the names say which (`stop`, `stop_text`). A view is
frozen, and its fields are a contract of `lapis exec --json` (`plain`).
"""
