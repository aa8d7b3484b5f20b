"""What image series were found not to keep: protocol and record beside their headers."""

from __future__ import annotations

from reporting.datasets.columns import (
    FLAG,
    INTEGER,
    KEY,
    MOMENT,
    RECORD,
    SCAN,
    SERIES,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)
from trials.conformance_rules import Limits, Severity, checks

CONFORMANCE = Dataset(
    name="conformance",
    label="Conformance of image series",
    domain="none",
    grain="one rule that a series does not keep as it stands now; a rule without a limit in the "
    "protocol finds nothing. What was compared stays in the record: headers have dates",
    table="imaging_conformancefinding",
    keys=("finding",),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        Column("finding", "Finding of conformance", INTEGER, KEY),
        Column(
            "rule",
            "Rule that the series does not keep",
            TEXT,
            TECHNICAL,
            codes=tuple((one.rule, one.label) for one in checks(Limits())),
        ),
        Column(
            "severity",
            "How much it matters",
            TEXT,
            TECHNICAL,
            derivation="by the protocol, or by the product where the protocol does not say",
            codes=tuple((one.value, one.value.capitalize()) for one in Severity),
        ),
        Column(
            "population",
            "What it proposes for the analysis populations",
            TEXT,
            TECHNICAL,
            missing="nothing",
        ),
        Column(
            "is_let_pass",
            "A person let it pass, with a reason",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column("found_at", "Found", MOMENT, TECHNICAL),
        *RECORD,
    ),
)
