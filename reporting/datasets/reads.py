"""What readers found: lesions paired across scans, and the findings of signed reads."""

from __future__ import annotations

from imaging import reading_terms
from reporting.datasets.agreement import ACCEPTED, ROLE
from reporting.datasets.columns import (
    ALLOCATION,
    HEALTH,
    INTEGER,
    KEY,
    MOMENT,
    NUMBER,
    RECORD,
    SCAN,
    SUBJECT,
    TECHNICAL,
    TEXT,
    Column,
    Dataset,
)
from trials import finding_tests

KINDS = (
    ("tracers", "Two tracers"),
    ("times", "Two times of one tracer, the first the earlier"),
)
_NOT_HERE = "the lesion is not in this scan"


def _lesion_of(side: str) -> tuple[Column, ...]:
    """The scan of one side of a pair, and the lesion there."""
    return (
        Column(f"{side}_scan", f"Scheduled scan, {side}", INTEGER, KEY, origin="PR.PRLNKID"),
        Column(f"{side}_tracer", f"Tracer, {side}", TEXT, ALLOCATION, origin="EX.EXTRT"),
        Column(
            f"{side}_lesion",
            f"Lesion, {side}: its number in the read",
            INTEGER,
            KEY,
            missing=_NOT_HERE,
        ),
        Column(
            f"{side}_parts",
            f"Other parts of a split or merged lesion, {side}",
            INTEGER,
            HEALTH,
            derivation="number of further lesions of the read that are of the same place",
        ),
        Column(
            f"{side}_positivity",
            f"How the reader saw the lesion beside the reference region, {side}",
            TEXT,
            HEALTH,
            missing=_NOT_HERE,
            codes=(
                ("not_stated", "Not stated"),
                ("positive", "Above the reference"),
                ("negative", "Not above the reference"),
            ),
        ),
        Column(
            f"{side}_suvmax",
            f"SUVmax, {side}",
            NUMBER,
            HEALTH,
            unit="g/mL",
            origin="TR.TRSTRESN",
            missing=_NOT_HERE,
            derivation="of the region that the reader grew, else of the run's own",
        ),
    )


COMPARISONS = Dataset(
    name="comparisons",
    label="Comparisons of two scans",
    domain="TU",
    grain="one signed comparison that stands, also of a patient without a lesion on either scan",
    table="imaging_lesioncomparison",
    keys=("comparison",),
    columns=(
        *SUBJECT,
        Column("comparison", "Comparison", INTEGER, KEY, origin="TU.TULNKGRP"),
        Column("kind", "What was compared", TEXT, TECHNICAL, codes=KINDS),
        Column("reader", "Reader, by a number", INTEGER, TECHNICAL, origin="TU.TUEVALID"),
        *(
            column
            for side in ("first", "second")
            for column in (
                Column(
                    f"{side}_scan", f"Scheduled scan, {side}", INTEGER, KEY, origin="PR.PRLNKID"
                ),
                Column(f"{side}_tracer", f"Tracer, {side}", TEXT, ALLOCATION, origin="EX.EXTRT"),
            )
        ),
        Column("signed_at", "Signed", MOMENT, TECHNICAL, origin="TU.TUDTC"),
        *RECORD,
    ),
)

