"""Test and retest: which two scans of a patient are to be compared, and whether they compare."""

from __future__ import annotations

from dataclasses import replace

from reporting.datasets.columns import (
    ALLOCATION,
    FLAG,
    HEALTH,
    INTEGER,
    KEY,
    NUMBER,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)
from trials import retests

_NOT_STATED = "the protocol states none"
_NOT_ONE = "there is no test scan, or there are several"
_NOT_YET = "the retest was not done by the data cut-off"
_TIMES = f"{_NOT_ONE}; or not known of one of the two"

RETESTS = Dataset(
    name="retests",
    label="Test and retest scans",
    domain="none",
    grain="one scheduled scan that the protocol marks as the retest of another, with that other",
    table="trials_scheduledscan",
    keys=("usubjid", "retest"),
    columns=(
        *SUBJECT,
        Column("retest", "Number of the retest in the patient", INTEGER, KEY),
        Column("first_scan", "Scheduled scan, test", INTEGER, KEY, missing=_NOT_ONE),
        Column(
            "second_scan",
            "Scheduled scan, retest",
            INTEGER,
            KEY,
            origin="PR.PRLNKID",
            missing=_NOT_YET,
        ),
        Column("first_planned", "Test, as the protocol plans it", TEXT, ALLOCATION),
        Column("second_planned", "Retest, as the protocol plans it", TEXT, ALLOCATION),
        Column("tracer", "Tracer", TEXT, ALLOCATION, origin="EX.EXTRT"),
        Column(
            "is_comparable",
            "Whether the two scans compare",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
            derivation="no refusal holds",
        ),
        Column(
            "refusals",
            "Why they do not, codes separated by spaces",
            TEXT,
            TECHNICAL,
            missing="they compare",
            derivation="; ".join(f"{code}: {words}" for code, words in retests.REFUSALS.items()),
        ),
        Column(
            "cautions",
            "What is to be known of the two all the same, codes separated by spaces",
            TEXT,
            TECHNICAL,
            missing=f"nothing; or {_NOT_YET}",
            derivation="; ".join(f"{code}: {words}" for code, words in retests.CAUTIONS.items()),
        ),
        Column(
            "interval_hours",
            "From the injection of the test to that of the retest",
            NUMBER,
            TECHNICAL,
            unit="h",
            missing=_TIMES,
        ),
        Column(
            "interval_minimum",
            "Shortest interval of the protocol, ISO 8601",
            TEXT,
            TECHNICAL,
            missing=_NOT_STATED,
        ),
        Column(
            "interval_maximum",
            "Longest interval of the protocol, ISO 8601",
            TEXT,
            TECHNICAL,
            missing=_NOT_STATED,
        ),
        Column(
            "uptake_difference_minutes",
            "Uptake time of the retest less that of the test",
            NUMBER,
            TECHNICAL,
            unit="min",
            missing=_TIMES,
            derivation="of the PET series that counts for each scan",
        ),
        Column(
            "uptake_difference_limit_minutes",
            "Largest difference of uptake times of the protocol",
            NUMBER,
            TECHNICAL,
            unit="min",
            missing=_NOT_STATED,
        ),
        Column(
            "activity_difference",
            "Net activity of the retest less that of the test, of the test",
            NUMBER,
            HEALTH,
            unit="%",
            missing=_TIMES,
        ),
        Column(
            "activity_difference_limit",
            "Largest difference of activities of the protocol",
            NUMBER,
            TECHNICAL,
            unit="%",
            missing=_NOT_STATED,
        ),
        Column(
            "first_reconstruction",
            "Reconstruction and voxels of the test",
            TEXT,
            TECHNICAL,
            missing=f"{_NOT_ONE}; or not stated by the images",
            derivation="(0054,1103), (0018,1210), (0028,0030) and (0018,0050) of the series that "
            "counts",
        ),
        Column(
            "second_reconstruction",
            "Reconstruction and voxels of the retest",
            TEXT,
            TECHNICAL,
            missing=f"not stated by the images, or none counts; or {_NOT_YET}",
            derivation="as that of the test",
        ),
        Column(
            "compared",
            "What the protocol compares of lesions, separated by spaces",
            TEXT,
            TECHNICAL,
            missing="nothing",
        ),
        Column(
            "organs",
            "Organs that the protocol compares, separated by spaces",
            TEXT,
            TECHNICAL,
            missing="none",
        ),
        RECORD[0],
        replace(RECORD[1], missing=_NOT_YET),
    ),
)
