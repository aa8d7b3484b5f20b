"""define.xml as a page for any browser, by its stylesheet; as a program, from input to output.

Browsers show no XML by a stylesheet from a folder, and cease to do so at all. The stylesheet stays
beside it for readers of the standard, and is what the page is made by.
"""

from __future__ import annotations

import sys
from pathlib import Path

STYLESHEET = "define.xsl"
PAGE = "define.html"


def stylesheet() -> bytes:
    """What define.xml is shown by; it lies beside it as `STYLESHEET`."""
    return (Path(__file__).parent / STYLESHEET).read_bytes()


def page(document: bytes) -> bytes:
    """What its stylesheet makes of define.xml.

    Raises
    ------
    lxml.etree.XMLSyntaxError
        When the document is no XML.
    """
    # Here alone: who asks another process for the page has no need of it.
    from lxml import etree

    return bytes(etree.XSLT(etree.fromstring(stylesheet()))(etree.fromstring(document)))


if __name__ == "__main__":
    sys.stdout.buffer.write(page(sys.stdin.buffer.read()))
