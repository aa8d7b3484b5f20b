"""What went otherwise than planned, and what was asked about it."""

from __future__ import annotations

from reporting.datasets.columns import (
    FLAG,
    FREE_TEXT,
    HEALTH,
    IDENTIFIER,
    INTEGER,
    KEY,
    MOMENT,
    PARTIAL_DATE,
    QUASI,
    RECORD,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
)

DEVIATIONS = Dataset(
    name="deviations",
    label="Protocol deviations",
    domain="DV",
    grain="one deviation, found by a rule or by a person",
    table="trials_deviation",
    keys=("deviation",),
    columns=(
        *SUBJECT,
        Column("deviation", "Deviation", INTEGER, KEY, origin="DV.DVSPID"),
        Column("rule", "Rule", TEXT, TECHNICAL, origin="DV.DVDECOD", missing="found by a person"),
        Column("text", "What deviates", TEXT, FREE_TEXT, origin="DV.DVTERM"),
        Column("values", "Numbers the rule compared, as JSON", TEXT, HEALTH),
        Column(
            "is_important",
            "Important: may affect the data, or a patient's rights, safety or well-being (ICH E3)",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column(
            "state",
            "State",
            TEXT,
            TECHNICAL,
            codes=(
                ("drafted", "Drafted"),
                ("acknowledged", "Acknowledged by the investigator"),
                ("closed", "Closed"),
            ),
        ),
        Column(
            "occurred_at",
            "When what deviates happened, by the site's clock",
            PARTIAL_DATE,
            QUASI,
            origin="DV.DVSTDTC",
            missing="when it happened is told by its words alone",
            derivation="the injection of its scan, else the time planned for it; what a rule found "
            "of a consent: its signature; an enrolment despite criteria, an unblinding: itself",
        ),
        Column("recorded_at", "Entered in the record", MOMENT, TECHNICAL),
        Column("about_table", "Table of what it is about", TEXT, TECHNICAL),
        Column("about_pk", "Number of the row it is about", INTEGER, KEY),
        *RECORD,
    ),
)

_NO_PATIENT = "the query is about the trial"

QUERIES = Dataset(
    name="queries",
    label="Queries",
    domain="none",
    grain="one question to a site about the record; its text stays in the record",
    table="trials_query",
    keys=("query",),
    columns=(
        SUBJECT[0],
        Column(
            "usubjid",
            "Unique patient identifier",
            TEXT,
            IDENTIFIER,
            origin="USUBJID",
            missing=_NO_PATIENT,
            derivation="trial, a hyphen, patient",
        ),
        SUBJECT[2],
        Column("patient", "Patient number in the trial", TEXT, IDENTIFIER, missing=_NO_PATIENT),
        Column("query", "Query", INTEGER, KEY),
        Column("rule", "Rule that asked", TEXT, TECHNICAL, missing="asked by a person"),
        Column(
            "state",
            "State",
            TEXT,
            TECHNICAL,
            codes=(("open", "Open"), ("answered", "Answered"), ("closed", "Closed")),
        ),
        Column("opened_at", "Opened", MOMENT, TECHNICAL),
        Column("message_count", "Messages so far", INTEGER, TECHNICAL),
        Column("about_table", "Table of what it is about", TEXT, TECHNICAL),
        Column("about_pk", "Number of the row it is about", INTEGER, KEY),
        *RECORD,
    ),
)
