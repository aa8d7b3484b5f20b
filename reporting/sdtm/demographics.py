"""DM and SC: who takes part, in which arm, from when to when."""

from __future__ import annotations

from collections.abc import Iterator

from reporting.sdtm import terms
from reporting.sdtm.draft import Draft
from reporting.sdtm.model import Value
from reporting.sdtm.subjects import Subject

# What an allocation that nobody may know is to ARMNRS, whose list (C142179) may be extended.
CONCEALED = "ALLOCATION CONCEALED"
# What became of a patient whose data may be used no more is left out, the injections too: neither
# that one was treated nor that one was not can be said.
USE_WITHDRAWN = "DATA USE WITHDRAWN"
_NO_MORE_USE = ("use", "destroy")


def add(draft: Draft) -> None:
    """A row of DM for each patient, and the sex at birth as a characteristic."""
    for subject in draft.subjects.values():
        row = subject.row
        _characteristics(draft, subject)
        # ETHNIC and the date of death come from forms, which add them to this record.
        found = draft.of("DM", subject)
        record = next(iter(found), None) or draft.add("DM", subject)
        record.values |= {
            name: value for name, value in _values(draft, subject) if value not in (None, "")
        }
        record.values |= _death(draft, subject)
        if row["screening_number"] != row["patient"]:
            record.supplement("SCRNUM", "Screening Number", row["screening_number"])
        record.supplement("COHORT", "Cohort", row["cohort"])
        record.supplement(
            "ENRDEV", "Enrolled Though Not Eligible", row["is_enrolled_despite_criteria"] or None
        )


def _characteristics(draft: Draft, subject: Subject) -> None:
    row = subject.row
    draft.add(
        "SC",
        subject,
        SCTESTCD="SEXABRTH",
        SCTEST=terms.TESTS["SC", "SEXABRTH"],
        SCORRES=row["sex_at_birth"],
        SCSTRESC=row["sex_at_birth"],
        SCDTC=subject.local(row["registered_at"]),
    )


def _values(draft: Draft, subject: Subject) -> Iterator[tuple[str, Value]]:
    row = subject.row
    yield "SUBJID", row["patient"]
    yield "SITEID", row["site"]
    yield "COUNTRY", terms.country(row["site"], subject.zone)
    yield "BRTHDTC", str(row["birth_year"]) if row["birth_year"] else ""
    yield "AGE", row["age_at_consent"]
    yield "AGEU", "YEARS" if row["age_at_consent"] is not None else ""
    yield "SEX", row["sex_at_birth"]
    yield "RFICDTC", subject.consented
    yield from _references(draft, subject)
    yield from _arms(subject)


def _references(draft: Draft, subject: Subject) -> Iterator[tuple[str, Value]]:
    yield "RFPENDTC", last_date(draft, subject)
    if subject.exposed:
        yield "RFSTDTC", subject.reference
        yield "RFXSTDTC", subject.reference
        yield "RFXENDTC", subject.local(subject.exposed[-1]["injected_at"])
        yield "RFENDTC", subject.local(subject.injected[-1]["injected_at"])


def _arms(subject: Subject) -> Iterator[tuple[str, Value]]:
    arm, row = subject.arm, subject.row
    if row["enrolled_at"] is not None and row["withdrawal_extent"] in _NO_MORE_USE:
        yield "ARMNRS", USE_WITHDRAWN
        return
    if arm is None:
        yield "ARMNRS", _why_none(subject)
        return
    yield "ARMCD", arm.code
    yield "ARM", arm.label
    if subject.exposed:
        yield "ACTARMCD", arm.code
        yield "ACTARM", arm.label
    else:
        yield "ARMNRS", "ASSIGNED, NOT TREATED"


def _why_none(subject: Subject) -> str:
    if subject.is_concealed:
        return CONCEALED
    return "SCREEN FAILURE" if subject.row["state"] == "screen_failed" else "NOT ASSIGNED"


def _death(draft: Draft, subject: Subject) -> dict[str, Value]:
    """That a patient died, and when, by the adverse events or the follow-up."""
    for record in draft.of("AE", subject):
        if record.values.get("AEOUT") == "FATAL" or record.values.get("AESDTH") == "Y":
            died = record.values.get("AEENDTC")
            _disposed_of(draft, subject, str(died or ""))
            return {"DTHFL": "Y", "DTHDTC": died}
    for record in draft.of("DS", subject):
        if any(one.name == "EVNTDESC" and one.value == "DEATH" for one in record.qualifiers):
            died = record.values.get("DSSTDTC")
            _disposed_of(draft, subject, str(died or ""))
            return {"DTHFL": "Y", "DTHDTC": died}
    return {}


def _disposed_of(draft: Draft, subject: Subject, died: str) -> None:
    """The end of the patient's part in the trial, which DM's flag of death asks for."""
    draft.add(
        "DS",
        subject,
        DSTERM="Death",
        DSDECOD="DEATH",
        DSCAT="DISPOSITION EVENT",
        DSSCAT="STUDY PARTICIPATION",
        DSSTDTC=died,
    )


def last_date(draft: Draft, subject: Subject) -> str:
    """The last day on which something of the patient was done or found, in what was recorded."""
    limit = subject.local(draft.source.as_of)
    found = [subject.consented, subject.local(subject.row["enrolled_at"])]
    for record in draft.all_of(subject):
        if record.domain != "DM":
            found += [str(value) for key, value in record.values.items() if key.endswith("DTC")]
    days = [one[:10] for one in found if len(one) >= len("2026-03-02") and one <= limit]
    return max(days, default="")
