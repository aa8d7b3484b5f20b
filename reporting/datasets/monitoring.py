"""Monitoring visits at the sites, and their action items."""

from __future__ import annotations

from reporting.datasets.columns import (
    FREE_TEXT,
    INTEGER,
    KEY,
    MOMENT,
    PARTIAL_DATE,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    Column,
    Dataset,
)

MONITORING_VISITS = Dataset(
    name="monitoring_visits",
    label="Monitoring visits",
    domain="none",
    grain="one visit of a monitor at a site; of no patient, who was met stays in the record",
    table="trials_monitoringvisit",
    keys=("visit",),
    columns=(
        SUBJECT[0],
        SUBJECT[2],
        Column("visit", "Monitoring visit", INTEGER, KEY),
        Column(
            "kind",
            "Kind of visit",
            TEXT,
            TECHNICAL,
            codes=(
                ("initiation", "Site initiation visit"),
                ("interim", "Interim monitoring visit"),
                ("for_cause", "Visit for cause"),
                ("remote", "Remote monitoring visit"),
                ("close_out", "Close-out visit"),
            ),
        ),
        Column("held_on", "Held on", PARTIAL_DATE, TECHNICAL),
        Column("findings", "Findings", TEXT, FREE_TEXT, missing="nothing was found"),
        Column("version", "Version of the report", INTEGER, TECHNICAL),
        Column("recorded_at", "Entered in the record", MOMENT, TECHNICAL),
        *RECORD,
    ),
)

ACTION_ITEMS = Dataset(
    name="action_items",
    label="Action items of monitoring visits",
    domain="none",
    grain="one thing that somebody has to do after a visit; who does it stays in the record",
    table="trials_actionitem",
    keys=("visit", "number"),
    columns=(
        SUBJECT[0],
        SUBJECT[2],
        Column("visit", "Monitoring visit", INTEGER, KEY),
        Column("number", "Number within the visit", INTEGER, KEY),
        Column("text", "What is to be done", TEXT, FREE_TEXT),
        Column("due_on", "Due on", PARTIAL_DATE, TECHNICAL),
        Column(
            "state",
            "State",
            TEXT,
            TECHNICAL,
            codes=(("open", "Open"), ("done", "Done, to be checked"), ("closed", "Closed")),
        ),
        Column("raised_at", "Raised", MOMENT, TECHNICAL),
        *RECORD,
    ),
)
