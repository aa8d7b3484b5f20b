"""What the protocol sets out to show, as the newest version of it states it."""

from __future__ import annotations

from reporting.datasets.columns import (
    FLAG,
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
from trials import hypotheses

_NOT_STATED = "the protocol does not state it"

HYPOTHESES = Dataset(
    name="hypotheses",
    label="Hypotheses of the protocol",
    domain="none",
    grain="one hypothesis on two planned scans, in the order in which it is tested; of no patient",
    table="trials_protocolversion",
    keys=("number",),
    columns=(
        SUBJECT[0],
        Column("number", "Place in the order of tests", INTEGER, KEY),
        Column("hypothesis", "Identifier in the trial file", TEXT, KEY),
        Column("label", "Hypothesis", TEXT, TECHNICAL),
        Column("objective", "Objective that it is of", TEXT, TECHNICAL, missing=_NOT_STATED),
        Column(
            "kind",
            "What is to be shown of the first scan",
            TEXT,
            TECHNICAL,
            codes=(
                (hypotheses.SUPERIORITY, "That it is better"),
                (hypotheses.NON_INFERIORITY, "That it is no worse by the margin or more"),
            ),
        ),
        Column("measure", "By what", TEXT, TECHNICAL, codes=tuple(hypotheses.MEASURES.items())),
        Column("level", "Level", TEXT, TECHNICAL, codes=tuple(hypotheses.LEVELS.items())),
        Column("first_planned", "Planned scan, first", TEXT, TECHNICAL),
        Column("second_planned", "Planned scan, second", TEXT, TECHNICAL),
        Column("first_label", "Name of the first", TEXT, TECHNICAL),
        Column("second_label", "Name of the second", TEXT, TECHNICAL),
        Column(
            "margin",
            "Margin of non-inferiority",
            NUMBER,
            TECHNICAL,
            unit="1",
            missing=f"a superiority, or {_NOT_STATED}",
        ),
        Column(
            "alpha",
            "Level of significance, of a superiority two-sided, else one-sided",
            NUMBER,
            TECHNICAL,
            unit="1",
            missing=_NOT_STATED,
        ),
        Column(
            "variant",
            "Variant of McNemar's test",
            TEXT,
            TECHNICAL,
            missing=f"a non-inferiority, or {_NOT_STATED}",
        ),
        Column("population", "Analysis population", TEXT, TECHNICAL, missing="everybody counts"),
        Column(
            "order",
            "How the hypotheses are tested together",
            TEXT,
            TECHNICAL,
            missing=_NOT_STATED,
            codes=tuple(hypotheses.ORDERS.items()),
        ),
        Column("is_proposed", "No source states it: never decided", FLAG, TECHNICAL, codes=YES_NO),
        Column("version", "Version of the protocol", INTEGER, KEY),
        *RECORD,
    ),
)
