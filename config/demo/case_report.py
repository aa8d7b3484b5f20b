"""What the forms of the demo trial say of its invented patients, as a coordinator enters it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.demo.journey import Person

NOT_DONE = {"missing": "ND", "reason": "cuff not at hand"}
DIAGNOSES = {
    "NHL": ("Marginal zone lymphoma, WHO 2022", "Ann Arbor III"),
    "MM": ("Multiple myeloma, IMWG 2014", "R-ISS II"),
}


@dataclass(frozen=True)
class Filled:
    """A form with what is entered; without a visit it is asked at any time."""

    form: str
    values: dict[str, Any]
    visit: str = ""


def at_screening(person: Person, *, now: datetime, zone: ZoneInfo) -> Iterator[Filled]:
    """Who a patient is: what eligibility rests on is of two days ago, as the other evidence is."""
    day = (now - timedelta(days=2)).astimezone(zone)
    birth = date.fromisoformat(person.birth)
    age = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    yield Filled(
        "demographics",
        {
            "consent_day_age": age,
            "ethnicity": "NOT REPORTED",
            "height_cm": person.height_cm,
            "weight_kg": person.weight_kg,
        },
        "SCREEN",
    )
    diagnosis, stage = DIAGNOSES[person.diagnosis]
    yield Filled(
        "primary_diagnosis",
        {
            "diagnosis": diagnosis,
            "diagnosed_on": f"{day.year - 1}-11",
            "is_proven": True,
            "specimen": "CORE",
            "specimen_on": f"{day.year - 1}-11",
            "specimen_site": "iliac crest" if person.diagnosis == "MM" else "cervical node",
            "is_central": {"missing": "NK"},
            "stage": stage,
        },
        "SCREEN",
    )
    yield Filled(
        "medical_history",
        {"term": "Arterial hypertension", "started_on": "2015", "is_ongoing": True}
        | {"is_treated": True},
    )
    yield Filled(
        "concomitant_medication",
        {"name": "Ramipril", "class": "ANTIHYPERTENSIVE", "dose": "5 mg daily"}
        | {"indication": "Arterial hypertension", "started_on": "2015", "is_ongoing": True},
    )
    if person.sex_at_birth == "F":
        yield from _of_a_woman(day)


def _of_a_woman(day: datetime) -> Iterator[Filled]:
    yield Filled(
        "childbearing",
        {
            "is_able": True,
            "tested_at": _clock(day),
            "specimen": "SERUM",
            "sensitivity": 5,
            "result": "NEGATIVE",
        },
    )
    until = (day + timedelta(days=60)).date().isoformat()
    yield Filled(
        "contraception",
        {"is_needed": True, "method": ["IUD"], "is_highly_effective": True}
        | {"agreed_until": until},
        "SCREEN",
    )


def at_injection(visit: str, *, injected_at: datetime, zone: ZoneInfo) -> Iterator[Filled]:
    """Of the scan day: vital signs before, during and after, and how the patient was prepared."""
    at = injected_at.astimezone(zone)
    signs = {
        "before": (at - timedelta(minutes=10), 68, 128, 82, 14),
        "during": (at, 72, 131, 84, NOT_DONE),
        "after": (at + timedelta(minutes=12), 66, 124, 80, 13),
    }
    names = ("pulse", "systolic", "diastolic", "respiration")
    values: dict[str, Any] = {}
    for when, (moment, *numbers) in signs.items():
        values[f"{when}_at"] = _clock(moment)
        values |= {f"{when}_{name}": one for name, one in zip(names, numbers, strict=True)}
    yield Filled("vital_signs", values, visit)
    yield Filled(
        "scan_preparation",
        {
            "scan_on": at.date().isoformat(),
            "fasted_hours": 6,
            "insulin": False,
            "drugs": ["FUROSEMIDE"],
            "contrast": "NONE",
        },
        visit,
    )


def mild_event(injected_at: datetime, *, zone: ZoneInfo) -> Filled:
    day = injected_at.astimezone(zone).date().isoformat()
    return Filled(
        "adverse_events",
        {
            "term": "Metallic taste",
            "started_at": day,
            "grade": "1",
            "is_serious": False,
            "related_tracer": "POSSIBLY RELATED",
            "related_procedure": "NOT RELATED",
            "action": "DOSE NOT CHANGED",
            "is_treated": False,
            "outcome": "RECOVERED/RESOLVED",
            "ended_at": day,
        },
    )


def serious_event(known_at: datetime, *, zone: ZoneInfo) -> Filled:
    """An event that the site knows of and has not reported yet: its 24 hours run."""
    return Filled(
        "adverse_events",
        {
            "term": "Atrial fibrillation",
            "started_at": known_at.astimezone(zone).date().isoformat(),
            "grade": "3",
            "is_serious": True,
            "serious_because": ["AESHOSP"],
            "known_at": _clock(known_at.astimezone(zone)),
            "related_tracer": "UNLIKELY RELATED",
            "related_procedure": "NOT RELATED",
            "action": "NOT APPLICABLE",
            "is_treated": True,
            "outcome": "RECOVERING/RESOLVING",
        },
    )


def reference(*, now: datetime, zone: ZoneInfo) -> Iterator[Filled]:
    """The reference standard of a lesion: what the truth panel is shown."""
    day = now.astimezone(zone).date().isoformat()
    yield Filled(
        "histology",
        {
            "region": "liver",
            "side": {"missing": "NA"},
            "lesion": "L1",
            "taken_by": "CORE",
            "taken_on": day,
            "is_adequate": True,
            "result": "POSITIVE",
            "diagnosis": DIAGNOSES["NHL"][0],
            "is_central": True,
        },
    )


def decided(*, now: datetime, zone: ZoneInfo) -> Iterator[Filled]:
    """What the truth panel makes of it, blind to the index test."""
    day = now.astimezone(zone).date().isoformat()
    yield Filled(
        "truth_of_lesion",
        {"region": "liver", "lesion": "L1", "truth": "PRESENT", "basis": ["HISTOLOGY"]}
        | {"decided_on": day},
    )
    yield Filled(
        "truth_of_patient",
        {
            "truth": "PRESENT",
            "side": {"missing": "NA"},
            "basis": ["HISTOLOGY"],
            "reasoning": "Central pathology confirms the disease in one lesion.",
            "decided_on": day,
        },
    )


def _clock(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
