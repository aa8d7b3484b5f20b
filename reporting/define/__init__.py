"""Define-XML 2.1: what each variable of a submission is, where it is from and how it was made.

Pure. Whoever has datasets describes them (`Table`, `Item`) and has the bytes back: `written`. What
follows from values alone, type, length, decimals and terms, `measuring` tells.
"""

from __future__ import annotations

from reporting.define.document import written
from reporting.define.model import Codelist, Item, Origin, Standard, Study, Table, Term, ValueLevel
from reporting.define.page import PAGE, STYLESHEET, stylesheet

__all__ = [
    "PAGE",
    "STYLESHEET",
    "Codelist",
    "Item",
    "Origin",
    "Standard",
    "Study",
    "Table",
    "Term",
    "ValueLevel",
    "stylesheet",
    "written",
]
