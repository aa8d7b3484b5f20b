"""ADSL: a row for each patient, who they are, what they were given, and what they count for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reporting.adam import dates
from reporting.adam.populations import Populations
from reporting.adam.reading import Record, Tables

Row = dict[str, Any]
SEPARATOR = " - "
_NAMES = "STUDYID USUBJID SUBJID SITEID COUNTRY AGE AGEU SEX RACE ETHNIC ARM ACTARM ARMNRS DTHFL"
_COPIED = tuple(_NAMES.split())
_ENTERED, _RANDOMISED = "ENTERED INTO TRIAL", "RANDOMIZED"


def rows(tables: Tables, populations: Populations) -> list[Row]:
    """The patients in the order of DM."""
    return [dict(_values(tables, populations, one)) for one in tables.of("DM")]


def _values(tables: Tables, populations: Populations, subject: Record) -> Iterator[tuple[str, Any]]:
    who = subject["USUBJID"]
    for name in _COPIED:
        yield name, subject[name]
    yield "COHORT", tables.qualifiers("DM", subject).get("COHORT", "")
    yield from _treatments(tables, subject)
    for name, source in (("TRTS", "RFXSTDTC"), ("TRTE", "RFXENDTC")):
        yield f"{name}DT", dates.day(subject[source])
        yield f"{name}DTM", dates.moment(subject[source])
    flags = populations.of_subject(who)
    yield from flags.items()
    yield "flags", tuple(flags)
    yield "POPBASIS", populations.basis(who)
    yield "RFICDT", dates.day(subject["RFICDTC"])
    yield "DTHDT", dates.day(subject["DTHDTC"])
    yield from _course(tables, who)


def _treatments(tables: Tables, subject: Record) -> Iterator[tuple[str, Any]]:
    if not tables.is_crossover:
        yield "TRT01P", subject["ARM"]
        yield "TRT01A", subject["ACTARM"]
        return
    # Whose sequence is concealed has no arm in SDTM, and no treatments by period here.
    planned = tables.planned(subject["ARMCD"]) if subject["ARMCD"] else []
    given = tables.given(subject["USUBJID"]) if subject["ACTARMCD"] else []
    for number, element in enumerate(planned, 1):
        yield f"TRT{number:02}P", element
    for number, one in enumerate(given, 1):
        yield f"TRT{number:02}A", one["ELEMENT"]
        yield f"TR{number:02}SDT", dates.day(one["SESTDTC"])
        yield f"TR{number:02}SDTM", dates.moment(one["SESTDTC"])
    yield "TRTSEQP", SEPARATOR.join(planned)
    yield "TRTSEQA", SEPARATOR.join(one["ELEMENT"] for one in given)


def _course(tables: Tables, who: str) -> Iterator[tuple[str, Any]]:
    events = tables.of_patient("DS", who)
    named = {one["DSDECOD"]: one for one in reversed(events)}
    yield "SCRFFL", "Y" if "SCREEN FAILURE" in named else "N"
    if entered := named.get(_ENTERED):
        yield "ENRLDT", dates.day(entered["DSSTDTC"])
        yield from _end(events)
    if randomised := named.get(_RANDOMISED):
        yield "RANDDT", dates.day(randomised["DSSTDTC"])
        yield "STRATAR", tables.qualifiers("DS", randomised).get("STRATUM", "")


def _end(events: Any) -> Iterator[tuple[str, Any]]:
    """How the part of who entered the trial ended: by its first event, for it ends once."""
    ends = [
        one
        for one in events
        if one["DSCAT"] == "DISPOSITION EVENT" and one["DSSCAT"] == "STUDY PARTICIPATION"
    ]
    if not ends:
        yield "EOSSTT", "ONGOING"
        return
    first = min(ends, key=lambda one: (not one["DSSTDTC"], one["DSSTDTC"], one["DSSEQ"]))
    is_whole = first["DSDECOD"] == "COMPLETED"
    yield "EOSSTT", "COMPLETED" if is_whole else "DISCONTINUED"
    yield "EOSDT", dates.day(first["DSSTDTC"])
    yield "DCSREAS", "" if is_whole else first["DSDECOD"]
