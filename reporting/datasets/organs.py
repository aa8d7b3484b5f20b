"""Uptake of normal organs, for tables of biodistribution: a row per organ and scan."""

from __future__ import annotations

from reporting.datasets.columns import (
    ALLOCATION,
    HEALTH,
    INTEGER,
    NOT_INJECTED,
    NUMBER,
    RECORD,
    REGION,
    REGION_KIND,
    REGION_STATUS,
    SCAN,
    SERIES,
    SUBJECT,
    TECHNICAL,
    TEXT,
    Column,
    Dataset,
)

EARLIER = "measured by an earlier release"

ORGANS = Dataset(
    name="organs",
    label="Uptake of normal organs",
    domain="TU, TR",
    grain="one sphere that a reader stands for, in an organ, on the series that counts for a scan",
    table="imaging_referenceregion",
    keys=("region",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("planned_scan", "Scan as the protocol plans it", TEXT, ALLOCATION),
        Column("tracer", "Tracer", TEXT, ALLOCATION, origin="EX.EXTRT"),
        SERIES,
        REGION,
        REGION_KIND,
        REGION_STATUS,
        Column("suvmean", "Mean SUVbw in the sphere", NUMBER, HEALTH, unit="g/mL"),
        Column("suvmax", "Highest SUVbw", NUMBER, HEALTH, unit="g/mL", missing=EARLIER),
        Column("suvpeak", "Highest mean over 1 cm3", NUMBER, HEALTH, unit="g/mL", missing=EARLIER),
        Column("suvpeak_definition", "What SUVpeak is", TEXT, TECHNICAL, missing=EARLIER),
        Column(
            "volume_ml",
            "Volume of the sphere's voxels, which is not that of the organ",
            NUMBER,
            TECHNICAL,
            unit="mL",
            missing=EARLIER,
        ),
        Column(
            "uptake_minutes",
            "From injection to the start of the bed that shows the organ",
            NUMBER,
            TECHNICAL,
            unit="min",
            missing="not known, or measured by an earlier release",
        ),
        Column(
            "net_activity_mbq",
            "Net injected activity",
            NUMBER,
            HEALTH,
            unit="MBq",
            missing=NOT_INJECTED,
        ),
        Column("run", "Run of the measurement", INTEGER, TECHNICAL),
        *RECORD,
    ),
)
