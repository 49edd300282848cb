"""Minus signs in what is drawn: in a picture a minus is never a hyphen. Standard library only."""

import re

# Before a number that nothing is glued to, between two terms of a formula, and in an exponent; a hyphen within a word,
# a name or a range (laplacian-8, multiply-adds, 0-255) is none.
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d|inf\b|∞)|(?<=[\d)\]] )-(?= [\d(\[])|(?<=\de)-(?=\d)")


def typeset(text: str) -> str:
    """A text as it is drawn, with real minus signs.

    >>> typeset("sobel-x at -1.5: (4 - 2)/1 = 2, 1e-05"), typeset("0-255")
    ('sobel-x at −1.5: (4 − 2)/1 = 2, 1e−05', '0-255')
    """
    return _MINUS.sub("−", text)
