"""What datasets are made of: columns with their types and privacy, and those that many share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """How the cells of a column are written; see reporting.csvtext."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    PARTIAL_DATE = "partial date"


class Privacy(StrEnum):
    """What a column can tell about a person or about the blinding."""

    IDENTIFIER = "identifier"
    KEY = "key"
    SITE = "site"
    AGE = "age"
    QUASI = "quasi-identifier"
    HEALTH = "health"
    ALLOCATION = "allocation"
    TECHNICAL = "technical"
    FREE_TEXT = "free text"
    PANEL_TEXT = "panel text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, in which unit, and where it comes from.

    `missing` says what an empty cell means; a column without it is never empty. `codes` are
    the values that can occur, with their meaning. `derivation` says how a value is computed
    that nobody entered. `sas_format` is that of an integer which is a date of SAS, DATE9. in days
    or DATETIME20. in seconds since 1960-01-01.
    """

    name: str
    label: str
    type: Type
    privacy: Privacy
    unit: str = ""
    origin: str = ""
    missing: str = ""
    derivation: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    sas_format: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table: what a row of it is, which columns tell rows apart, and its columns.

    `table` is the table of the record a row is read from.
    """

    name: str
    label: str
    domain: str
    grain: str
    table: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def path(self) -> str:
        return f"data/{self.name}.csv"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


TEXT, INTEGER, NUMBER = Type.TEXT, Type.INTEGER, Type.NUMBER
FLAG, MOMENT, PARTIAL_DATE = Type.FLAG, Type.MOMENT, Type.PARTIAL_DATE
KEY, QUASI, HEALTH = Privacy.KEY, Privacy.QUASI, Privacy.HEALTH
ALLOCATION, TECHNICAL, FREE_TEXT = Privacy.ALLOCATION, Privacy.TECHNICAL, Privacy.FREE_TEXT
IDENTIFIER, SITE, AGE = Privacy.IDENTIFIER, Privacy.SITE, Privacy.AGE

YES_NO = (("Y", "Yes"), ("N", "No"))
NOT_CHECKABLE = "not checkable: the protocol states no rule, or no reader stands for the region"
NOT_INJECTED = "no injection is recorded"
NOT_MEASURED = "the series is not measured, or was refused"

SUBJECT = (
    Column("trial", "Trial", TEXT, KEY, origin="STUDYID"),
    Column(
        "usubjid",
        "Unique patient identifier",
        TEXT,
        IDENTIFIER,
        origin="USUBJID",
        derivation="trial, a hyphen, patient",
    ),
    Column("site", "Site code", TEXT, SITE, origin="DM.SITEID"),
    Column("patient", "Patient number in the trial", TEXT, IDENTIFIER, origin="DM.SUBJID"),
)
RECORD = (
    Column("record_table", "Table of the record this row is read from", TEXT, TECHNICAL),
    Column("record_pk", "Number of the row in that table", INTEGER, TECHNICAL),
)
SCAN = Column("scan", "Scheduled scan", INTEGER, KEY, origin="PR.PRLNKID")
SERIES = Column("series", "Image series", INTEGER, KEY, origin="TR.TRLNKGRP")
LESION = Column(
    "lesion", "Region above the threshold, or drawn elsewhere", INTEGER, KEY, origin="TU.TUSPID"
)
REGION = Column("region", "Reference region", INTEGER, KEY, origin="TU.TUSPID")
REGION_KIND = Column(
    "region_kind",
    "What the reference region is",
    TEXT,
    TECHNICAL,
    origin="TU.TULOC",
    codes=(
        ("blood_pool", "Mediastinal blood pool"),
        ("liver", "Liver"),
        ("spleen", "Spleen"),
        ("bone_marrow", "Bone marrow"),
        ("muscle", "Muscle"),
        ("kidney_left", "Left kidney"),
        ("kidney_right", "Right kidney"),
        ("adrenal_left", "Left adrenal"),
        ("adrenal_right", "Right adrenal"),
        (
            "contralateral_brain",
            "Brain on the other side; the mirror image of one lesion, or placed",
        ),
    ),
)
REGION_STATUS = Column(
    "region_status",
    "Who stands for the reference region",
    TEXT,
    TECHNICAL,
    codes=(
        ("proposed", "Proposed by the system, not yet accepted by a reader"),
        ("accepted", "Proposed by the system, accepted by a reader"),
        ("placed", "Placed by a reader"),
    ),
)


def quantity(name: str, label: str, unit: str, origin: str, derivation: str) -> tuple[Column, ...]:
    """A measured quantity of a lesion, and the address of the page that derives it."""
    return (
        Column(name, label, NUMBER, HEALTH, unit=unit, origin=origin, derivation=derivation),
        Column(
            f"{name}_derivation",
            f"Address of the derivation of {name}",
            TEXT,
            TECHNICAL,
            derivation="relative to the address of the site",
        ),
    )
