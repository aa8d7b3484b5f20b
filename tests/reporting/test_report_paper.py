"""Reports on paper: every cell of a wide table can be read, and a narrow one takes the page."""

from __future__ import annotations

import io

import pypdf
import pytest

from reporting.reports.content import Column, Estimate, P, Table, text_of, words
from reporting.services import typesetting

WORDS = ("Quantity", "Of", "Reader")


def printed(table: Table) -> dict:
    return {
        "title": "A report", "subject": "What of it?", "trial": "T", "is_demo": False,
        "as_of": "now", "source": "rows", "software": "S", "address": "", "empty": "",
        "parts": [
            {
                "kind": "table", "title": table.title, "counted": table.counted, "notes": [],
                "columns": [
                    {"label": one.heading, "is_number": one.is_number} for one in table.columns
                ],
                "rows": table.printed(),
            }
        ],
    }  # fmt: skip


def places(table: Table) -> dict[str, float]:
    """Where each text of the page begins, in points from its left edge."""
    pdf = pypdf.PdfReader(io.BytesIO(typesetting.report_pdf(printed(table))))
    found: dict[str, float] = {}

    def seen(text, current, matrix, font, size):
        if text.strip():
            at = matrix[4] * current[0] + current[4]
            found.setdefault(text.strip(), at)

    (page,) = pdf.pages
    page.extract_text(visitor_text=seen)
    return found


def a_table(numbers: int) -> Table:
    wide = Estimate(value=102.08, lower=-137.82, upper=143.17)
    return Table(
        title="Wide", n=1,
        columns=(
            *(words(one.lower(), one) for one in WORDS),
            *(Column(f"c{at}", "Within-subject SD (95% interval)") for at in range(numbers)),
        ),
        rows=(("Volume", "lesions", "accepted", *[wide] * numbers),),
    )  # fmt: skip


@pytest.mark.parametrize("numbers", [1, 4, 7])
def test_words_beside_many_numbers_keep_their_place(numbers):
    at = places(a_table(numbers))
    volume, lesions, accepted = (at[one] for one in ("Volume", "lesions", "accepted"))
    # Eight points are four letters of the table's size.
    assert lesions - volume > 24
    assert accepted - lesions > 24


def pages_of_figure(height: float) -> list[str]:
    """The text of each page of a report that is one figure, 100 wide."""
    drawn = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 {height}">
        <rect width="100" height="{height}" fill="#123456"/></svg>"""
    content = printed(a_table(1))
    content["parts"] = [
        {"kind": "figure", "title": "Tall", "svg": drawn, "alternative": "Bar", "counted": "n = 1",
         "notes": ["A note."] * 3}
    ]  # fmt: skip
    pdf = pypdf.PdfReader(io.BytesIO(typesetting.report_pdf(content)))
    return [page.extract_text() for page in pdf.pages]


@pytest.mark.parametrize("height", [40, 400])
def test_a_figure_fits_on_a_page_with_its_heading_and_notes(height):
    """The first page has the head of the report; a tall figure stands on the next, whole."""
    pages = pages_of_figure(height)
    assert len(pages) == (1 if height == 40 else 2)
    (shown,) = (text for text in pages if "Tall" in text)
    assert "A note." in shown
    assert "n = 1" in shown


def test_a_short_table_is_not_broken_over_pages():
    content = printed(a_table(2))
    (part,) = content["parts"]
    content["parts"] = [{**part, "rows": part["rows"] * 11, "title": str(at)} for at in range(4)]
    pdf = pypdf.PdfReader(io.BytesIO(typesetting.report_pdf(content)))
    counts = [page.extract_text().count("accepted") for page in pdf.pages]
    assert sum(counts) == 44
    assert {count % 11 for count in counts} == {0}


def test_a_number_that_no_column_holds_says_how_large_it_is():
    column = Column("cv", "CV", "%")
    assert (
        text_of(Estimate(value=6.0, lower=0.0, upper=8.4384e40), column) == "6.0 (0.0 to 8.4e+40)"
    )
    assert text_of(-0.04, column) == "0.0"
    assert text_of(P(None), column) == "–"
