"""Cells of a table that leaves for a spreadsheet."""

from __future__ import annotations

# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """A cell that no spreadsheet runs as a formula.

    >>> harmless('=HYPERLINK("x")'), harmless("101-S001")
    ('\'=HYPERLINK("x")', '101-S001')
    """
    return f"'{text}" if text.startswith(FORMULA) else text
