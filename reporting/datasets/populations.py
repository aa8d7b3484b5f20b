"""Who is in which analysis: each unit of each population, as proposed and as decided."""

from __future__ import annotations

from reporting.datasets.columns import (
    FLAG,
    FREE_TEXT,
    INTEGER,
    KEY,
    MOMENT,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)
from reporting.flow import STANDINGS

_UNDECIDED = "no signed review decided it"

POPULATIONS = Dataset(
    name="populations",
    label="Analysis populations",
    domain="ADSL",
    grain="one unit of one population: a patient, a planned scan, or the lesions of one",
    table="trials_patient",
    keys=("usubjid", "population", "planned_scan"),
    columns=(
        *SUBJECT,
        Column("population", "Population", TEXT, TECHNICAL),
        Column("population_label", "What the population is", TEXT, TECHNICAL),
        Column(
            "level",
            "Level of the unit",
            TEXT,
            TECHNICAL,
            codes=(
                ("patient", "A patient"),
                ("scan", "A planned scan of a patient"),
                ("lesion", "The lesions of a planned scan, together"),
            ),
        ),
        Column("planned_scan", "Planned scan", TEXT, KEY, missing="the unit is the patient"),
        Column(
            "in_population",
            "In the population",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
            derivation="as decided in the signed review, else as the rule proposes",
        ),
        Column("proposed", "Proposed in by the rule, now", FLAG, TECHNICAL, codes=YES_NO),
        Column("decided", "Decided in", FLAG, TECHNICAL, missing=_UNDECIDED, codes=YES_NO),
        Column("why", "Why, in words", TEXT, FREE_TEXT),
        Column(
            "conditions",
            "Conditions the proposal rests on",
            TEXT,
            TECHNICAL,
            derivation="of a unit that is out those that fail, by name",
        ),
        Column("is_rule_proposed", "No source states the rule", FLAG, TECHNICAL, codes=YES_NO),
        Column("review", "Data review", INTEGER, KEY, missing=_UNDECIDED),
        Column(
            "review_standing",
            "How the review stands for the unit",
            TEXT,
            TECHNICAL,
            missing=_UNDECIDED,
            codes=tuple(STANDINGS.items()),
        ),
        Column(
            "changed_since",
            "What changed since the review",
            TEXT,
            FREE_TEXT,
            missing="nothing, or no signed review",
        ),
        Column("signed_by", "Number of who signed", INTEGER, KEY, missing=_UNDECIDED),
        Column("signed_at", "Signed", MOMENT, TECHNICAL, missing=_UNDECIDED),
        *RECORD,
    ),
)
