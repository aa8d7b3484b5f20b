"""A sheet as PDF: tagged (PDF/UA-1), with its fonts in it, the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import segno

from reporting.sheets import glyphs

if TYPE_CHECKING:
    import typst

HERE = Path(__file__).resolve().parents[1] / "sheets"
FONTS = HERE / "fonts"
TEMPLATE = HERE / "sheet.typ"
REPORT = HERE / "report.typ"


@dataclass(frozen=True)
class Typesetter:
    """What is read once: the template, the fonts, and what they can print."""

    template: bytes
    fonts: typst.Fonts
    known: frozenset[int]


@cache
def _typesetter() -> Typesetter:
    # Tens of megabytes, which a process that prints nothing need not hold.
    import typst

    faces = [glyphs.characters(one.read_bytes()) for one in sorted(FONTS.glob("*.ttf"))]
    return Typesetter(
        TEMPLATE.read_bytes(),
        typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)]
        ),
        frozenset.intersection(*faces),
    )


def pdf(content: Mapping[str, Any], *, digest: str) -> bytes:
    """The PDF of a sheet's content, with `digest` on each page; no clock and no chance in it."""
    import typst

    tools = _typesetter()
    shown, is_written_out = glyphs.printable(dict(content) | {"digest": digest}, tools.known)
    if is_written_out:
        shown["notes"] = [*shown["notes"], glyphs.NOTE]
    shown["code"] = _code(content["address"]) if content["address"] else ""
    compiler = typst.Compiler(
        tools.template,
        root=str(HERE),
        font_paths=tools.fonts,
        ignore_system_fonts=True,
        sys_inputs={"sheet": json.dumps(shown)},
    )
    return compiler.compile(format="pdf", pdf_standards=["ua-1"], timestamp=0)


def report_pdf(content: Mapping[str, Any]) -> bytes:
    """The PDF of a report, its figures as vectors; the same bytes for the same content."""
    import typst

    tools = _typesetter()
    pictures = [part.get("svg", "") for part in content["parts"]]
    words = [{name: part[name] for name in part if name != "svg"} for part in content["parts"]]
    shown, _ = glyphs.printable(dict(content) | {"parts": words}, tools.known)
    for part, picture in zip(shown["parts"], pictures, strict=True):
        part["svg"] = picture
    compiler = typst.Compiler(
        REPORT.read_bytes(),
        root=str(HERE),
        font_paths=tools.fonts,
        ignore_system_fonts=True,
        sys_inputs={"report": json.dumps(shown)},
    )
    return compiler.compile(format="pdf", pdf_standards=["ua-1"], timestamp=0)


def _code(address: str) -> str:
    """The QR code of an address, as SVG."""
    file = BytesIO()
    segno.make(address, error="m", micro=False).save(
        file, kind="svg", border=2, xmldecl=False, svgclass=None, lineclass=None
    )
    return file.getvalue().decode()
