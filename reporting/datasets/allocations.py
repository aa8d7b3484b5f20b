"""Who was randomised, and to which sequence as far as the trial is open."""

from __future__ import annotations

from reporting.datasets.columns import (
    ALLOCATION,
    FLAG,
    INTEGER,
    KEY,
    MOMENT,
    QUASI,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)

ALLOCATIONS = Dataset(
    name="allocations",
    label="Randomisation",
    domain="DM, DS, TA",
    grain="one patient who was allocated to a sequence",
    table="trials_allocation",
    keys=("allocation",),
    columns=(
        *SUBJECT,
        Column("allocation", "Allocation", INTEGER, KEY, origin="DS.DSSPID"),
        Column("protocol_version", "Protocol version allocated by", TEXT, TECHNICAL),
        Column(
            "stratum",
            "Stratum as it was at the allocation",
            TEXT,
            QUASI,
            missing="the protocol states no strata",
        ),
        Column(
            "stratum_evidence",
            "Recorded values that decided the stratum",
            TEXT,
            QUASI,
            missing="the stratum is by site alone, or there is none",
        ),
        Column(
            "misstratified",
            "What was corrected after the allocation, which changes no stratum",
            TEXT,
            QUASI,
            missing="the record says the same today",
            derivation="newest value observed by the time of the allocation, see "
            "trials/stratification.py",
        ),
        Column(
            "sequence",
            "Sequence allocated to",
            TEXT,
            ALLOCATION,
            origin="DM.ARMCD",
            missing="the allocation is concealed",
            derivation="from the sealed seed of the trial; see trials/randomisation.py",
        ),
        Column(
            "periods",
            "Planned scans in the order of the sequence",
            TEXT,
            ALLOCATION,
            missing="the allocation is concealed",
        ),
        Column("allocated_at", "Allocated", MOMENT, TECHNICAL, origin="DS.DSSTDTC"),
        Column(
            "is_unblinded",
            "Whether somebody unblinded it in an emergency",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        *RECORD,
    ),
)
