"""What became of the tracers at the sites."""

from __future__ import annotations

from reporting.datasets.columns import (
    FREE_TEXT,
    HEALTH,
    INTEGER,
    KEY,
    MOMENT,
    NUMBER,
    QUASI,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    Column,
    Dataset,
)
from trials import accountability

NOT_CERTIFIED = "the certificate does not say, or is not recorded; which is not zero"

ACCOUNTABILITY_REVIEWS = Dataset(
    name="accountability_reviews",
    label="Signed reviews of tracer accountability",
    domain="none",
    grain="one review of a tracer at a site, as it was signed; of no patient",
    table="trials_accountabilityreview",
    keys=("review",),
    columns=(
        SUBJECT[0],
        SUBJECT[2],
        Column("review", "Review", INTEGER, KEY),
        Column("tracer", "Tracer", TEXT, TECHNICAL),
        Column("reviewed_at", "When it was signed", MOMENT, TECHNICAL),
        Column("remark", "What was found", TEXT, FREE_TEXT, missing="nothing was found"),
        Column("received", "Patient doses received by then", INTEGER, TECHNICAL),
        Column("dispensed", "Patient doses dispensed by then", INTEGER, TECHNICAL),
        Column("on_hand", "Patient doses on hand then", INTEGER, TECHNICAL),
        Column("injections", "Injections recorded by then", INTEGER, TECHNICAL),
        Column("movement_count", "Movements that it rests on", INTEGER, TECHNICAL),
        Column("sha256", "SHA-256 of balance and movements as signed", TEXT, TECHNICAL),
        *RECORD,
    ),
)

# Who released a batch is a person: the site's record names them, no export does.
BATCHES = Dataset(
    name="batches",
    label="Batches of tracer with their release data",
    domain="none",
    grain="one batch at a site, as its certificate says; of no patient",
    table="trials_batch",
    keys=("batch_id",),
    columns=(
        SUBJECT[0],
        SUBJECT[2],
        Column("batch_id", "Batch, by its number in the database", INTEGER, KEY),
        Column("tracer", "Tracer", TEXT, TECHNICAL),
        Column("number", "Batch number", TEXT, QUASI),
        Column(
            "calibration_activity_mbq", "Activity at calibration", NUMBER, TECHNICAL, unit="MBq"
        ),
        Column("calibrated_at", "Time of the calibration", MOMENT, TECHNICAL),
        Column("expires_at", "Until when it may be given", MOMENT, TECHNICAL),
        Column("released_at", "When it was released", MOMENT, TECHNICAL, missing="not released"),
        Column(
            "certificate",
            "Certificate of analysis, as filed",
            TEXT,
            FREE_TEXT,
            missing="none given",
        ),
        *(
            Column(name, one.label, NUMBER, TECHNICAL, unit=one.unit or "1", missing=NOT_CERTIFIED)
            for name, one in accountability.RELEASE_DATA.items()
        ),
        *RECORD,
    ),
)

TRACER_MOVEMENTS = Dataset(
    name="tracer_movements",
    label="Tracer accountability",
    domain="none",
    grain="one act of accountability at a site; of no patient",
    table="trials_tracermovement",
    keys=("movement",),
    columns=(
        SUBJECT[0],
        SUBJECT[2],
        Column("movement", "Act of accountability", INTEGER, KEY),
        Column("tracer", "Tracer", TEXT, TECHNICAL),
        Column("batch", "Batch number", TEXT, QUASI, missing="an order: no batch is made yet"),
        Column(
            "kind",
            "What happened",
            TEXT,
            TECHNICAL,
            codes=(
                ("ordered", "Ordered"),
                ("received", "Received"),
                ("dispensed", "Dispensed for a patient"),
                ("returned", "Returned to the supplier"),
                ("destroyed", "Destroyed or decayed"),
            ),
        ),
        Column("doses", "Patient doses", INTEGER, TECHNICAL),
        Column(
            "activity_mbq",
            "Activity in all at that time",
            NUMBER,
            HEALTH,
            unit="MBq",
            missing="not assayed, which is not zero",
        ),
        Column("happened_at", "When it happened", MOMENT, TECHNICAL),
        Column(
            "reference",
            "Order number, delivery note or record",
            TEXT,
            FREE_TEXT,
            missing="none given",
        ),
        Column("undone_because", "Why it was taken back", TEXT, FREE_TEXT, missing="it stands"),
        *RECORD,
    ),
)