PAIRS = Dataset(
    name="pairs",
    label="Lesions paired across tracers and time",
    domain="TU",
    grain="one place of disease in a signed comparison that stands, with the lesion of each scan",
    table="imaging_lesionpair",
    keys=("pair",),
    columns=(
        *SUBJECT,
        Column("comparison", "Comparison", INTEGER, KEY, origin="TU.TULNKGRP"),
        Column("pair", "Place of disease", INTEGER, KEY, origin="TU.TULNKID"),
        Column(
            "kind",
            "What was compared",
            TEXT,
            TECHNICAL,
            codes=KINDS,
        ),
        Column("reader", "Reader, by a number", INTEGER, TECHNICAL, origin="TU.TUEVALID"),
        *_lesion_of("first"),
        *_lesion_of("second"),
        Column(
            "outcome",
            "Which scan shows the lesion",
            TEXT,
            HEALTH,
            origin="TU.TUORRES",
            derivation="confirmed by the reader; who counts positives looks at positivity too",
            codes=(
                ("both", "Both"),
                ("first-only", "The first alone"),
                ("second-only", "The second alone"),
                ("not-covered", "One alone, outside the other scan"),
            ),
        ),
        Column(
            "matched_by",
            "What made the two lesions one",
            TEXT,
            TECHNICAL,
            missing="a lesion of one scan alone",
            codes=(
                ("overlap", "Shared volume"),
                ("distance", "Distance"),
                ("reader", "Reader"),
            ),
        ),
        Column(
            "shared_ml",
            "Volume that the two lesions share",
            NUMBER,
            HEALTH,
            unit="mL",
            missing="a lesion of one scan alone, or matched by the reader",
        ),
        Column(
            "dice",
            "Dice coefficient of the two lesions",
            NUMBER,
            HEALTH,
            unit="1",
            missing="a lesion of one scan alone, or matched by the reader",
        ),
        Column(
            "distance_mm",
            "Distance of the centres",
            NUMBER,
            HEALTH,
            unit="mm",
            missing="a lesion of one scan alone",
        ),
        Column(
            "body_region",
            "Where it lies",
            TEXT,
            HEALTH,
            origin="TU.TULOC",
            missing="the reader did not say",
            codes=tuple(reading_terms.REGIONS),
        ),
        *RECORD,
    ),
)

_OF_SCAN = "the finding is of the scan as a whole"

FINDINGS = Dataset(
    name="findings",
    label="Findings of signed reads",
    domain="TR",
    grain="one result of one signed read that stands: of a scan, or of one of its lesions",
    table="trials_finding",
    keys=("finding",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("finding", "Finding", INTEGER, KEY, origin="TR.TRSEQ"),
        Column(
            "read",
            "Read that was signed",
            INTEGER,
            KEY,
            origin="TR.TRREFID",
            derivation="one read is of one reader; several reads of a scan stand side by side",
        ),
        Column("reader", "Reader, by number", INTEGER, KEY, origin="TR.TREVALID"),
        ROLE,
        ACCEPTED,
        Column(
            "lesion_number",
            "Lesion, by its number in the read",
            INTEGER,
            KEY,
            origin="TR.TRLNKID",
            missing=_OF_SCAN,
        ),
        Column(
            "location",
            "Where the reader says that it lies",
            TEXT,
            HEALTH,
            origin="TU.TULOC",
            missing=f"{_OF_SCAN}, or the reader did not say",
            codes=tuple(reading_terms.REGIONS),
        ),
        Column(
            "test",
            "What was found",
            TEXT,
            TECHNICAL,
            origin="TR.TRTESTCD",
            codes=tuple((one.code, one.name) for one in finding_tests.TESTS.values()),
        ),
        Column(
            "value_number",
            "Result, as a number in the unit beside it",
            NUMBER,
            HEALTH,
            origin="TR.TRSTRESN",
            missing="the result is a word",
        ),
        Column(
            "value_text",
            "Result, as a word",
            TEXT,
            HEALTH,
            origin="TR.TRSTRESC",
            missing="the result is a number",
            codes=(
                ("not_stated", "VISPOS: not stated"),
                ("positive", "Above the reference region: VISPOS as seen, CMPPOS by the rule"),
                ("negative", "Not above the reference region: VISPOS as seen, CMPPOS by the rule"),
                ("not_checkable", "CMPPOS: no number or accepted region to apply the rule to"),
                ("left", "ADRSIDE: the left adrenal"),
                ("right", "ADRSIDE: the right adrenal"),
                ("bilateral", "ADRSIDE: dominant over contralateral is within the cut-off"),
                ("not_evaluable", "ADRSIDE: the cut-off can't be applied"),
            ),
        ),
        Column("unit", "Unit", TEXT, TECHNICAL, origin="TR.TRSTRESU", missing="a count or a word"),
        Column(
            "method",
            "How it was measured, where there are several ways",
            TEXT,
            TECHNICAL,
            origin="TR.TRMETHOD",
            missing="there is one way",
        ),
        Column("run", "Run of the measurement that was read", INTEGER, TECHNICAL),
        Column("software_version", "Version that measured", TEXT, TECHNICAL),
        Column("found_at", "Signed", MOMENT, TECHNICAL, origin="TR.TRDTC"),
        *RECORD,
    ),
)
