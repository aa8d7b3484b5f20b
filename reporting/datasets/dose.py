"""What patients received in effective dose, scan by scan."""

from __future__ import annotations

from reporting.datasets.columns import (
    ALLOCATION,
    FLAG,
    HEALTH,
    INTEGER,
    NOT_INJECTED,
    NUMBER,
    RECORD,
    SCAN,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)

_NOT_KNOWN = "not known, which is not zero: see gaps"

EFFECTIVE_DOSE = Dataset(
    name="effective_dose",
    label="Effective dose by scan",
    domain="none",
    grain="one scheduled scan of a patient; a part of the dose that is not known is empty",
    table="trials_scheduledscan",
    keys=("scan",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("tracer", "Tracer", TEXT, ALLOCATION),
        Column(
            "net_activity_mbq",
            "Net injected activity",
            NUMBER,
            HEALTH,
            unit="MBq",
            origin="EX.EXDOSE",
            missing=NOT_INJECTED,
        ),
        Column(
            "is_upper_bound",
            "Whether the residual was not measured, so that the tracer's part is at most this",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column(
            "coefficient",
            "Coefficient of the tracer",
            NUMBER,
            TECHNICAL,
            unit="mSv/MBq",
            missing="the protocol states none",
        ),
        Column(
            "is_coefficient_proposed",
            "Whether the coefficient is only proposed",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column("ct_count", "CTs with a dose-length product recorded", INTEGER, TECHNICAL),
        Column(
            "dlp",
            "Dose-length product recorded, of all CTs of the scan",
            NUMBER,
            HEALTH,
            unit="mGy·cm",
            missing="not recorded as numbers",
        ),
        Column(
            "proposed_dlp",
            "Dose-length product that a dose report or the CT images propose; in no sum",
            NUMBER,
            HEALTH,
            unit="mGy·cm",
            missing="nothing that arrived tells it",
            derivation="CT Dose Length Product Total (113813, DCM) of the dose report; without one "
            "mean CTDIvol (0018,9345) times the length of the CT series",
        ),
        Column(
            "proposed_dlp_basis",
            "What proposes it",
            TEXT,
            TECHNICAL,
            codes=(
                ("report", "Dose report of the scanner"),
                ("estimate", "Estimate from the CT images"),
            ),
            missing="nothing that arrived tells it",
        ),
        Column(
            "tracer_msv",
            "Effective dose from the tracer",
            NUMBER,
            HEALTH,
            unit="mSv",
            missing=_NOT_KNOWN,
            derivation="net_activity_mbq times coefficient; 0 where no injection is recorded",
        ),
        Column(
            "ct_msv",
            "Effective dose from CT",
            NUMBER,
            HEALTH,
            unit="mSv",
            missing=_NOT_KNOWN,
            derivation="dose-length product times the factor of its region, AAPM Report 96 (2008), "
            "table 3, adults; summed over the CTs of the scan",
        ),
        Column(
            "total_msv",
            "Effective dose of the scan",
            NUMBER,
            HEALTH,
            unit="mSv",
            missing=_NOT_KNOWN,
            derivation="tracer_msv plus ct_msv",
        ),
        Column("gaps", "What is not known", TEXT, TECHNICAL, missing="nothing is missing"),
        *RECORD,
    ),
)
