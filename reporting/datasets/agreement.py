"""What two readers of a scan answered to the same questions, and which read counts."""

from __future__ import annotations

from reporting.datasets.columns import (
    FLAG,
    HEALTH,
    INTEGER,
    KEY,
    MOMENT,
    RECORD,
    SCAN,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)
from trials import read_rules

ROLE = Column(
    "role",
    "Whether a reader found it, or who settles what readers differ in",
    TEXT,
    TECHNICAL,
    origin="TR.TREVAL, RS.RSEVAL",
    codes=(("reader", "Reader"), ("adjudicator", "Adjudicator")),
)
ACCEPTED = Column(
    "is_accepted",
    "The read counts for its scan: the only one, of readers who agree, or adjudicated",
    FLAG,
    TECHNICAL,
    origin="TR.TRACPTFL, RS.RSACPTFL",
    derivation="by the readers and the adjudication that the trial file states; of readers who "
    "agree the read signed first; none where readers differ and nothing has settled it",
    codes=YES_NO,
)


def _answer(side: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_read", f"Read, {side}", INTEGER, KEY, origin="TR.TRREFID"),
        Column(f"{side}_reader", f"Reader, {side}, by number", INTEGER, KEY, origin="TR.TREVALID"),
        Column(
            f"{side}_answer",
            f"Answer, {side}: a count, a word, present or absent, or a category of response",
            TEXT,
            HEALTH,
        ),
    )


AGREEMENT = Dataset(
    name="reader_agreement",
    label="Readers beside each other",
    domain="TR, RS",
    grain="one question that two readers of a scan each answered in a read that stands",
    table="imaging_readeragreement",
    keys=("agreement",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("agreement", "Answers of two readers", INTEGER, KEY),
        Column(
            "question",
            "What was asked",
            TEXT,
            TECHNICAL,
            codes=tuple(read_rules.QUESTIONS.items()),
        ),
        Column(
            "subject",
            "The region, the lesion or the rule of response that is asked about",
            TEXT,
            HEALTH,
            missing="the question is of the scan as a whole, or no region was named",
        ),
        *_answer("first"),
        *_answer("second"),
        Column("is_comparable", "Both readers stated it", FLAG, TECHNICAL, codes=YES_NO),
        Column(
            "is_discordant",
            "The answers are not the same, or can't be compared",
            FLAG,
            HEALTH,
            codes=YES_NO,
        ),
        Column(
            "is_asked",
            "The protocol makes the reads discordant by it",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column("compared_at", "Compared", MOMENT, TECHNICAL),
        *RECORD,
    ),
)
