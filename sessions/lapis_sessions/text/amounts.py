"""Numbers with what they are of."""


def amount(count: int, noun: str) -> str:
    """Return a number and its noun, which is given in the singular.

    >>> amount(1, "act"), amount(28_838, "instruction"), amount(0, "hash")
    ('1 act', '28,838 instructions', '0 hashes')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}{'es' if noun.endswith(('sh', 'ch')) else 's'}"
